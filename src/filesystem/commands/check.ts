import { classifyDevice } from '../../blockdevice/index.ts';
import type { ReadCommand, Tool } from '../../command/index.ts';
import { ParseError } from '../../core/errors.ts';

/** What a check has found. */
interface Checked {
  /** `unplayed`: its journal holds changes, and it may be wrong in either direction. `not checked`: something else failed. */
  readonly state: 'clean' | 'errors' | 'unplayed' | 'not checked';
  /** What the checker wrote, line by line. */
  readonly said: readonly string[];
}

/** The types that can be checked. */
export type Checkable = 'ext2' | 'ext3' | 'ext4' | 'xfs' | 'btrfs' | 'vfat';

interface Checker {
  readonly tool: Tool;
  readonly words: readonly string[];
  /** The exit code of one that has errors. 4 of e2fsck, with 8 where it could not read on; 1 of the others. */
  readonly errors: readonly number[];
  /** A line of what it prints when it has come to its end; exit 0 without it is not understood. */
  readonly ended: RegExp;
  /** Words of an answer with such a code that is no finding: it has not checked at all. */
  readonly failed: RegExp;
  /** It did not look at what stands in the journal, and so may be wrong in either direction. */
  readonly unplayed: RegExp;
}

const never = /(?!)/;
const e2fsck: Checker = {
  tool: 'e2fsck',
  words: ['-f', '-n'],
  errors: [4, 12],
  ended: /^.*: \d+\/\d+ files \(\d+\.\d% non-contiguous\), \d+\/\d+ blocks$/m,
  failed: never,
  unplayed: /skipping journal recovery/,
};

const checkers: Readonly<Record<Checkable, Checker>> = {
  ext2: e2fsck,
  ext3: e2fsck,
  ext4: e2fsck,
  xfs: {
    ...{ tool: 'xfs_repair', words: ['-n'], errors: [1] },
    // Phase 5 on stdout; the last line, after two more phases, on stderr.
    ended:
      /^No modify flag set, skipping phase 5$[^]*^No modify flag set, skipping filesystem flush and exiting\.$/m,
    failed: /fatal error|contains a mounted/,
    unplayed: /valuable metadata changes in a log/,
  },
  btrfs: {
    ...{ tool: 'btrfs', words: ['check', '--readonly'], errors: [1] },
    ended: /^found \d+ bytes used, no error found$/m,
    failed: /is currently mounted|cannot open|No valid Btrfs/,
    unplayed: never,
  },
  vfat: {
    ...{ tool: 'fsck.vfat', words: ['-n', '-v'], errors: [1] },
    ended: /^.*: \d+ files, \d+\/\d+ clusters$/m,
    failed: never,
    unplayed: never,
  },
};

/** Reads a filesystem that is not mounted through, and changes nothing. A large one takes hours. */
export function checkOf(type: Checkable, device: string): ReadCommand<Checked> {
  const { tool, words, errors, ended, failed, unplayed } = checkers[type];
  return {
    tool,
    argv: [...words, device],
    access: 'read',
    accepts: [0, ...errors],
    timeoutMs: 24 * 3_600_000,
    parse: (answer) => {
      const text = `${answer.stdout}\n${answer.stderr}`;
      const said = text.split('\n').filter((line) => line.trim() !== '');
      if (answer.exitCode !== 0 && failed.test(text)) return { state: 'not checked', said };
      if (unplayed.test(text)) return { state: 'unplayed', said };
      if (answer.exitCode !== 0) return { state: 'errors', said };
      if (!ended.test(text))
        throw new ParseError(`${tool} ends with 0 and does not say that it has come to its end`);
      return { state: 'clean', said };
    },
    classify: classifyDevice,
  };
}
