import { holders, namingHolders, refuseHeld } from '../blockdevice/index.ts';
import type { ChangeHost, ReadHost } from '../command/index.ts';
import { RefusedError } from '../core/errors.ts';
import { checkOf } from './commands/check.ts';
import { dumpe2fs } from './commands/ext.ts';
import { asks, type Repairable, repairOf } from './commands/repair.ts';

/** A filesystem that is to be repaired. */
export interface ToRepair {
  readonly type: Repairable;
  /** May what a person would be asked about be answered with yes? */
  readonly files: 'are kept' | 'may be lost';
}

interface Examined {
  readonly state: 'clean' | 'errors' | 'unplayed';
  readonly said: readonly string[];
}

/** Reads one that nobody uses through, and changes nothing. */
export async function examine(host: ReadHost, path: string, type: Repairable): Promise<Examined> {
  const { state, said } = await host.run(checkOf(type, path));
  if (state === 'not checked')
    throw new RefusedError(`${path} was not checked: ${said.at(-1) ?? ''}`, {
      remedy: `see who uses it: lsblk ${path}`,
    });
  // e2fsck -n passes over what the superblock says of itself: the kernel has met an error, or nobody has unmounted it (1.47).
  if (state === 'clean' && asks(type) && (await host.run(dumpe2fs(path))).state !== 'clean')
    return { state: 'errors', said };
  return { state, said };
}

/** RefusedError for one that is clean, and for an xfs whose log xfs_repair would not play back. */
export async function refuseSound(host: ReadHost, path: string, type: Repairable): Promise<void> {
  const { state } = await examine(host, path, type);
  if (state === 'clean')
    throw new RefusedError(`the ${type} on ${path} is clean: there is nothing to repair`, {
      remedy: 'nothing has to be done; dmesg tells why, if its device gave errors',
    });
  if (state === 'unplayed' && type === 'xfs') throw unplayed(path);
}

/** Repairs it once; whether it is clean then another look tells. RefusedError that says what is left. */
export async function mend(host: ChangeHost, path: string, { type, files }: ToRepair): Promise<void> {
  await refuseHeld(host, path, await holders(host, path));
  const run = (answers: 'safe' | 'yes') =>
    namingHolders(host, path, () => host.run(repairOf(type, path, answers)));
  let { state, said } = await run('safe');
  if (state === 'left' && files === 'may be lost') ({ state, said } = await run('yes'));
  if (state === 'unplayed') throw unplayed(path);
  if (state === 'mounted')
    throw new RefusedError(`${path} was mounted while it was repaired: what the kernel knows of it is old`, {
      remedy: 'boot this host anew; then bofh recover',
    });
  if (state === 'left')
    throw new RefusedError(
      `${path} has errors that are not mended without somebody who decides: ${finding(said)}`,
      {
        remedy: `e2fsck -f ${path} asks about each of them (with -y it asks nobody, and files may be lost); then bofh recover`,
      },
    );
}

function unplayed(path: string): RefusedError {
  return new RefusedError(
    `${path}: changes stand in the log of the xfs alone, and a repair would lose them`,
    {
      remedy: `mount it and unmount it first, which writes them; only if that fails, xfs_repair -L ${path} throws them away`,
    },
  );
}

/** The last that it has found; e2fsck ends with two lines that are always the same. */
function finding(said: readonly string[]): string {
  const found = said.filter((line) => !/UNEXPECTED INCONSISTENCY|without -a or -p options/.test(line));
  return (found.at(-1) ?? said.at(-1) ?? '').trim();
}
