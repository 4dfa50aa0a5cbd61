import { classifyDevice } from '../../blockdevice/index.ts';
import type { Answer, Command } from '../../command/index.ts';

/** The types that bofh repairs. */
export const repairable = ['ext2', 'ext3', 'ext4', 'xfs', 'vfat'] as const;

export type Repairable = (typeof repairable)[number];

/**
 * Whether the repair program of this type asks questions, so that safe repairs and answers of yes
 * are separate.
 */
export function asks(type: Repairable): boolean {
  return type !== 'xfs' && type !== 'vfat';
}

/** The result of a repair; only another check shows whether the filesystem is clean. */
interface Repaired {
  /**
   * `left`: stopped where an administrator must decide. `unplayed`: did nothing because the log has
   * changes. `mounted`: the filesystem was mounted meanwhile.
   */
  readonly state: 'ended' | 'left' | 'unplayed' | 'mounted';
  /** Output, line by line. */
  readonly output: readonly string[];
}

/**
 * Repairs an unmounted filesystem. `safe`: what e2fsck repairs without a question. `yes`: answers
 * each question with yes, and files may be lost. The programs of the other types ask nothing and
 * may lose files too. If killed at any write, each program continues when run again (ADR 18).
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
      // A sum of flags (e2fsck(8)): 1 repaired, 2 reboot, 4 errors are left. With 8 or more the
      // check itself failed.
      return {
        ...{ ...base, tool: 'e2fsck', argv: ['-f', answers === 'yes' ? '-y' : '-p', device] },
        accepts: [0, 1, 2, 3, 4, 5, 6, 7],
        parse: (answer) => ({ state: ofExt(answer.exitCode), output: linesOf(answer) }),
      };
    case 'xfs':
      // Exit code 2: the log is dirty; 1: it could not continue (xfs_repair(8)).
      return {
        ...{ ...base, tool: 'xfs_repair', argv: [device] },
        accepts: [0, 2],
        parse: (answer) => ({ state: answer.exitCode === 2 ? 'unplayed' : 'ended', output: linesOf(answer) }),
      };
    case 'vfat':
      // Exit code 1: found and repaired something (fsck.fat(8)); 6: could not open the device
      // (4.2).
      return {
        ...{ ...base, tool: 'fsck.vfat', argv: ['-a', device] },
        accepts: [0, 1],
        parse: (answer) => ({ state: 'ended', output: linesOf(answer) }),
      };
  }
}

function ofExt(exitCode: number): Repaired['state'] {
  if ((exitCode & 4) !== 0) return 'left';
  // FSCK_REBOOT is set for a mounted filesystem only (e2fsck/unix.c, 1.47).
  return (exitCode & 2) === 0 ? 'ended' : 'mounted';
}

function linesOf({ stdout, stderr }: Answer): readonly string[] {
  return `${stdout}\n${stderr}`.split('\n').filter((line) => line.trim() !== '');
}
