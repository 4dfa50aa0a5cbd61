import type { ReadHost } from '../../command/index.ts';
import { RefusedError } from '../../core/errors.ts';
import { groupsOfPvs } from '../commands.ts';

/** The type of a physical volume in blkid and wipefs. */
export const pvType = 'LVM2_member';

/**
 * RefusedError for a physical volume of a group, whatever `overwrite` names: a group that loses a
 * device loses the data on it.
 */
export async function refuseMember(
  host: ReadHost,
  of: {
    readonly device: string;
    /** UUID of the physical volume. */
    readonly uuid: string;
    /**
     * Whether a physical volume that lvm does not see (because of a filter or a devices file, or because it
     * is in the disk of a guest) is refused, or may be lost because `overwrite` names it.
     */
    readonly unseen: 'refused' | 'allowed if named';
    /** The last word of the error: nothing was `written`, or `erased`. */
    readonly done: 'written' | 'erased';
  },
): Promise<void> {
  const { device, uuid, unseen, done } = of;
  const groups = await host.run(groupsOfPvs());
  const group = groups.get(uuid);
  if (group === '' || (group === undefined && unseen === 'allowed if named')) return;
  if (group === undefined)
    throw new RefusedError(
      `${device} has the label of the physical volume ${uuid}, which lvm does not see: bofh cannot tell whether it is in a group`,
      {
        remedy: `see what lvm omits, and why: pvs --all; lvmconfig devices; if it is not needed: bofh block wipe ${device} --overwrite ${uuid}`,
      },
    );
  throw new RefusedError(
    `${device} is a physical volume of the volume group ${group} (uuid ${uuid}); nothing was ${done}`,
    { remedy: outOfGroup(groups, { group, device }) },
  );
}

/**
 * Returns the remedy that frees a physical volume from its group; a group keeps its last one as
 * long as the group exists.
 */
export function outOfGroup(
  groups: ReadonlyMap<string, string>,
  { group, device }: { readonly group: string; readonly device: string },
): string {
  const isOnly = [...groups.values()].filter((each) => each === group).length === 1;
  return isOnly
    ? `remove its group first: bofh lvm vg remove ${group}`
    : `remove it from the group first: bofh lvm vg reduce ${group} ${device}`;
}
