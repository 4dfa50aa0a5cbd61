import { posix } from 'node:path';
import type { ReadHost } from '../command/index.ts';
import { CommandError, ParseError, RefusedError, UsageError } from '../errors.ts';
import type { Bytes } from '../units.ts';

/** A block device's node, with every symbolic link followed. */
export interface DeviceNode {
  readonly path: string;
  /** `major:minor` */
  readonly number: string;
}

const tag = /^(?<tag>UUID|LABEL|PARTUUID|PARTLABEL)=(?<value>.+)$/s;

/**
 * The node that a path, a link or a tag (`UUID=…`, by udev's links) leads to. CommandError `not-found` when there is
 * none, RefusedError when it is something else than a block device.
 */
export async function deviceNode(host: ReadHost, device: string): Promise<DeviceNode> {
  let path = fromTag(device);
  if (!path.startsWith('/')) throw new UsageError(`"${device}" is no device: write its whole path`);
  for (let links = 0; links < 40; links += 1) {
    const stat = await host.stat(path);
    if (stat === undefined) throw notThere(device, path);
    if (stat.kind === 'block' && stat.node !== undefined) return { path, number: stat.node };
    if (stat.kind !== 'symlink')
      throw new RefusedError(`${device} is not a block device but a ${stat.kind}`, {
        remedy: 'name a block device; lsblk lists them',
      });
    path = posix.resolve(posix.dirname(path), await host.readLink(path));
  }
  throw new RefusedError(`${device}: more than 40 symbolic links, they lead in a circle`, {
    remedy: `see where it leads: namei ${device}`,
  });
}

/** Size of a device, as the kernel has it now: in units of 512 bytes, whatever its own sectors are (linux/types.h, sector_t). */
export async function sizeOf(host: ReadHost, { number }: DeviceNode): Promise<Bytes> {
  const file = `/sys/dev/block/${number}/size`;
  const text = new TextDecoder().decode(await host.readFile(file));
  const bytes = /^\d+\n$/.test(text) ? Number(text) * 512 : Number.NaN;
  if (!Number.isSafeInteger(bytes)) throw new ParseError(`${file}: no size in ${JSON.stringify(text)}`);
  return bytes;
}

/** Is there anything at this path? Never guessed from the failure of another program. */
async function exists(host: ReadHost, path: string): Promise<boolean> {
  return (await host.stat(path)) !== undefined;
}

/** Text of a kernel file without the newline at its end; undefined when this device has no such file. */
export async function kernelText(host: ReadHost, path: string): Promise<string | undefined> {
  if (!(await exists(host, path))) return undefined;
  return new TextDecoder().decode(await host.readFile(path)).replace(/\n$/, '');
}

/** Names in a kernel directory; none when this device, or this kernel, has no such directory. */
export async function kernelNames(host: ReadHost, path: string): Promise<readonly string[]> {
  return (await exists(host, path)) ? host.readDir(path) : [];
}

// udev writes a link's name with every character but these, and what is not ASCII, as \x20 (udev_encode_string).
function fromTag(device: string): string {
  const groups = tag.exec(device)?.groups;
  if (groups?.tag === undefined || groups.value === undefined) return device;
  const value = groups.value.replace(
    /[^\w#+\-.:=@\u0080-\u{10ffff}]/gu,
    (unsafe) => `\\x${unsafe.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
  return `/dev/disk/by-${groups.tag.toLowerCase()}/${value}`;
}

function notThere(device: string, path: string): CommandError {
  return new CommandError({
    tool: 'file',
    argv: ['stat', path],
    reason: 'not-found',
    what: path === device ? 'there is no such device' : `there is no such device (from ${device})`,
  });
}
