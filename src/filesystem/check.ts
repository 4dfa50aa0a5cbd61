import { contentInWords, deviceNode, holders, probe, refuseHeld, refuseUsers } from '../blockdevice/index.ts';
import type { ReadHost } from '../command/index.ts';
import { RefusedError } from '../core/errors.ts';
import { type Checkable, checkOf } from './commands/check.ts';

/** The result of a read-only check. */
export interface FilesystemCheck {
  /** The device node. */
  readonly device: string;
  readonly type: Checkable;
  readonly uuid: string | null;
  readonly state: 'clean' | 'errors';
  /** Output of the checker, line by line. */
  readonly output: readonly string[];
}

const checkable = ['ext2', 'ext3', 'ext4', 'xfs', 'btrfs', 'vfat'] as const;

/**
 * Checks a filesystem without changing it. RefusedError if it is mounted or in use, or if its
 * journal holds changes that such a check cannot see: the result could be wrong.
 */
export async function check(host: ReadHost, device: string): Promise<FilesystemCheck> {
  const { path } = await deviceNode(host, device);
  const found = await probe(host, path);
  const type = checkable.find((each) => each === found?.type);
  if (type === undefined)
    throw new RefusedError(`${device} holds ${contentInWords(found)}, which bofh cannot check`, {
      remedy: `see what it is: blkid -p ${device}; lsblk ${device}`,
    });
  await refuseHeld(host, path, await holders(host, path));
  const { state, output } = await host.run(checkOf(type, path));
  if (state !== 'clean') await refuseUsers(host, path);
  if (state === 'unplayed')
    throw new RefusedError(`${device}: its journal has changes that a read-only check cannot see`, {
      remedy: `mount and unmount it, which writes them: mount ${device} /mnt; umount /mnt; then run the command again`,
    });
  if (state === 'not checked')
    throw new RefusedError(`${device} was not checked: ${output.at(-1) ?? ''}`, {
      remedy: `see its holders: lsblk ${device}`,
    });
  return { device: path, type, uuid: found?.uuid ?? null, state, output };
}
