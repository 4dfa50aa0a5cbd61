import type { ReadHost } from '../command/index.ts';
import { RefusedError } from '../core/errors.ts';
import { filesystemDevices } from './device-commands.ts';
import { filesystemUsage } from './usage-commands.ts';
import { mountedFilesystems, nameSubvolume, placeOf } from './place.ts';
import { qgroupsOf, type Quota, quotaOf } from './quota.ts';
import * as reads from './reads.ts';
import { balanceStatus, scrubStatus } from './maintenance-commands.ts';
import type { Balance, Device, Qgroup, Scrub, Subvolume, SubvolumeRow, Usage } from './schema.ts';

export type { Balance, Device, Qgroup, Scrub, Subvolume, SubvolumeRow, Usage } from './schema.ts';
export type { Quota } from './quota.ts';
export { errorsIn } from './operations/scrub.ts';

/**
 * Lists every subvolume of the filesystem of a path, except its top level. Paths start at the top
 * level; a path that is not UTF-8 is missing, and `shown` contains it for display.
 */
export async function subvolumes(host: ReadHost, path: string): Promise<readonly SubvolumeRow[]> {
  return reads.subvolumes(host, (await placeOf(host, path)).path);
}

/**
 * Returns the paths of the subvolumes inside the one at a path, at any depth: in a snapshot of it
 * they are empty directories.
 */
export async function nestedSubvolumes(host: ReadHost, path: string): Promise<readonly string[]> {
  const { fs, path: whole } = await placeOf(host, path, nameSubvolume);
  const subvolume = await reads.subvolumeAt(host, whole);
  return subvolume === undefined
    ? []
    : (await reads.nestedIn(host, { fs, subvolume })).map(({ shown }) => shown);
}

/** Returns the subvolume at a path. RefusedError if the path is something else. */
export async function subvolume(host: ReadHost, path: string): Promise<Subvolume> {
  const place = await placeOf(host, path, nameSubvolume);
  const found = await reads.subvolumeAt(host, place.path);
  if (found !== undefined) return found;
  throw new RefusedError(`${path} is not a subvolume`, {
    remedy: `the subvolumes of its filesystem: bofh btrfs list ${place.mount.path}`,
  });
}

/** Returns the id of the subvolume that is mounted by default. */
export async function defaultSubvolume(host: ReadHost, path: string): Promise<number> {
  return reads.defaultOf(host, (await placeOf(host, path)).fs);
}

/**
 * Returns the subvolumes with bofh's private names, or in a directory with such a name, in every
 * mounted btrfs, by the root of one of its subvolumes; without those of `hiddenFilesystems`.
 */
export async function privateSubvolumes(
  host: ReadHost,
): Promise<readonly { readonly root: string; readonly name: string; readonly row: SubvolumeRow }[]> {
  const found = [];
  for (const root of (await mountedFilesystems(host)).values()) {
    if (root === undefined) continue;
    for (const row of await reads.subvolumes(host, root)) {
      const name = row.shown.split('/').find((part) => part.startsWith('.bofh-'));
      if (name !== undefined) found.push({ root, name, row });
    }
  }
  return found;
}

/** Returns the UUID of each btrfs of which only directories are mounted: its subvolumes cannot be listed. */
export async function hiddenFilesystems(host: ReadHost): Promise<readonly string[]> {
  return [...(await mountedFilesystems(host))].flatMap(([fs, root]) => (root === undefined ? [fs] : []));
}

/** Reads the space usage of the filesystem of a path. */
export async function usage(host: ReadHost, path: string): Promise<Usage> {
  return host.run(filesystemUsage((await placeOf(host, path)).path));
}

/** Lists the devices of the filesystem of a path, by devid; a missing one has no path. */
export async function devices(host: ReadHost, path: string): Promise<readonly Device[]> {
  const found = await host.run(filesystemDevices((await placeOf(host, path)).mount.path));
  return found.toSorted((one, other) => one.devid - other.devid);
}

/** Reads the last or running scrub of the filesystem of a path. */
export async function scrub(host: ReadHost, path: string): Promise<Scrub> {
  return host.run(scrubStatus((await placeOf(host, path)).mount.path));
}

/** Reads the running or paused balance of the filesystem of a path. */
export async function balance(host: ReadHost, path: string): Promise<Balance> {
  return host.run(balanceStatus((await placeOf(host, path)).mount.path));
}

/** Whether quotas are enabled on the filesystem of a path, and its quota groups. */
export async function quota(host: ReadHost, path: string): Promise<Quota> {
  return quotaOf(host, (await placeOf(host, path)).path);
}

/**
 * Lists its quota groups; CommandError while quotas are off. `quota` reports how exact the numbers
 * are.
 */
export async function qgroups(host: ReadHost, path: string): Promise<readonly Qgroup[]> {
  return (await qgroupsOf(host, (await placeOf(host, path)).path)).groups;
}
