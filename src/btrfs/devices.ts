import { posix } from 'node:path';
import { deviceNode, kernelText, type MountEntry, type Signature } from '../blockdevice/index.ts';
import { inShell, type ReadHost } from '../command/index.ts';
import { RefusedError } from '../core/errors.ts';
import { type BtrfsSuperblock, btrfsSuperblock } from '../filesystem/index.ts';
import { refuseFullBeneath, watchingRoom } from '../lvm/index.ts';
import { formatSize } from '../core/units.ts';
import { anyRoot } from './place.ts';
import { filesystemUsage } from './usage-commands.ts';

/** A device of a filesystem, with its superblock. */
export interface Member extends BtrfsSuperblock {
  readonly path: string;
}

/**
 * Returns the devices of a mounted filesystem, from the kernel. RefusedError if it is not mounted.
 */
export async function membersOf(host: ReadHost, fs: string): Promise<readonly Member[]> {
  const members: Member[] = [];
  for (const name of await kernelMembers(host, fs)) {
    const path = `/dev/${name.replaceAll('!', '/')}`;
    members.push({ path, ...(await host.run(btrfsSuperblock(path))) });
  }
  return members;
}

/**
 * RefusedError if a device is on a full thin pool or snapshot: the kernel may write to each device.
 */
export async function refuseFullMembers(
  host: ReadHost,
  fs: string,
  what: string,
  /** Path of a device that will be removed: nothing more is written to it. */
  { except }: { readonly except?: string } = {},
): Promise<void> {
  for (const path of await memberPaths(host, fs, except)) await refuseFullBeneath(host, path, what);
}

/**
 * Runs a long write to a filesystem, and stops the write if the space beneath one of its devices
 * runs out.
 */
export async function watchingMembers<T>(
  host: ReadHost,
  { fs, what, except }: { readonly fs: string; readonly what: string; readonly except?: string },
  act: (signal: AbortSignal | undefined) => Promise<T>,
): Promise<T> {
  return watchingRoom(host, { devices: await memberPaths(host, fs, except), what }, act);
}

async function memberPaths(host: ReadHost, fs: string, except?: string): Promise<readonly string[]> {
  const number = except === undefined ? undefined : (await deviceNode(host, except)).number;
  const paths = (await kernelMembers(host, fs)).map((name) => `/dev/${name.replaceAll('!', '/')}`);
  const others: string[] = [];
  for (const path of paths) if ((await deviceNode(host, path)).number !== number) others.push(path);
  return others;
}

/**
 * Whether a device belongs to a filesystem. Compares the kernel name, whatever path leads to the
 * device.
 */
export async function isMember(
  host: ReadHost,
  { fs, device }: { readonly fs: string; readonly device: string },
): Promise<boolean> {
  const { number } = await deviceNode(host, device);
  const name = posix.basename(await host.readLink(`/sys/dev/block/${number}`));
  return (await kernelMembers(host, fs)).includes(name);
}

async function kernelMembers(host: ReadHost, fs: string): Promise<readonly string[]> {
  await anyRoot(host, fs);
  return host.readDir(`/sys/fs/btrfs/${fs}/devices`);
}

/**
 * RefusedError while another exclusive operation of the filesystem runs. During a paused balance,
 * only devices can be added.
 */
export async function refuseExclusive(
  host: ReadHost,
  { fs, mounted }: { readonly fs: string; readonly mounted: string },
  except: readonly string[] = [],
): Promise<void> {
  // Exists since Linux 5.10; an older kernel refuses the operation itself.
  const now = await kernelText(host, `/sys/fs/btrfs/${fs}/exclusive_operation`);
  if (now === undefined || now === 'none' || except.includes(now)) return;
  if (now === 'balance paused')
    throw new RefusedError(`a balance of ${mounted} is paused`, {
      remedy: `continue it: btrfs balance resume ${mounted}; or end it: btrfs balance cancel ${mounted}`,
    });
  throw new RefusedError(`another operation runs on ${mounted}: ${now}`, {
    remedy: `wait until it ends: bofh btrfs ${now.startsWith('balance') ? 'balance status' : 'device list'} ${mounted}`,
  });
}

/** RefusedError for a filesystem that is mounted read-only. */
export function refuseReadOnly(mount: MountEntry): void {
  if (!mount.superOptions.split(',').includes('ro')) return;
  throw new RefusedError(`the btrfs on ${mount.path} is mounted read-only`, {
    remedy: `mount -o remount,rw ${mount.path}`,
  });
}

/**
 * RefusedError for a device with a copy of the filesystem: bofh would mistake it for the new device
 * before the step ran, and btrfs cannot distinguish it from its own devices either.
 */
export function refuseCopy(
  device: string,
  { fs, before }: { readonly fs: string; readonly before: Signature | undefined },
): void {
  if (before?.type !== 'btrfs' || before.uuid !== fs) return;
  throw new RefusedError(`${device} contains a copy of the same filesystem, or was one of its devices`, {
    code: 'has-data',
    remedy: `if it is unused, erase its signature first: bofh block wipe ${device} --overwrite ${fs}`,
  });
}

/**
 * The minimum number of devices for each profile. btrfs_raid_array of fs/btrfs/volumes.c, since
 * Linux 5.15.
 */
const fewest: Readonly<Record<string, number>> = {
  ...{ single: 1, DUP: 1, RAID0: 1, RAID1: 2, RAID10: 2, RAID1C3: 3, RAID1C4: 4, RAID5: 2, RAID6: 3 },
};

/**
 * RefusedError if the filesystem needs the device. Only the kernel knows exactly whether the data
 * fits on the other devices; this function refuses if all data of the filesystem exceeds their
 * size.
 */
export async function refuseNeededDevice(
  host: ReadHost,
  {
    fs,
    mounted,
    device,
    uuid,
  }: { readonly fs: string; readonly mounted: string; readonly device: string; readonly uuid: string },
): Promise<void> {
  const members = await membersOf(host, fs);
  const others = members.filter(({ deviceUuid }) => deviceUuid !== uuid);
  const { spaces, missing, used } = await host.run(filesystemUsage(await anyRoot(host, fs)));
  if (others.length === 0)
    throw new RefusedError(`the btrfs on ${mounted} has no other device`, {
      remedy: `add another one first: bofh btrfs device add ${inShell(mounted)} DEVICE; or unmount the filesystem: umount ${inShell(mounted)}; then wipe it: bofh block wipe ${device} --overwrite ${fs}`,
    });
  if (missing > 0)
    throw new RefusedError(`devices of the btrfs on ${mounted} are missing`, {
      remedy: `attach or replace them first; to see them: bofh btrfs device list ${mounted}`,
    });
  for (const { kind, profile } of spaces) {
    const needs = fewest[profile];
    if (needs === undefined || others.length < needs)
      throw new RefusedError(
        `${kind} of ${mounted} is ${profile}, which needs ${needs ?? 'an unknown number of'} devices; ${others.length} would be left`,
        {
          remedy: `add another device first: bofh btrfs device add ${mounted} DEVICE; or convert the profiles: btrfs balance start -dconvert=PROFILE -mconvert=PROFILE ${mounted}`,
        },
      );
  }
  const left = others.reduce((sum, { size }) => sum + size, 0);
  if (used > left)
    throw new RefusedError(
      `${mounted} contains ${formatSize(used)}, but its other devices have only ${formatSize(left)}`,
      { code: 'no-space', remedy: 'delete data that is no longer needed, or add another device first' },
    );
}
