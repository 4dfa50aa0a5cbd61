import {
  busyWith,
  describeMount,
  type MountEntry,
  mountEntries,
  mountHolders,
} from '../blockdevice/index.ts';
import type { ChangeHost } from '../command/index.ts';
import { CommandError, type Holder } from '../core/errors.ts';
import { umount } from './commands.ts';
import { describe, mountOver, mountsOn } from './table.ts';

/**
 * Unmounts exactly this mount, or finds it gone. umount(2) takes a path and unmounts the topmost
 * mount there, so it is only called while that is the right one. CommandError `busy`, after all
 * retries, names all holders.
 */
export async function unmount(host: ChangeHost, mount: MountEntry): Promise<void> {
  const before = await mountEntries(host);
  if (!before.some(is(mount))) return;
  if (mountsOn(before, mount).length > 0) throw await busy(host, mount);
  // Uses the mount table, which does not have the numbers that stat(2) returns for a btrfs
  // subvolume.
  if (mountOver(before, mount.path)?.id !== mount.id)
    throw busyWith(failed(mount), { what: describe(mount), holders: hiding(before, mount) });
  let failure: unknown;
  try {
    await host.run(umount(mount.path));
  } catch (error) {
    failure = error;
  }
  // umount exits with 32 for every failure, so the kernel's table decides.
  if (!(await mountEntries(host)).some(is(mount))) return;
  if (failure instanceof CommandError && failure.reason !== 'busy') throw failure;
  throw await busy(host, mount, failure);
}

function is(mount: MountEntry): (other: MountEntry) => boolean {
  return ({ id, device, path }) => id === mount.id && device === mount.device && path === mount.path;
}

async function busy(host: ChangeHost, mount: MountEntry, cause?: unknown): Promise<CommandError> {
  const error = cause instanceof CommandError ? cause : failed(mount, cause);
  return busyWith(error, { what: describe(mount), holders: await mountHolders(host, mount) });
}

function failed(mount: MountEntry, cause?: unknown): CommandError {
  const { tool, argv } = umount(mount.path);
  return new CommandError({ tool, argv, reason: 'busy', cause });
}

/** Returns the mount that hides another one: at its path, or at a directory above it. */
function hiding(entries: readonly MountEntry[], { path }: MountEntry): readonly Holder[] {
  const top = mountOver(entries, path);
  if (top !== undefined) return [{ ...describeMount(top), words: `${describe(top)}, which hides it` }];
  return [{ kind: 'unknown', words: 'another mount hides it: unmount that first' }];
}
