import { identityOf } from '../../blockdevice/index.ts';
import type { ReadHost } from '../../command/index.ts';
import { CommandError, RefusedError } from '../../core/errors.ts';
import { formatSize } from '../../core/units.ts';
import { takenRemedy } from '../manual-recovery.ts';
import { dmName } from '../names.ts';
import { volumesOf } from '../reads.ts';
import type { LogicalVolume, WholeGroup } from '../objects.ts';

/**
 * RefusedError when a volume of the group has the name, or something lies where its nodes go. `own`: the volume that is
 * to have it, whose device may have kept that name when it was renamed half-way.
 */
export async function refuseTaken(
  host: ReadHost,
  vg: Pick<WholeGroup, 'name' | 'uuid' | 'volumes'>,
  { name, own }: { readonly name: string; readonly own?: LogicalVolume },
): Promise<void> {
  refuseExisting(vg.volumes, name);
  // What lies in the way of the node: lvcreate 2.03.16 fails on the one and *replaces* the other; lvrename stops half-way
  // for the one, the device suspended, and makes no node for the other, exit 0.
  for (const path of [`/dev/mapper/${dmName(vg.name, name)}`, `/dev/${vg.name}/${name}`]) {
    if ((await host.stat(path)) === undefined) continue;
    if (own !== undefined && (await leadsTo(host, path, identityOfVolume(own)))) continue;
    // Somebody may have made the volume since the group was listed: then nothing is astray.
    refuseExisting((await volumesOf(host, vg.uuid)) ?? [], name);
    throw new RefusedError(`${path} is there, though lvm has no ${vg.name}/${name}`, {
      remedy: `see what it is (dmsetup info, ls -l) and remove it`,
    });
  }
}

/** What the kernel knows a volume by, whatever it is called there (dm uuid: `LVM-`, both uuids without their hyphens). */
export function identityOfVolume({ vgUuid, uuid }: LogicalVolume): string {
  return `LVM-${vgUuid}${uuid}`.replaceAll('-', '').replace(/^LVM/, 'LVM-');
}

/** Does a path lead to the very device of this identity? */
export async function leadsTo(host: ReadHost, path: string, identity: string): Promise<boolean> {
  try {
    return (await identityOf(host, path)).identity === identity;
  } catch (error) {
    if (error instanceof RefusedError) return false;
    if (error instanceof CommandError && error.reason === 'not-found') return false;
    throw error;
  }
}

function refuseExisting(volumes: readonly LogicalVolume[], name: string): void {
  const there = volumes.find((lv) => lv.name === name);
  if (there === undefined) return;
  const what = `uuid ${there.uuid}, ${formatSize(there.size)}`;
  throw new RefusedError(`${there.fullName} exists already (${what})`, { remedy: takenRemedy(there.tags) });
}
