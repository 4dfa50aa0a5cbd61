import * as z from 'zod/mini';
import type { ChangeHost, ReadHost } from '../../command/index.ts';
import { RefusedError } from '../../core/errors.ts';
import { lvrename } from '../lv-commands.ts';
import { refuseMoved, udevOf, type VolumeAmong, volumesOf } from '../reads.ts';
import type { LogicalVolume, WholeGroup } from '../objects.ts';

/** An existing volume, as a caller names it. */
export const askedVolume = z.strictObject({
  /** The volume group. */
  vg: z.string(),
  /** Name of the volume in its group. */
  name: z.string(),
  /** UUID of the volume. Refused if the name now names another volume. */
  uuid: z.exactOptional(z.string()),
});

/** A volume as journalled. Both uuids identify it; the names are only shown. */
export const knownVolume = z.strictObject({
  vg: z.string(),
  vgUuid: z.string(),
  lvUuid: z.string(),
  name: z.string(),
});

export type KnownVolume = z.infer<typeof knownVolume>;

/**
 * Returns the volume of that name in a group, checked by uuid if given. RefusedError if it is
 * missing or another one.
 */
export function volumeNamed(
  { name: group, volumes }: WholeGroup,
  { name, uuid }: { readonly name: string; readonly uuid?: string },
): LogicalVolume {
  const lv = volumes.find((one) => one.name === name);
  if (lv === undefined)
    throw new RefusedError(`there is no logical volume ${group}/${name}`, {
      code: 'not-found',
      remedy: 'see every logical volume: bofh lvm list',
    });
  if (uuid !== undefined && lv.uuid !== uuid)
    throw new RefusedError(`${group}/${name} is another volume now: its uuid is ${lv.uuid}, not ${uuid}`, {
      remedy: 'look at it: bofh lvm list; then name the right volume',
    });
  return lv;
}

/**
 * Returns the volume, whatever its name is now; undefined if it is gone. If the volume group is
 * missing, its state is unknown (RefusedError): the disks may return tomorrow, with the renamed
 * volume on them.
 */
export async function findKnown(
  host: ReadHost,
  { vg, vgUuid, lvUuid }: KnownVolume,
): Promise<VolumeAmong | undefined> {
  const all = await volumesOf(host, vgUuid);
  if (all === undefined) {
    throw new RefusedError(
      `the volume group "${vg}" (uuid ${vgUuid}) is missing, so bofh cannot read its volumes`,
      { remedy: 'attach its devices, and make lvm see them: pvscan; then: bofh recover' },
    );
  }
  const lv = all.find(({ uuid }) => uuid === lvUuid);
  if (lv !== undefined) return { lv, all };
  await refuseMoved(host, ({ uuid }) => uuid === lvUuid);
  return undefined;
}

/** Like `findKnown`, for a volume that must exist. */
export async function known(host: ReadHost, of: KnownVolume): Promise<VolumeAmong> {
  const found = await findKnown(host, of);
  if (found === undefined)
    throw new RefusedError(`${of.vg}/${of.name} (uuid ${of.lvUuid}) is gone`, {
      remedy: 'another process removed or replaced it: bofh lvm list',
    });
  return found;
}

/**
 * Renames the volume to a free name. lvrename accepts no --select, so this compares the uuid just
 * before and just after.
 */
export async function rename(host: ChangeHost, of: KnownVolume, to: string): Promise<LogicalVolume> {
  const { lv, all } = await known(host, of);
  if (lv.name === to) return lv;
  const taken = all.find(({ name }) => name === to);
  if (taken !== undefined) {
    throw new RefusedError(
      `${lv.fullName} (uuid ${lv.uuid}) cannot be renamed to ${to}: a volume with uuid ${taken.uuid} has that name`,
      { remedy: `rename the other one: lvrename ${taken.fullName} NEW; then run the command again` },
    );
  }
  await host.run(lvrename({ vg: lv.vg, name: lv.name, to, ...(await udevOf(host)) }));
  const after = await known(host, of);
  if (after.lv.name !== to)
    throw new RefusedError(`lvrename did not rename ${lv.fullName} (uuid ${lv.uuid}) to ${to}`, {
      remedy: `look at both names: lvs -o lv_name,lv_uuid ${lv.vg}; then run the command again`,
    });
  return after.lv;
}
