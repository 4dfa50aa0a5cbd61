import * as z from 'zod/mini';
import type { Look } from '../../atomic/operation.ts';
import type { ChangeHost, ReadHost } from '../../command/index.ts';
import { RefusedError } from '../../core/errors.ts';
import { activate } from '../lv-commands.ts';
import {
  dependentHolders,
  holdersOf,
  refuseMoved,
  removeOrNameHolders,
  udevOf,
  usableVg,
  volumesOf,
} from '../reads.ts';
import type { LogicalVolume, WholeGroup } from '../objects.ts';

/** Journal data of a volume that a step creates. */
export const createdVolume = z.strictObject({
  vg: z.string(),
  vgUuid: z.string(),
  name: z.string(),
  /** Tag of the step: set in the metadata commit that creates the volume. */
  tag: z.string(),
});

export type CreatedVolume = z.infer<typeof createdVolume>;

/** RefusedError if the name now names another group. */
export async function refuseOtherGroup(
  host: ReadHost,
  { vg, vgUuid }: Pick<CreatedVolume, 'vg' | 'vgUuid'>,
): Promise<WholeGroup> {
  const now = await usableVg(host, vg);
  if (now.uuid === vgUuid) return now;
  throw new RefusedError(`another volume group is now named "${vg}"; nothing was created`, {
    remedy: 'look at it: vgs -o vg_name,vg_uuid; then run the command again',
  });
}

interface Found {
  readonly look: Look;
  readonly lv?: LogicalVolume;
  readonly all: readonly LogicalVolume[];
}

/**
 * Finds the volume that a step created: by its tag, in the volume group with the uuid, because any
 * volume can have the name. With a result the uuid must match too, because a tag can be copied;
 * without one, two volumes with the tag are ambiguous (RefusedError).
 */
export async function findCreated(
  host: ReadHost,
  { vg, vgUuid, name, tag }: CreatedVolume,
  uuid: string | undefined,
): Promise<Found> {
  const all = await volumesOf(host, vgUuid);
  // The disks of the group may return tomorrow, with the volume on them.
  if (all === undefined) {
    throw new RefusedError(
      `the volume group "${vg}" (uuid ${vgUuid}) is missing, so bofh cannot read its volumes`,
      {
        remedy:
          'attach its devices; then: bofh recover; or, if it was removed on purpose: bofh recover --abandon ID --because "…"',
      },
    );
  }
  const fits = (lv: LogicalVolume): boolean =>
    lv.tags.includes(tag) && (uuid === undefined || lv.uuid === uuid);
  const marked = all.filter(fits);
  const [lv, ...more] = marked;
  if (more.length > 0) {
    throw new RefusedError(
      `${marked.map(({ fullName }) => fullName).join(' and ')} both have the tag ${tag}`,
      {
        remedy: `remove the tag from the one that this sequence did not create: lvchange --deltag ${tag} VG/LV; then: bofh recover`,
      },
    );
  }
  if (lv !== undefined) {
    const moved = lv.vg === vg && lv.name === name ? {} : { movedTo: `lv:${lv.fullName}` };
    return { look: { state: 'ours', holders: await holdersOf(host, { lv, all }), ...moved }, lv, all };
  }
  await refuseMoved(host, fits);
  const foreign = all.find((other) => other.uuid === uuid || other.name === name);
  if (foreign === undefined) return { look: { state: 'gone' }, all };
  const found = `${foreign.fullName} (uuid ${foreign.uuid}) does not have the tag of this step`;
  return { look: { state: 'not-ours', found }, all };
}

/**
 * Returns a readable path of the volume. Activates it if a reboot or an administrator has
 * deactivated it, because undo must know its content. Undefined if the volume does not exist.
 */
export async function readablePath(
  host: ChangeHost,
  of: CreatedVolume,
  uuid: string | undefined,
): Promise<string | undefined> {
  const { lv } = await findCreated(host, of, uuid);
  if (lv === undefined) return undefined;
  if (lv.active !== true) await host.run(activate({ ...lv, skipped: true, ...(await udevOf(host)) }));
  return `/dev/${lv.vg}/${lv.name}`;
}

/** Removes the volume with the tag; RefusedError if other volumes would be removed with it. */
export async function removeCreated(
  host: ChangeHost,
  of: CreatedVolume,
  uuid: string | undefined,
): Promise<void> {
  const { lv, all } = await findCreated(host, of, uuid);
  if (lv === undefined) return;
  const holders = dependentHolders({ lv, all });
  if (holders.length > 0) {
    const names = holders.flatMap((each) => (each.kind === 'volume' ? [each.volume] : []));
    throw new RefusedError(
      `the removal of ${lv.fullName} would also remove its snapshots: ${names.join(', ')}`,
      {
        remedy: `lvremove ${names.join(' ')}`,
        holders,
      },
    );
  }
  await removeOrNameHolders(host, { lv, all }, of.tag);
}
