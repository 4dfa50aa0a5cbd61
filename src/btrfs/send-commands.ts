import { classifyDevice } from '../blockdevice/index.ts';
import { type Command, nothing } from '../command/index.ts';
import type { Bytes } from '../core/units.ts';
import { classify } from './commands.ts';

/**
 * `btrfs send` of a read-only subvolume, to its standard output, or into a file, which it truncates. With a parent only what
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
 * Standard input onto a device from its first byte on, and no more than so many bytes: what comes then is left in the pipe, and dd
 * ends with 0. `btrfs send -f` would write up to the last byte.
 */
export function ontoDevice(device: string, most: Bytes): Command<void, 'change'> {
  const how = ['bs=1M', 'iflag=fullblock,count_bytes', `count=${most}`];
  return {
    tool: 'dd',
    argv: [`of=${device}`, ...how, 'conv=nocreat,notrunc,fsync', 'status=none'],
    access: 'change',
    stop: 'safe',
    parse: nothing,
    classify: classifyDevice,
  };
}

/**
 * `btrfs receive` into a directory, from its standard input or a file. It makes the subvolume there under the name that the
 * stream has, writable until all of it is there; ended half-way it leaves that.
 */
export function receive(into: {
  readonly directory: string;
  readonly file?: string;
  /** A device goes on behind the stream: then it ends with its own last command, and what follows is not read. */
  readonly from?: 'device';
}): Command<void, 'change'> {
  const file = into.file === undefined ? [] : ['-f', into.file];
  const end = into.from === 'device' ? ['-e'] : [];
  return {
    tool: 'btrfs',
    argv: ['receive', ...end, ...file, into.directory],
    access: 'change',
    stop: 'safe',
    parse: nothing,
    classify,
  };
}
