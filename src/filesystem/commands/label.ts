import { classifyDevice } from '../../blockdevice/index.ts';
import { type Answer, type Command, nothing, type ReadCommand, type Tool } from '../../command/index.ts';
import { ParseError, type Reason } from '../../core/errors.ts';
import type { Makeable } from '../types.ts';
import { classify as classifyBtrfs } from './btrfs.ts';
import { classify as classifyXfs } from './xfs.ts';

/** Where to read or set a label: on a device, or at `path` while it is mounted. */
export interface LabelAt {
  readonly type: Makeable;
  readonly device: string;
  readonly path: string | undefined;
}

/**
 * Reads the exact label of a filesystem or swap area (blkid shows non-ASCII in caret notation);
 * null: none.
 */
export function labelOf({ type, device, path }: LabelAt): ReadCommand<string | null> {
  switch (type) {
    case 'ext2':
    case 'ext3':
    case 'ext4':
      return reading('e2label', [device], line, classifyDevice);
    case 'xfs':
      return path === undefined
        ? reading('xfs_db', ['-r', '-c', 'label', device], quoted, classifyXfs)
        : reading('xfs_io', ['-r', '-c', 'label', path], quoted, classifyXfs);
    case 'btrfs':
      return reading('btrfs', ['filesystem', 'label', path ?? device], line, classifyBtrfs);
    case 'vfat':
      // Without a label fatlabel prints nothing (4.2).
      return reading('fatlabel', [device], lineOrNone, classifyDevice);
    case 'swap':
      return reading('swaplabel', [device], ofSwap, classifyDevice);
  }
}

/** Sets another label, or removes it. A mounted xfs or btrfs must be named by its mount point. */
export function relabel({ type, device, path }: LabelAt, label: string | null): Command<void, 'change'> {
  switch (type) {
    case 'ext2':
    case 'ext3':
    case 'ext4':
      return changing('e2label', [device, label ?? ''], classifyDevice);
    case 'xfs':
      // The command of xfs_db that xfs_admin runs. xfs_admin itself is a shell script, whose shell
      // would parse the path. `--` means no label.
      if (path === undefined)
        return changing('xfs_db', ['-x', '-c', `label ${label ?? '--'}`, device], classifyXfs);
      return changing('xfs_io', ['-c', label === null ? 'label -c' : `label -s ${label}`, path], classifyXfs);
    case 'btrfs':
      return changing('btrfs', ['filesystem', 'label', path ?? device, label ?? ''], classifyBtrfs);
    case 'vfat':
      return changing('fatlabel', label === null ? ['--reset', device] : [device, label], classifyDevice);
    case 'swap':
      return changing('swaplabel', ['--label', label ?? '', device], classifyDevice);
  }
}

const line = /^(?<label>\P{Cc}*)\n$/u;
const lineOrNone = /^(?:(?<label>\P{Cc}+)\n)?$/u;
const quoted = /^label = "(?<label>[^"\p{Cc}]*)"\n$/u;
const ofSwap = /^(?:LABEL: (?<label>\P{Cc}+)\n)?UUID: {2}[0-9a-f-]{36}\n$/u;

function reading(
  tool: Tool,
  argv: readonly string[],
  pattern: RegExp,
  classify: (answer: Answer) => Reason,
): ReadCommand<string | null> {
  const parse = ({ stdout }: Answer): string | null => {
    const found = pattern.exec(stdout);
    // A label that is not UTF-8 could not be restored.
    if (found === null || stdout.includes('\ufffd'))
      throw new ParseError(`no label in ${JSON.stringify(stdout)}`);
    return found.groups?.label || null;
  };
  return { tool, argv, access: 'read', parse, classify };
}

/** Returns a command that changes something and prints nothing. */
export function changing(
  tool: Tool,
  argv: readonly string[],
  classify: (answer: Answer) => Reason,
): Command<void, 'change'> {
  return { tool, argv, access: 'change', parse: nothing, classify };
}
