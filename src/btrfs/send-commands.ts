import { type Command, nothing } from '../command/index.ts';
import { classify } from './commands.ts';

/**
 * `btrfs send` of a read-only subvolume, to its standard output or into a file, which it truncates. With a parent only what
 * differs from that. It changes nothing of the filesystem; ended half-way it leaves a stream without its end, which
 * `btrfs receive` refuses (6.2: "unexpected EOF in stream").
 */
export function send(of: {
  readonly source: string;
  readonly parent?: string | undefined;
  readonly file?: string;
}): Command<void, 'change'> {
  const parent = of.parent === undefined ? [] : ['-p', of.parent];
  const file = of.file === undefined ? [] : ['-f', of.file];
  return {
    tool: 'btrfs',
    argv: ['send', ...parent, ...file, of.source],
    access: 'change',
    stop: 'safe',
    parse: nothing,
    classify,
  };
}

/**
 * `btrfs receive` into a directory, from its standard input or a file. It makes the subvolume there under the name that the
 * stream has, writable until all of it is there; ended half-way it leaves that.
 */
export function receive(into: {
  readonly directory: string;
  readonly file?: string;
}): Command<void, 'change'> {
  const file = into.file === undefined ? [] : ['-f', into.file];
  return {
    tool: 'btrfs',
    argv: ['receive', ...file, into.directory],
    access: 'change',
    stop: 'safe',
    parse: nothing,
    classify,
  };
}
