import { type FileStat, follow, kindInWords, nameOf, orMissing, type ReadHost } from '../command/index.ts';
import { CommandError, ParseError, RefusedError, UsageError } from '../core/errors.ts';
import type { Bytes } from '../core/units.ts';
import { pathOfTag, tagIn } from './tag.ts';
import { checkText } from '../core/checks.ts';

/** A block device's node, with every symbolic link followed. */
export interface DeviceNode {
  readonly path: string;
  /** `major:minor` */
  readonly number: string;
}

/**
 * Returns the node that a path, a link or a tag leads to (`UUID=…`: by udev's links, or by probing
 * the devices if there is no udev). CommandError `not-found` if there is none, RefusedError if it
 * is not a block device.
 */
export async function deviceNode(host: ReadHost, device: string): Promise<DeviceNode> {
  checkText('the device', device);
  const tag = tagIn(device);
  const named = tag === undefined ? device : await pathOfTag(host, tag);
  if (named === undefined) throw notThere(device, device);
  if (!named.startsWith('/')) {
    const example = /^[\w.+-]+(?:\/[\w.+-]+)?$/.test(device) ? device : 'sdb';
    throw new UsageError(`"${device}" is not an absolute path, for example /dev/${example}`);
  }
  const { path, stat } = await follow(host, named);
  if (stat === undefined) throw notThere(device, path);
  if (stat.kind === 'block' && stat.node !== undefined) return { path, number: stat.node };
  throw new RefusedError(`${device} is not a block device but ${kindInWords(stat)}`, {
    remedy: 'name a block device; see them: lsblk',
  });
}

/** `major:minor` of the block device at a path; undefined if there is none, or not a block device. */
export async function numberAt(host: ReadHost, path: string): Promise<string | undefined> {
  return (await ifDevice(deviceNode(host, path)))?.number;
}

/** What a read of a device returns; undefined if there is no such device, or it is not a block device. */
export async function ifDevice<T>(read: Promise<T>): Promise<T | undefined> {
  try {
    return await orMissing(read);
  } catch (error) {
    if (error instanceof RefusedError) return undefined;
    throw error;
  }
}

/**
 * Returns the current size of a device in the kernel, which counts in units of 512 bytes, whatever
 * the sectors of the device are (linux/types.h, sector_t).
 */
export async function sizeOf(host: ReadHost, { number }: DeviceNode): Promise<Bytes> {
  const file = `/sys/dev/block/${number}/size`;
  const text = new TextDecoder().decode(await host.readFile(file));
  const bytes = /^\d+\n$/.test(text) ? Number(text) * 512 : Number.NaN;
  if (!Number.isSafeInteger(bytes)) throw new ParseError(`${file}: no size in ${JSON.stringify(text)}`);
  return bytes;
}

/** Returns the size of the block device at a path. */
export async function size(host: ReadHost, device: string): Promise<Bytes> {
  return sizeOf(host, await deviceNode(host, device));
}

/**
 * Like `host.stat`, but also undefined if this user may not access the path: then it is not a file of
 * this user. Root may access every path.
 */
export async function statIfVisible(host: ReadHost, path: string): Promise<FileStat | undefined> {
  try {
    return await host.stat(path);
  } catch (error) {
    if (error instanceof CommandError && error.reason === 'denied') return undefined;
    throw error;
  }
}

/**
 * Reads a kernel file without the newline at its end; undefined if this device has no such file.
 */
export async function kernelText(host: ReadHost, path: string): Promise<string | undefined> {
  const bytes = await host.readFile(path).catch((error: unknown) => {
    if (isGone(error)) return undefined;
    throw error;
  });
  return bytes === undefined ? undefined : nameOf(bytes).replace(/\n$/, '');
}

/**
 * Whether there is no such file, or the kernel is removing it: another process detached the device.
 */
function isGone(error: unknown): boolean {
  if (!(error instanceof CommandError)) return false;
  const { reason, cause } = error;
  return reason === 'not-found' || (cause instanceof Error && 'code' in cause && cause.code === 'ENODEV');
}

function notThere(device: string, path: string): CommandError {
  return new CommandError({
    tool: 'file',
    argv: ['stat', path],
    reason: 'not-found',
    what: path === device ? 'there is no such device' : `there is no such device (from ${device})`,
  });
}
