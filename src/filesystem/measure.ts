import {
  contentInWords,
  holders,
  type MountEntry,
  mountsOn,
  recognise,
  type Signature,
  visible,
  xfsGeometry,
} from '../blockdevice/index.ts';
import type { ReadHost } from '../command/index.ts';
import { type Holder, ParseError, RefusedError } from '../core/errors.ts';
import type { Bytes } from '../core/units.ts';
import { btrfsMinimum, btrfsSmallest, btrfsSuperblock } from './commands/btrfs.ts';
import { dumpe2fs, extMinimum, type ExtSuperblock } from './commands/ext.ts';
import { fatGeometry, freeAt, swapLastPage } from './commands/other.ts';
import { xfsSuperblock } from './commands/xfs.ts';

/** The types whose size bofh can read. */
export type Measurable = 'ext2' | 'ext3' | 'ext4' | 'xfs' | 'btrfs' | 'vfat' | 'swap';

/** The current state of a filesystem; counts are in its own blocks. */
export interface Measured {
  readonly type: Measurable;
  readonly uuid: string;
  readonly label: string | undefined;
  readonly blockSize: Bytes;
  readonly blocks: number;
  /** Undefined: unknown. */
  readonly used: Bytes | undefined;
  readonly mounts: readonly MountEntry[];
  readonly ext?: ExtSuperblock;
  readonly btrfs?: { readonly devid: number; readonly devices: number };
  /** Only for xfs. */
  readonly groupBlocks?: number;
}

const measurable: ReadonlySet<string> = new Set(['ext2', 'ext3', 'ext4', 'xfs', 'btrfs', 'vfat', 'swap']);

/**
 * Measures the filesystem on a device. RefusedError if there is none, or one whose size bofh cannot
 * read.
 */
export async function measure(host: ReadHost, device: string): Promise<Measured> {
  return measureFound(host, device, await recognise(host, device));
}

/** Measures a filesystem whose type is known. */
export async function measureFound(
  host: ReadHost,
  device: string,
  found: Signature | undefined,
): Promise<Measured> {
  if (found === undefined || !isMeasurable(found.type) || found.uuid === undefined)
    throw new RefusedError(
      `${device} holds ${contentInWords(found)}, which is not a filesystem that bofh can measure`,
      {
        remedy: `see what it is: blkid -p ${device}; lsblk ${device}`,
      },
    );
  const { type, uuid, label } = found;
  const mounts = await mountsOn(host, device);
  const at = { device, path: (await visible(host, mounts))?.path, isMounted: mounts.length > 0 };
  return { type, uuid, label, mounts, ...(await sizesOf(host, type, at)) };
}

function isMeasurable(type: string): type is Measurable {
  return measurable.has(type);
}

interface At {
  readonly device: string;
  /** An accessible mount point. */
  readonly path: string | undefined;
  readonly isMounted: boolean;
}

type Sizes = Omit<Measured, 'type' | 'uuid' | 'label' | 'mounts'>;

async function sizesOf(host: ReadHost, type: Measurable, at: At): Promise<Sizes> {
  switch (type) {
    case 'ext2':
    case 'ext3':
    case 'ext4':
      return await extSizes(host, at);
    case 'xfs':
      return await xfsSizes(host, at);
    case 'btrfs':
      return await btrfsSizes(host, at);
    case 'vfat':
      return await fatSizes(host, at);
    case 'swap':
      return await swapSizes(host, at);
  }
}

async function extSizes(host: ReadHost, { device, path }: At): Promise<Sizes> {
  const ext = await host.run(dumpe2fs(device));
  const { blockSize, blocks } = ext;
  // The superblock does not have what the kernel has not written back yet.
  const free = path === undefined ? ext.free * blockSize : await host.run(freeAt(path));
  return { blockSize, blocks, used: blocks * blockSize - free, ext };
}

async function xfsSizes(host: ReadHost, { device, path, isMounted }: At): Promise<Sizes> {
  if (path === undefined && isMounted)
    throw new RefusedError(`${device} is mounted where another mount hides it: its size is unknown`, {
      remedy: `see the mounts: findmnt; then unmount the one that hides it: umount PATH`,
    });
  const geometry = await host.run(path === undefined ? xfsSuperblock(device) : xfsGeometry(path));
  const { blockSize, blocks, groupBlocks } = geometry;
  const free =
    path !== undefined
      ? await host.run(freeAt(path))
      : 'free' in geometry
        ? Number(geometry.free) * blockSize
        : 0;
  return { blockSize, blocks, used: blocks * blockSize - free, groupBlocks };
}

async function btrfsSizes(host: ReadHost, { device }: At): Promise<Sizes> {
  const { sectorSize, size, used, devid, devices } = await host.run(btrfsSuperblock(device));
  if (size % sectorSize !== 0)
    throw new ParseError(`${device}: ${size} bytes are not a whole number of sectors`);
  return { blockSize: sectorSize, blocks: size / sectorSize, used, btrfs: { devid, devices } };
}

async function fatSizes(host: ReadHost, { device, path }: At): Promise<Sizes> {
  const { sectorSize, sectors, clusterSize, clusters, usedClusters } = await host.run(fatGeometry(device));
  const free = path === undefined ? (clusters - usedClusters) * clusterSize : await host.run(freeAt(path));
  return { blockSize: sectorSize, blocks: sectors, used: sectors * sectorSize - free };
}

// mkswap uses the page size of the host on which it runs: 4 KiB on every host with Xen.
const pageSize = 4096;

async function swapSizes(host: ReadHost, { device }: At): Promise<Sizes> {
  const blocks = (await host.run(swapLastPage(device))) + 1;
  return { blockSize: pageSize, blocks, used: undefined };
}

/**
 * Whether the filesystem on its device is complete. False if it is in use elsewhere, or was in use
 * at a power cut: then its journal has changes, and resize2fs does not measure it.
 */
export function isSettled({
  ext,
  mounts,
}: {
  readonly ext?: ExtSuperblock | undefined;
  readonly mounts: readonly MountEntry[];
}): boolean {
  if (ext === undefined || mounts.length > 0) return true;
  return ext.state === 'clean' && !ext.features.includes('needs_recovery');
}

/** Returns the holders of the device, except mounts of its filesystem on this host. */
export async function theirs(host: ReadHost, device: string): Promise<readonly Holder[]> {
  return (await holders(host, device)).filter(({ kind }) => kind !== 'mount' && kind !== 'btrfs');
}

/**
 * Returns the smallest number of blocks to which it can shrink now; undefined: unknown in its
 * current state.
 */
export async function minimumOf(
  host: ReadHost,
  device: string,
  { type, blocks, blockSize, mounts, btrfs, ext }: Measured,
): Promise<number | undefined> {
  switch (type) {
    case 'ext2':
    case 'ext3':
    case 'ext4':
      // Checks the holders first: resize2fs advises e2fsck, which must not run on a device in use.
      if (!isSettled({ ext, mounts }) || (await theirs(host, device)).length > 0) return undefined;
      return Math.min(blocks, await host.run(extMinimum(device)));
    case 'btrfs': {
      const path = (await visible(host, mounts))?.path;
      if (path === undefined || btrfs === undefined || btrfs.devices !== 1) return undefined;
      const bytes = await host.run(btrfsMinimum({ path, devid: btrfs.devid }));
      return Math.min(blocks, Math.ceil(Math.max(bytes, btrfsSmallest) / blockSize));
    }
    case 'swap':
      return 10;
    case 'xfs':
    case 'vfat':
      return blocks;
  }
}

/** The minimum size of a filesystem, in its own blocks, with the reason. */
export interface Least {
  readonly blocks: number;
  /** The reason, printed after `it needs 1 GiB, `. */
  readonly why: string;
  /** Whether the minimum stays even if files are removed. */
  readonly always: boolean;
}

/**
 * Returns the smallest number of blocks allowed as a target. For an unmounted btrfs it comes from
 * the superblock, and the kernel decides at the resize, because only a mounted btrfs shows the
 * layout of its chunks.
 */
export async function leastOf(host: ReadHost, device: string, found: Measured): Promise<Least> {
  const { type, blocks, blockSize, used = 0 } = found;
  if (type !== 'btrfs') {
    const fewest = await minimumOf(host, device, found);
    if (fewest !== undefined) return { blocks: fewest, why: 'for its content', always: false };
    const why = 'for its known content; it may need more';
    return { blocks: Math.ceil(used / blockSize), why, always: false };
  }
  const minimum = await minimumOf(host, device, found);
  const needed = minimum ?? Math.ceil(Math.max(used, btrfsSmallest) / blockSize);
  if (needed * blockSize <= btrfsSmallest)
    return {
      blocks: Math.min(blocks, needed),
      why: 'the smallest btrfs that the kernel allows',
      always: true,
    };
  const why =
    minimum === undefined
      ? 'for its known content; its layout is known only while it is mounted, and may need more'
      : 'for its content in the present layout';
  return { blocks: Math.min(blocks, needed), why, always: false };
}
