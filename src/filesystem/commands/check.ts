import { classifyDevice } from '../../blockdevice/index.ts';
import type { ReadCommand, Tool } from '../../command/index.ts';
import { ParseError } from '../../core/errors.ts';

/** The result of a check. */
interface Checked {
  /**
   * `unplayed`: the journal has changes, so errors may be missing or wrongly reported. `not
   * checked`: something else failed.
   */
  readonly state: 'clean' | 'errors' | 'unplayed' | 'not checked';
  /** Output of the checker, line by line. */
  readonly output: readonly string[];
}

/** The types that can be checked. */
export type Checkable = 'ext2' | 'ext3' | 'ext4' | 'xfs' | 'btrfs' | 'vfat';

interface Checker {
  readonly tool: Tool;
  readonly words: readonly string[];
  /** Exit codes that mean errors. e2fsck: 4, with 8 if it could not continue; the others: 1. */
  readonly errors: readonly number[];
  /**
   * A line that shows that the check completed. An output without it could not be parsed, even with
   * exit code 0.
   */
  readonly ended: RegExp;
  /** A text that, with such an exit code, means that nothing was checked. */
  readonly failed: RegExp;
  /**
   * A text that means that the check ignored the journal, so errors may be missing or wrongly
   * reported.
   */
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
    // Phase 5 is on stdout; the last line, two phases later, is on stderr.
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

/** Checks an unmounted filesystem, read-only. A large one takes hours. */
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
      const output = text.split('\n').filter((line) => line.trim() !== '');
      if (answer.exitCode !== 0 && failed.test(text)) return { state: 'not checked', output };
      if (unplayed.test(text)) return { state: 'unplayed', output };
      if (answer.exitCode !== 0) return { state: 'errors', output };
      if (!ended.test(text))
        throw new ParseError(`${tool} exited with 0, but did not report that the check is complete`);
      return { state: 'clean', output };
    },
    classify: classifyDevice,
  };
}
