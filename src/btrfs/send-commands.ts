import { classifyDevice } from '../blockdevice/index.ts';
import { type Command, nothing } from '../command/index.ts';
import type { Bytes } from '../core/units.ts';
import { classify } from './commands.ts';

/**
 * `btrfs send` of a read-only subvolume, to stdout, or into a file, which it truncates. With a
 * parent, only the differences. Does not change the filesystem. An interrupted stream has no end,
 * and `btrfs receive` refuses it (6.2: "unexpected EOF in stream").
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
 * Copies stdin to a device from its first byte, up to a number of bytes: the rest stays in the
 * pipe, and dd exits with 0. `btrfs send -f` has no limit: it could overwrite the marker in the
 * last block.
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
 * `btrfs receive` into a directory, from stdin or a file. Creates the subvolume under the name in
 * the stream, writable until it is complete; if interrupted, the incomplete one remains.
 */
export function receive(into: {
  readonly directory: string;
  readonly file?: string;
  /**
   * Set for a device: it has other bytes after the stream, so btrfs stops at the end command of the
   * stream.
   */
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
