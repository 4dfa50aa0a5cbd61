import { bytesAt, streamMagic } from '../blockdevice/index.ts';
import type { ReadHost } from '../command/index.ts';
import { ParseError, RefusedError } from '../core/errors.ts';
import { printedPath } from './text.ts';

/** The first command of a send stream: the subvolume that was sent. */
export interface StreamHead {
  /** The name under which btrfs receives it. */
  readonly name: string;
  /**
   * Received UUID of the new subvolume: the UUID of its source, or the received UUID of the source.
   */
  readonly uuid: string;
  /** For an incremental stream: the received UUID, or UUID, of the subvolume that it requires. */
  readonly parentUuid: string | undefined;
}

/** First bytes of a stream, followed by a version of four bytes. */
const magic = streamMagic;
/** The command that ends a stream, with its checksum. It has no data, so it is always the same. */
const end = [0, 0, 0, 0, 21, 0, 0x50, 0x6c, 0xc9, 0x9d];
/** More than the first command can need: a name of 255 bytes, two UUIDs, two generations. */
const headBytes = 512;

const firstCommand = { subvolume: 1, snapshot: 2 };
const attribute = { uuid: 1, path: 15, cloneUuid: 20 };

/**
 * Returns the first command of a stream in a file, without reading the rest. RefusedError if the
 * file is not a stream or has no end: `btrfs send` was killed, or is still writing it.
 */
export async function streamIn(
  host: ReadHost,
  { path, size }: { readonly path: string; readonly size: number },
): Promise<StreamHead> {
  if (size < magic.length + 4 + end.length) throw noStream(path);
  const head = await host.run(bytesAt(path, { from: 0, count: Math.min(size, headBytes) }));
  const tail = await host.run(bytesAt(path, { from: size - end.length, count: end.length }));
  const found = streamHead(head);
  if (found === undefined) throw noStream(path);
  if (end.some((byte, at) => tail.getUint8(at) !== byte))
    throw new RefusedError(`${path} is incomplete: the end of the stream of btrfs send is missing`, {
      remedy: 'send it again; if it is being written, wait until it is complete',
    });
  return found;
}

/**
 * Like `streamIn`, for a stream on a device. Does not check its end: only `btrfs receive` can find
 * out whether it is complete.
 */
export async function streamOn(host: ReadHost, device: string): Promise<StreamHead | undefined> {
  return streamHead(await host.run(bytesAt(device, { from: 0, count: headBytes })));
}

/**
 * Returns the first command. Undefined if the bytes do not begin a stream. ParseError if the
 * command must not be the first one.
 */
export function streamHead(bytes: DataView): StreamHead | undefined {
  const text = (from: number, length: number): string =>
    Buffer.from(bytes.buffer, bytes.byteOffset + from, length).toString('latin1');
  if (bytes.byteLength < magic.length + 14 || text(0, magic.length) !== magic) return undefined;
  const begin = magic.length + 4;
  const version = bytes.getUint32(magic.length, true);
  const length = bytes.getUint32(begin, true);
  const command = bytes.getUint16(begin + 4, true);
  const stop = begin + 10 + length;
  if (stop > bytes.byteLength) throw new ParseError('the first command of the stream is cut off');
  const found = new Map<number, string>();
  for (let at = begin + 10; at < stop; ) {
    if (at + 4 > stop) throw new ParseError('an attribute of the stream is cut off');
    const [type, size] = [bytes.getUint16(at, true), bytes.getUint16(at + 2, true)];
    if (at + 4 + size > stop) throw new ParseError('an attribute of the stream is cut off');
    found.set(type, text(at + 4, size));
    at += 4 + size;
  }
  const [path, own, parent] = [attribute.path, attribute.uuid, attribute.cloneUuid].map((type) =>
    found.get(type),
  );
  const isSnapshot = command === firstCommand.snapshot;
  const isWhole = command === firstCommand.subvolume || (isSnapshot && parent !== undefined);
  if (version < 1 || version > 3 || !isWhole || path === undefined || own === undefined)
    throw new ParseError(`a stream of version ${version} does not begin with the command ${command}`);
  return { name: nameOf(path), uuid: uuidOf(own), parentUuid: isSnapshot ? uuidOf(parent) : undefined };
}

function nameOf(latin1: string): string {
  const { path, shown } = printedPath(latin1);
  if (path === undefined || ['', '.', '..'].includes(path) || /[/\0]/.test(path))
    throw new ParseError(`the name of the subvolume in the stream is not valid: ${JSON.stringify(shown)}`);
  return path;
}

function uuidOf(latin1 = ''): string {
  const hex = Buffer.from(latin1, 'latin1').toString('hex');
  const parts = /^(.{8})(.{4})(.{4})(.{4})(.{12})$/.exec(hex)?.slice(1);
  if (parts === undefined) throw new ParseError(`a UUID of the stream has ${latin1.length} bytes`);
  return parts.join('-');
}

export function noStream(path: string): RefusedError {
  return new RefusedError(`${path} is not a stream of btrfs send`, {
    remedy: 'name a file or device that holds a send stream; decompress a compressed file first',
  });
}
