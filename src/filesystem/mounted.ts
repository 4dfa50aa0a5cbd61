import { posix } from 'node:path';
import { mountEntries, type MountEntry, mountsOn, visible } from '../blockdevice/index.ts';
import { type ChangeHost, inShell, type ReadHost } from '../command/index.ts';
import { CommandError, RefusedError } from '../core/errors.ts';
import { mountPrivately, umountPrivate } from './commands/other.ts';

/** Whether one of these mounts is writable. */
export function isWritable({ options, superOptions }: MountEntry): boolean {
  const has = (words: string): boolean => words.split(',').includes('rw');
  return has(options) && has(superOptions);
}

/** The directory for temporary mounts of bofh: mode 0700, on a filesystem that a reboot empties. */
const privateMounts = '/run/bofh/mnt';

/** Returns the private directory of a step. */
export function privatePath(mark: string): string {
  return posix.join(privateMounts, mark);
}

/** A filesystem to mount, and the step that mounts it if it is not mounted. */
interface Reached {
  readonly device: string;
  readonly type: 'xfs' | 'btrfs';
  readonly mark: string;
}

/**
 * Does work that needs a mounted filesystem: at its mount point, or on a private directory that is
 * removed afterwards in any case. Uses, and then removes, a mount that a killed run has left there.
 */
export async function whereMounted(
  host: ChangeHost,
  of: Reached,
  act: (path: string) => Promise<void>,
): Promise<void> {
  const own = privatePath(of.mark);
  const mounts = (await mountsOn(host, of.device)).filter(({ path }) => path !== own);
  const writable = await visible(host, mounts.filter(isWritable));
  if (writable !== undefined) {
    await clearPrivate(host, of.mark);
    await act(writable.path);
    return;
  }
  if (mounts.length > 0) throw readOnly(of.device, mounts);
  await makePrivate(host, of);
  try {
    await act(own);
  } finally {
    await clearPrivate(host, of.mark);
  }
}

/** The error for a filesystem whose mounts are all read-only or hidden by other mounts. */
export function readOnly(device: string, mounts: readonly MountEntry[]): RefusedError {
  const path = mounts[0]?.path ?? '';
  return new RefusedError(`${device} is mounted read-only, or where another mount hides it (${path})`, {
    remedy: `mount -o remount,rw ${inShell(path)}; or umount ${inShell(path)}`,
  });
}

async function makePrivate(host: ChangeHost, { device, type, mark }: Reached): Promise<void> {
  const path = privatePath(mark);
  for (const [directory, mode] of [
    [posix.dirname(privateMounts), 0o711],
    [privateMounts, 0o700],
    [path, 0o700],
  ] as const)
    if ((await host.stat(directory)) === undefined) await makeDirectory(host, directory, mode);
  if ((await mountEntries(host)).some((entry) => entry.path === path)) return;
  await host.run(mountPrivately({ device, path, type }));
}

async function makeDirectory(host: ChangeHost, path: string, mode: number): Promise<void> {
  try {
    await host.makeDir(path, { mode });
  } catch (error) {
    // Another bofh process created it first.
    if (!(error instanceof CommandError && error.reason === 'exists')) throw error;
  }
}

/** Removes the private mount of a step and its directory. */
export async function clearPrivate(host: ChangeHost, mark: string): Promise<void> {
  const path = privatePath(mark);
  if ((await host.stat(path)) === undefined) return;
  if ((await mountEntries(host)).some((entry) => entry.path === path)) await host.run(umountPrivate(path));
  await host.removeDir(path);
}

/** Whether the private mount or its directory still exists. */
export async function hasPrivate(host: ReadHost, mark: string): Promise<boolean> {
  return (await host.stat(privatePath(mark))) !== undefined;
}
