import { classifyDevice } from '../../blockdevice/index.ts';
import type { Answer, Command } from '../../command/index.ts';

/** The types that bofh repairs. */
export const repairable = ['ext2', 'ext3', 'ext4', 'xfs', 'vfat'] as const;

export type Repairable = (typeof repairable)[number];

/** Does a program of its own that mends the rest, which a person is asked about by the first, belong to this type? */
export function asks(type: Repairable): boolean {
  return type !== 'xfs' && type !== 'vfat';
}

/** What a repair says of itself; only another check tells whether the filesystem is clean. */
interface Repaired {
  /**
   * `left`: it stopped before what a person is to decide. `unplayed`: it does nothing as long as changes stand in the log.
   * `mounted`: it was mounted meanwhile.
   */
  readonly state: 'ended' | 'left' | 'unplayed' | 'mounted';
  /** What it wrote, line by line. */
  readonly said: readonly string[];
}

/**
 * Mends a filesystem that is not mounted. `safe` is what e2fsck does without a question; `yes` answers each of them so, and files
 * may be lost; so they may by the programs of the others, which ask nothing. Killed at any of its writes, each goes on from there when it is started again (ADR 18).
 */
export function repairOf(
  type: Repairable,
  device: string,
  answers: 'safe' | 'yes',
): Command<Repaired, 'change' | 'destroy'> {
  const access = answers === 'yes' || !asks(type) ? 'destroy' : 'change';
  const base = { access, classify: classifyDevice } as const;
  switch (type) {
    case 'ext2':
    case 'ext3':
    case 'ext4':
      // The sum of what holds (e2fsck(8)): 1 mended, 2 reboot, 4 errors are left. From 8 on it could not do its work.
      return {
        ...{ ...base, tool: 'e2fsck', argv: ['-f', answers === 'yes' ? '-y' : '-p', device] },
        accepts: [0, 1, 2, 3, 4, 5, 6, 7],
        parse: (answer) => ({ state: ofExt(answer.exitCode), said: linesOf(answer) }),
      };
    case 'xfs':
      // 2: the log is dirty; 1: it could not go on (xfs_repair(8)).
      return {
        ...{ ...base, tool: 'xfs_repair', argv: [device] },
        accepts: [0, 2],
        parse: (answer) => ({ state: answer.exitCode === 2 ? 'unplayed' : 'ended', said: linesOf(answer) }),
      };
    case 'vfat':
      // 1: it has found something, and mended it (fsck.fat(8)). What it cannot open ends with 6 (4.2).
      return {
        ...{ ...base, tool: 'fsck.vfat', argv: ['-a', device] },
        accepts: [0, 1],
        parse: (answer) => ({ state: 'ended', said: linesOf(answer) }),
      };
  }
}

function ofExt(exitCode: number): Repaired['state'] {
  if ((exitCode & 4) !== 0) return 'left';
  // FSCK_REBOOT is set for one that is mounted, and for no other (e2fsck/unix.c, 1.47).
  return (exitCode & 2) === 0 ? 'ended' : 'mounted';
}

function linesOf({ stdout, stderr }: Answer): readonly string[] {
  return `${stdout}\n${stderr}`.split('\n').filter((line) => line.trim() !== '');
}
