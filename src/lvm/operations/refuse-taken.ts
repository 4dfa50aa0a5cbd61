import { identityAt, locate } from '../../blockdevice/index.ts';
import { inShell, type ReadHost } from '../../command/index.ts';
import { RefusedError } from '../../core/errors.ts';
import { formatSize } from '../../core/units.ts';
import { takenRemedy } from '../manual-recovery.ts';
import { dmName } from '../names.ts';
import { volumesOf } from '../reads.ts';
import type { LogicalVolume, WholeGroup } from '../objects.ts';

/**
 * RefusedError if a volume of the group has the name, or the path of its nodes is in use. `own`:
 * the volume that gets the name; its device may have kept it after an interrupted rename.
 */
export async function refuseTaken(
  host: ReadHost,
  vg: Pick<WholeGroup, 'name' | 'uuid' | 'volumes'>,
  { name, own }: { readonly name: string; readonly own?: LogicalVolume },
): Promise<void> {
  refuseExisting(vg.volumes, name);
  // If /dev/mapper/VG-NAME exists, lvcreate 2.03.16 fails, and lvrename stops midway with the
  // device suspended. If /dev/VG/NAME exists, lvcreate *replaces* the file, and lvrename creates no
  // node and exits with 0.
  for (const path of [`/dev/mapper/${dmName(vg.name, name)}`, `/dev/${vg.name}/${name}`]) {
    if ((await host.stat(path)) === undefined) continue;
    if (own !== undefined && (await leadsTo(host, path, identityOfVolume(own)))) continue;
    // Another process may have created the volume after the group was listed: then it is no
    // leftover.
    refuseExisting((await volumesOf(host, vg.uuid)) ?? [], name);
    throw new RefusedError(`${path} exists, although lvm has no ${vg.name}/${name}`, {
      remedy: `see what it is: ls -l ${inShell(path)}; then remove it`,
    });
  }
}

/**
 * Returns the identity of a volume in the kernel, whatever its name (dm uuid: `LVM-`, both uuids
 * without hyphens).
 */
export function identityOfVolume({ vgUuid, uuid }: LogicalVolume): string {
  return `LVM-${vgUuid}${uuid}`.replaceAll('-', '').replace(/^LVM/, 'LVM-');
}

/** Whether a path leads to the device with this identity. */
export async function leadsTo(host: ReadHost, path: string, identity: string): Promise<boolean> {
  return (await identityAt(host, path)) === identity;
}

function refuseExisting(volumes: readonly LogicalVolume[], name: string): void {
  const there = volumes.find((lv) => lv.name === name);
  if (there === undefined) return;
  const what = `uuid ${there.uuid}, ${formatSize(there.size)}`;
  throw new RefusedError(`${there.fullName} exists already (${what})`, {
    code: 'exists',
    remedy: takenRemedy(there.tags),
  });
}

/**
 * Finds the device by its uuid: if another device has the new name in the kernel, lvrename fails
 * with its metadata written, and the device keeps the old name
 * (test/fixtures/lvm/lvrename-dm-name-taken@2.03.16.json). The path that lvs shows then belongs to
 * the other device.
 */
export async function deviceOf(host: ReadHost, lv: LogicalVolume): Promise<string> {
  return (await locate(host, { path: lv.dmPath, identity: identityOfVolume(lv) })) ?? lv.dmPath;
}
