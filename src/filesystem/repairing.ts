import { holders, namingHolders, refuseHeld } from '../blockdevice/index.ts';
import type { ChangeHost, ReadHost } from '../command/index.ts';
import { RefusedError } from '../core/errors.ts';
import { checkOf } from './commands/check.ts';
import { dumpe2fs } from './commands/ext.ts';
import { asks, type Repairable, repairOf } from './commands/repair.ts';

/** A filesystem to repair. */
export interface ToRepair {
  readonly type: Repairable;
  /** Whether to answer the questions of the repair with yes. */
  readonly files: 'are kept' | 'may be lost';
}

interface Examined {
  readonly state: 'clean' | 'errors' | 'unplayed';
  readonly output: readonly string[];
}

/** Checks an unused filesystem without changing it. */
export async function examine(host: ReadHost, path: string, type: Repairable): Promise<Examined> {
  const { state, output } = await host.run(checkOf(type, path));
  if (state === 'not checked')
    throw new RefusedError(`${path} was not checked: ${output.at(-1) ?? ''}`, {
      remedy: `see its holders: lsblk ${path}`,
    });
  // e2fsck -n (1.47) ignores the state in the superblock, which shows an error that the kernel met,
  // or an unclean unmount.
  if (state === 'clean' && asks(type) && (await host.run(dumpe2fs(path))).state !== 'clean')
    return { state: 'errors', output };
  return { state, output };
}

/** RefusedError for a clean filesystem, and for an xfs whose log xfs_repair would not replay. */
export async function refuseSound(host: ReadHost, path: string, type: Repairable): Promise<void> {
  const { state } = await examine(host, path, type);
  if (state === 'clean')
    throw new RefusedError(`the ${type} on ${path} is clean: there is nothing to repair`, {
      remedy: 'nothing has to be done; if its device gave errors, see why: dmesg',
    });
  if (state === 'unplayed' && type === 'xfs') throw unplayed(path);
}

/**
 * Repairs a filesystem once; another check shows whether it is clean then. Its RefusedError names
 * the errors that are left.
 */
export async function runRepair(host: ChangeHost, path: string, { type, files }: ToRepair): Promise<void> {
  await refuseHeld(host, path, await holders(host, path));
  const run = (answers: 'safe' | 'yes') =>
    namingHolders(host, path, () => host.run(repairOf(type, path, answers)));
  let { state, output } = await run('safe');
  if (state === 'left' && files === 'may be lost') ({ state, output } = await run('yes'));
  if (state === 'unplayed') throw unplayed(path);
  if (state === 'mounted')
    throw new RefusedError(
      `${path} was mounted while it was repaired, so the kernel has outdated data of it in memory`,
      {
        remedy: 'reboot this host; then: bofh recover',
      },
    );
  if (state === 'left')
    throw new RefusedError(
      `${path} has errors that e2fsck does not repair without a question: ${finding(output)}`,
      {
        remedy: `answer its questions: e2fsck -f ${path} (with -y it does not ask, and files may be lost); then: bofh recover`,
      },
    );
}

function unplayed(path: string): RefusedError {
  return new RefusedError(
    `${path}: the log of the xfs has changes that are not written yet, and a repair would lose them`,
    {
      remedy: `write them first: mount ${path} /mnt; umount /mnt; only if that fails, discard them: xfs_repair -L ${path}`,
    },
  );
}

/** Returns the last finding; e2fsck prints two more lines that are always the same. */
function finding(output: readonly string[]): string {
  const found = output.filter((line) => !/UNEXPECTED INCONSISTENCY|without -a or -p options/.test(line));
  return (found.at(-1) ?? output.at(-1) ?? '').trim();
}
