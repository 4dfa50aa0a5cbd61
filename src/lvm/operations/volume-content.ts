import type { Changed } from '../../atomic/operation.ts';
import { deviceWitness, isMountedForWriting, partWitness } from '../../blockdevice/index.ts';
import type { ChangeHost, ReadHost } from '../../command/index.ts';
import type { Bytes } from '../../core/units.ts';
import { activate, deactivate } from '../lv-commands.ts';
import type { LogicalVolume } from '../objects.ts';
import { udevOf } from '../reads.ts';

/** The witness of an inactive volume, which cannot be written to. */
export const inactive = 'inactive';

/** Returns a witness of the content of a volume. */
export async function volumeWitness(host: ReadHost, lv: LogicalVolume): Promise<string> {
  if (lv.active !== true) return inactive;
  return deviceWitness(host, `/dev/${lv.vg}/${lv.name}`);
}

/**
 * Returns a witness of the part of a volume beyond a size. That part has no known user: a
 * filesystem, mapping or swap that reaches beyond the size is reported as a holder of the volume.
 */
export async function growthWitness(
  host: ReadHost,
  lv: LogicalVolume,
  part: { readonly from: Bytes; readonly to: Bytes },
): Promise<string> {
  return lv.active === true ? partWitness(host, `/dev/${lv.vg}/${lv.name}`, part) : inactive;
}

/**
 * Returns what others have changed on a volume since its witness, if it can be read; without a
 * witness, only who mounted it.
 */
export async function volumeChanged(
  host: ReadHost,
  lv: LogicalVolume,
  witness: string | undefined,
): Promise<Changed | undefined> {
  if (lv.active === true && (await isMountedForWriting(host, `/dev/${lv.vg}/${lv.name}`)))
    return { found: `${lv.fullName} is mounted for writing, so it is unknown whether others wrote to it` };
  if (witness === undefined) return undefined;
  const now = await volumeWitness(host, lv);
  if (now === witness || now === inactive) return undefined;
  return witness === inactive
    ? { found: `others activated ${lv.fullName}` }
    : { found: `others wrote to ${lv.fullName}`, fromBytes: true };
}

/**
 * Calls `read` while a volume is active, because the undo must know its content. A volume that is
 * inactive, for example after a reboot, is active only meanwhile.
 */
export async function whileActive<T>(
  host: ChangeHost,
  { vg, name, uuid, active }: Pick<LogicalVolume, 'vg' | 'name' | 'uuid' | 'active'>,
  read: () => Promise<T>,
): Promise<T> {
  if (active !== false) return read();
  const itself = { vg, name, uuid, ...(await udevOf(host)) };
  await host.run(activate({ ...itself, skipped: true }));
  try {
    return await read();
  } finally {
    await host.run(deactivate(itself));
  }
}
