import { type MountEntry, mountEntries } from '../blockdevice/index.ts';
import type { ChangeHost } from '../command/index.ts';
import { CommandError } from '../errors.ts';
import { umount } from './commands.ts';
import { describe, mountsOn } from './table.ts';

/**
 * Unmounts exactly this mount, or finds it gone. umount(2) takes a path and hits whatever is topmost there, so it is
 * asked only while that is the one meant. CommandError `busy` names what stands on it, as far as the kernel tells.
 */
export async function unmount(host: ChangeHost, mount: MountEntry): Promise<void> {
  const before = await mountEntries(host);
  if (!before.some(is(mount))) return;
  const above = mountsOn(before, mount);
  if (above.length > 0) throw busy(mount, `it carries ${above.map(describe).join(', ')}`);
  if ((await host.stat(mount.path))?.device !== mount.device)
    throw busy(mount, 'another mount hides it: unmount that first');
  let failure: unknown;
  try {
    await host.run(umount(mount.path));
  } catch (error) {
    failure = error;
  }
  // Every failure of umount is exit 32, so the kernel's table decides.
  const after = await mountEntries(host);
  if (!after.some(is(mount))) return;
  const late = mountsOn(after, mount);
  if (late.length > 0) throw busy(mount, `it carries ${late.map(describe).join(', ')}`, failure);
  throw busy(mount, 'a process works in it or has a file of it open (fuser -vm names it)', failure);
}

function is(mount: MountEntry): (other: MountEntry) => boolean {
  return ({ id, device, path }) => id === mount.id && device === mount.device && path === mount.path;
}

function busy(mount: MountEntry, why: string, cause?: unknown): CommandError {
  if (cause instanceof CommandError && cause.reason !== 'busy') return cause;
  const { tool, argv } = umount(mount.path);
  return new CommandError({ tool, argv, reason: 'busy', what: `${describe(mount)} is busy: ${why}`, cause });
}
