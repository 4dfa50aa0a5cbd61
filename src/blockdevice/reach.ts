import { type ReadCommand, type ReadHost, stderrAlone } from '../command/index.ts';
import type { Holder } from '../core/errors.ts';
import { ParseError, RefusedError } from '../core/errors.ts';
import { type Bytes, formatSize } from '../core/units.ts';
import { bytesAt } from './bytes-at.ts';
import { classifyDevice } from './commands.ts';
import { hasStream } from './content/stream.ts';
import { unseen } from './content/unseen.ts';
import { holders, inWords, remedyFor } from './holders/index.ts';
import { mountsOn } from './holders/tree.ts';
import { type MountEntry, visible } from './mountinfo.ts';
import { deviceNode } from './node.ts';
import { probe } from './probe.ts';
import { xfsGeometry } from './xfs.ts';

/** Where a type of content stores its size: the range to read, and how to decode it. */
interface SuperblockPlace {
  readonly from: number;
  readonly count: number;
  readonly size: (bytes: DataView) => Bytes;
}

// ext2_super_block: s_blocks_count_lo, s_log_block_size, s_feature_incompat, s_blocks_count_hi (Documentation/filesystems/ext4).
const ext: SuperblockPlace = {
  from: 1024,
  count: 1024,
  size: (bytes) => {
    const has64Bit = (bytes.getUint32(0x60, true) & 0x80) !== 0;
    const high = has64Bit ? bytes.getUint32(0x150, true) : 0;
    return (high * 2 ** 32 + bytes.getUint32(0x4, true)) * (1024 << bytes.getUint32(0x18, true));
  },
};

const places: Readonly<Record<string, SuperblockPlace>> = {
  ext2: ext,
  ext3: ext,
  ext4: ext,
  // xfs_dsb: sb_blocksize, sb_dblocks (fs/xfs/libxfs/xfs_format.h).
  xfs: { from: 0, count: 16, size: (bytes) => bytes.getUint32(4) * Number(bytes.getBigUint64(8)) },
  // btrfs_super_block: dev_item.total_bytes, this device's own part (include/uapi/linux/btrfs_tree.h).
  btrfs: { from: 65536, count: 256, size: (bytes) => Number(bytes.getBigUint64(0xd1, true)) },
  // swap_header: last_page (include/linux/swap.h); pages of 4 KiB, as x86 has them and mkswap makes them there.
  swap: { from: 1024, count: 16, size: (bytes) => (bytes.getUint32(4, true) + 1) * 4096 },
};

/** The content of a device, and where it ends; `unknown`: the content does not contain its size. */
interface Reach {
  readonly type: string;
  readonly bytes: Bytes | 'unknown';
}

/**
 * Returns the content of a device and its end, from its own superblock; undefined: the device was
 * read, and is blank. Only for an active device. ParseError if it cannot be read.
 */
export async function reachOf(host: ReadHost, device: string): Promise<Reach | undefined> {
  const found = await probe(host, device);
  if (found === undefined) {
    if (await hasStream(host, device)) return { type: 'btrfs-stream', bytes: 'unknown' };
    const other = await unseen(host, device);
    return other === undefined ? undefined : { type: other.type, bytes: 'unknown' };
  }
  return { type: found.type, bytes: await reachAs(host, device, found.type) };
}

/** Returns the end of known content: a device may have other content besides. */
export async function reachAs(host: ReadHost, device: string, type: string): Promise<Reach['bytes']> {
  const place = Object.hasOwn(places, type) ? places[type] : undefined;
  if (place === undefined) return 'unknown';
  const mounts = type === 'xfs' ? await mountsOn(host, device) : [];
  if (mounts.length > 0) return mountedXfs(host, mounts);
  const { path } = await deviceNode(host, device);
  const bytes = place.size(await host.run(bytesAt(path, place)));
  if (!Number.isSafeInteger(bytes) || bytes <= 0)
    throw new ParseError(
      `${device}: the superblock of the ${type} contains an impossible size: ${bytes} bytes`,
    );
  return bytes;
}

/**
 * Returns the end of a mounted xfs, from the kernel: its superblock on the device is out of date
 * after growth (`xfsSuperblock`).
 */
async function mountedXfs(host: ReadHost, mounts: readonly MountEntry[]): Promise<Reach['bytes']> {
  const at = await visible(host, mounts);
  if (at === undefined) return 'unknown';
  const { blockSize, blocks } = await host.run(xfsGeometry(at.path));
  return blockSize * blocks;
}

/**
 * Returns the holders of a device that may use bytes at or after `size`. Content that ends after `size` counts as
 * a holder.
 */
export async function usersBeyond(host: ReadHost, device: string, size: Bytes): Promise<readonly Holder[]> {
  const reach = await reachOf(host, device);
  const fits = reach !== undefined && reach.bytes !== 'unknown' && reach.bytes <= size;
  const found: Holder[] = [];
  if (reach !== undefined && reach.bytes !== 'unknown' && reach.bytes > size)
    found.push({
      kind: 'unknown',
      words: `its ${reach.type} reaches to ${formatSize(reach.bytes)} (${reach.bytes} bytes)`,
    });
  const { number } = await deviceNode(host, device);
  for (const holder of await holders(host, device)) {
    const own = holder.kind === 'mount' || holder.kind === 'btrfs' || holder.kind === 'swap';
    if (own && fits) continue;
    if (holder.kind === 'mapping' && (await mappedTo(host, holder.name, number)) <= size) continue;
    found.push(holder);
  }
  return found;
}

/**
 * The error for a size that is too small for these holders. If the content itself ends after the size, the remedy is
 * to shrink it, because it would still end there when the holders have released the device.
 */
export function sizeTooSmall(what: string, size: Bytes, users: readonly Holder[]): RefusedError {
  const toEnd = users.some(({ kind, free }) => kind === 'unknown' && free === undefined)
    ? undefined
    : remedyFor(users);
  return new RefusedError(`${what} would be cut to ${formatSize(size)}, but is in use: ${inWords(users)}`, {
    remedy:
      toEnd ?? 'shrink its content first; to resize both in the right order: bofh block resize DEVICE SIZE',
    holders: users,
  });
}

/**
 * Returns the last byte of the device with that number that a mapping uses; infinite if its target
 * type does not show it.
 */
async function mappedTo(host: ReadHost, name: string, number: string): Promise<Bytes> {
  return Math.max(...(await host.run(mappingEnds(name, number))));
}

const tableLine = /^(?<start>\d+) (?<length>\d+) (?<target>\S+)(?: (?<rest>.*))?$/;

/**
 * Returns where each part of a mapping on the device with that number ends, in bytes: the table has
 * sectors (dmsetup(8)).
 */
export function mappingEnds(name: string, number: string): ReadCommand<readonly Bytes[]> {
  return {
    tool: 'dmsetup',
    argv: ['table', name],
    access: 'read',
    shownOf: stderrAlone,
    parse: ({ stdout }) =>
      stdout
        .replace(/\n$/, '')
        .split('\n')
        .map((line) => {
          const parts = tableLine.exec(line)?.groups;
          if (parts === undefined) throw new ParseError(`cannot read the line ${JSON.stringify(line)}`);
          if (parts.target === 'error' || parts.target === 'zero') return 0;
          // linear: DEVICE OFFSET; crypt: CIPHER KEY IV_OFFSET DEVICE OFFSET …
          if (parts.target !== 'linear' && parts.target !== 'crypt') return Number.POSITIVE_INFINITY;
          const words = parts.rest?.split(' ') ?? [];
          const at = words.indexOf(number, parts.target === 'crypt' ? 3 : 0);
          if (at === -1) return 0;
          const end = (Number(words[at + 1]) + Number(parts.length)) * 512;
          if (!Number.isSafeInteger(end))
            throw new ParseError(`cannot read the line ${JSON.stringify(line)}`);
          return end;
        }),
    classify: classifyDevice,
  };
}
