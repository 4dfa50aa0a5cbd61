import { type Answer, type Command, errnoReason, nothing, type ReadCommand } from '../../command/index.ts';
import { ParseError, type Reason } from '../../core/errors.ts';
import type { Bytes } from '../../core/units.ts';

/** The superblock on one device of a btrfs. */
export interface BtrfsSuperblock {
  readonly uuid: string;
  readonly sectorSize: Bytes;
  /** Number of devices of the filesystem. */
  readonly devices: number;
  /** Number of this device. Another device may get its devid later, but never its UUID. */
  readonly devid: number;
  readonly deviceUuid: string;
  /** How much of this device the filesystem uses. */
  readonly size: Bytes;
  /** Used by data and metadata, each counted once. */
  readonly used: Bytes;
}

/**
 * Reads the superblock on a device, as of the last commit; a resize ends with a commit, so it is
 * current at once (6.2, Linux 6.18).
 */
export function btrfsSuperblock(device: string): ReadCommand<BtrfsSuperblock> {
  return {
    tool: 'btrfs',
    argv: ['inspect-internal', 'dump-super', device],
    access: 'read',
    parse: ({ stdout }) => parseSuperblock(stdout),
    classify,
  };
}

/**
 * Returns the UUID of the btrfs that is mounted on a path. The caller compares it before a resize,
 * because another filesystem may be mounted there now.
 */
export function btrfsAt(path: string): ReadCommand<string> {
  return {
    tool: 'btrfs',
    argv: ['filesystem', 'show', '--raw', path],
    access: 'read',
    parse: ({ stdout }) => {
      const uuid = /^Label: .*  uuid: (?<uuid>[0-9a-f-]{36})\n\tTotal devices \d+ FS bytes used \d+\n/s.exec(
        stdout,
      )?.groups?.uuid;
      if (uuid === undefined) throw new ParseError(`no filesystem in ${JSON.stringify(stdout)}`);
      return uuid;
    },
    classify,
  };
}

/**
 * Returns the smallest size of a device of a mounted btrfs without moving data; the kernel accepts
 * no less than 256 MiB.
 */
export function btrfsMinimum({
  path,
  devid,
}: {
  readonly path: string;
  readonly devid: number;
}): ReadCommand<Bytes> {
  return {
    tool: 'btrfs',
    argv: ['inspect-internal', 'min-dev-size', '--id', String(devid), path],
    access: 'read',
    parse: ({ stdout }) => {
      const bytes = /^(?<bytes>\d+) bytes \(.*\)\n$/.exec(stdout)?.groups?.bytes;
      if (bytes === undefined) throw new ParseError(`no size in ${JSON.stringify(stdout)}`);
      return Number(bytes);
    },
    classify,
  };
}

/** Below this the kernel returns EINVAL (btrfs_ioctl_resize, SZ_256M). */
export const btrfsSmallest: Bytes = 256 * 1024 ** 2;

/**
 * Grows or shrinks the space that a mounted btrfs uses on one of its devices. Can be repeated: exit
 * code 0 (6.2).
 */
export function btrfsResize({
  path,
  devid,
  size,
}: {
  readonly path: string;
  readonly devid: number;
  readonly size: Bytes;
}): Command<void, 'change'> {
  return {
    tool: 'btrfs',
    argv: ['filesystem', 'resize', `${devid}:${size}`, path],
    access: 'change',
    parse: nothing,
    classify,
  };
}

/** Finds why a program of btrfs-progs failed. */
export function classify(answer: Answer): Reason {
  if (/no enough free space/.test(answer.stderr)) return 'no-space';
  return /is mounted|in progress/.test(answer.stderr) ? 'busy' : errnoReason(answer);
}

const field = /^(?<key>[a-z_.]+)(?: \(deprecated\))?\t+(?<value>.*)$/;
// The head, its rule, and the names of flags, which continue below their field: "\t\t\t( WRITTEN
// )".
const other = /^(?:superblock: bytenr=\d+, device=.*|-+|\t+(?:\( | {2})[A-Z0-9_]+ (?:\||\)))$/;

function parseSuperblock(text: string): BtrfsSuperblock {
  const values = new Map<string, string>();
  for (const line of text.trimEnd().split('\n')) {
    const { key, value } = field.exec(line)?.groups ?? {};
    if (key !== undefined && value !== undefined) values.set(key, value);
    else if (!other.test(line))
      throw new ParseError(`dump-super: cannot read the line ${JSON.stringify(line)}`);
  }
  const count = (key: string): number => {
    const value = values.get(key) ?? '';
    if (!/^\d+$/.test(value)) throw new ParseError(`dump-super: "${key}" is "${value}"`);
    return Number(value);
  };
  const uuid = (key: string): string => {
    const value = values.get(key) ?? '';
    if (/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(value)) return value;
    throw new ParseError(`dump-super: "${key}" is "${value}"`);
  };
  return {
    uuid: uuid('fsid'),
    sectorSize: count('sectorsize'),
    devices: count('num_devices'),
    devid: count('dev_item.devid'),
    deviceUuid: uuid('dev_item.uuid'),
    size: count('dev_item.total_bytes'),
    used: count('bytes_used'),
  };
}
