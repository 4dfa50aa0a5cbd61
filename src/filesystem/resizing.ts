import {
  deviceNode,
  holders,
  inWords,
  refuseHeld,
  refuseUsers,
  remedyFor,
  size as deviceSize,
  visible,
} from '../blockdevice/index.ts';
import type { ReadHost } from '../command/index.ts';
import { RefusedError } from '../core/errors.ts';
import { present } from '../core/present.ts';
import { type Bytes, formatSize } from '../core/units.ts';
import type { ExtSuperblock } from './commands/ext.ts';
import { isSettled, leastOf, type Measured, measure, theirs } from './measure.ts';
import { isWritable, readOnly } from './mounted.ts';
import { newSwap } from './new-swap.ts';

/** The types that bofh can resize. */
export const resizable = ['ext2', 'ext3', 'ext4', 'xfs', 'btrfs'] as const;

type Resizable = (typeof resizable)[number];

/** The resize of a filesystem, and when it runs. */
export interface ResizePlan {
  readonly device: string;
  readonly type: Resizable;
  readonly uuid: string;
  readonly blockSize: Bytes;
  readonly from: number;
  readonly to: number;
  readonly when: 'now' | 'after the commit';
  /** The number of the device in a btrfs. */
  readonly devid?: number;
}

/** Plans a resize. RefusedError for an impossible request, before anything changes. */
export async function planResize(
  host: ReadHost,
  { path, size }: { readonly path: string; readonly size: Bytes | 'max' },
): Promise<ResizePlan> {
  // The name of a device itself stays the same after a reboot; the name that the kernel gives it
  // may not.
  const device = path.startsWith('/') ? path : (await deviceNode(host, path)).path;
  const found = await measure(host, device);
  const type = resizableType(device, found);
  await refuseHeld(host, device, await theirs(host, device));
  const to = await targetOf(host, device, { found, size });
  const { uuid, blockSize, blocks: from } = found;
  if (to !== from) await refuseUnresizable(host, device, { found, to });
  const isNow = to !== from && type !== 'xfs' && (type === 'btrfs' || found.mounts.length === 0);
  const when = isNow ? 'now' : 'after the commit';
  return { device, type, uuid, blockSize, from, to, when, ...present({ devid: found.btrfs?.devid }) };
}

function resizableType(device: string, { type, uuid, label, btrfs }: Measured): Resizable {
  const known = resizable.find((each) => each === type);
  if (known === undefined)
    throw new RefusedError(`${device} holds ${type}: bofh cannot change its size`, {
      remedy:
        type === 'swap'
          ? `a swap area has no content to keep: ${newSwap({ device, uuid, label })}`
          : 'create a new filesystem with the right size, and copy the files to it',
    });
  if (btrfs !== undefined && btrfs.devices !== 1)
    throw new RefusedError(
      `${device} is one of ${String(btrfs.devices)} devices of a btrfs: bofh resizes only a btrfs on one device`,
      { remedy: `resize it without an undo: btrfs filesystem resize ${String(btrfs.devid)}:SIZE PATH` },
    );
  return known;
}

interface Wanted {
  readonly found: Measured;
  readonly size: Bytes | 'max';
}

/**
 * Returns the target in blocks, exactly as many as the tool will create, so that the result is
 * known before.
 */
async function targetOf(host: ReadHost, device: string, { found, size }: Wanted): Promise<number> {
  const room = await deviceSize(host, device);
  const { blockSize, blocks } = found;
  const most = Math.floor(room / blockSize);
  const asked = size === 'max' ? most : Math.floor(size / blockSize);
  if (asked > most)
    throw new RefusedError(
      `${device} has ${formatSize(room)}, but ${formatSize(asked * blockSize)} was requested`,
      {
        code: 'no-space',
        remedy: `enlarge the device first; for a logical volume and its filesystem together: bofh block resize ${device} ${String(asked * blockSize)}b; or use max`,
      },
    );
  if (size === 'max' && most < blocks)
    throw new RefusedError(
      `${device} has ${formatSize(room)}, but its filesystem needs ${formatSize(blocks * blockSize)}: the end of the filesystem is missing`,
      {
        remedy: `enlarge the device to ${String(blocks * blockSize)} bytes or more; see what it is: bofh block tree ${device}`,
      },
    );
  const rounded = found.ext === undefined ? wholeGroup(found, asked) : lastGroup(found.ext, asked);
  // If the added blocks are too few for another group, the filesystem keeps its size.
  return asked >= blocks ? Math.max(rounded, blocks) : rounded;
}

/**
 * Leaves out a last group that resize2fs might drop: one without space for its tables and 50 more
 * blocks (adjust_fs_info in resize2fs.c).
 */
export function lastGroup(of: ExtSuperblock, blocks: number): number {
  const { firstBlock, blocksPerGroup, inodeBlocksPerGroup, reservedGdt, descriptorSize, blockSize } = of;
  const rest = (blocks - firstBlock) % blocksPerGroup;
  const groups = Math.ceil((blocks - firstBlock) / blocksPerGroup);
  const descriptors = Math.ceil((groups * descriptorSize) / blockSize);
  const tables = 3 + inodeBlocksPerGroup + descriptors + reservedGdt;
  return groups > 1 && rest < tables + 50 ? blocks - rest : blocks;
}

/**
 * Leaves out a last allocation group of fewer than 64 blocks, which xfs does not create
 * (XFS_MIN_AG_BLOCKS).
 */
function wholeGroup({ groupBlocks }: Measured, blocks: number): number {
  const rest = groupBlocks === undefined ? 0 : blocks % groupBlocks;
  return rest < 64 ? blocks - rest : blocks;
}

async function refuseUnresizable(
  host: ReadHost,
  device: string,
  { found, to }: { readonly found: Measured; readonly to: number },
): Promise<void> {
  const { type, mounts, blocks, ext } = found;
  if (mounts.length > 0 && (await visible(host, mounts.filter(isWritable))) === undefined)
    throw readOnly(device, mounts);
  if (ext?.state === 'errors' && mounts.length === 0) await refuseUsers(host, device);
  if (ext?.state === 'errors')
    throw new RefusedError(`${device} holds an ${type} with errors: repair it before you resize it`, {
      remedy: `unmount it, then: e2fsck -f ${device}`,
    });
  if (to < blocks) await refuseShrink(host, device, { found, to });
  else if (ext !== undefined && to >= 2 ** 32 && !ext.features.includes('64bit'))
    throw new RefusedError(`${device}: an ${type} without the feature 64bit has no more than 2^32 blocks`, {
      remedy: `unmount it, then: resize2fs -b ${device}`,
    });
}

/** Says why a filesystem with an unclean journal cannot shrink. */
export function unsettled(type: string): string {
  return `its ${type} was not unmounted cleanly, so its minimum size is unknown`;
}

/** Returns the command that replays the journal of an unused filesystem. */
export function toSettle(device: string): string {
  return `bofh filesystem check ${device} --repair, which also replays its journal`;
}

async function refuseShrink(
  host: ReadHost,
  device: string,
  { found, to }: { readonly found: Measured; readonly to: number },
): Promise<void> {
  const { type, blockSize, ext } = found;
  if (type === 'xfs')
    throw new RefusedError(`${device} holds an xfs, which cannot be shrunk`, {
      remedy: 'create a new, smaller filesystem and copy the files; or keep its size',
    });
  if (ext !== undefined && found.mounts.length > 0) {
    const all = await holders(host, device);
    throw new RefusedError(`an ${type} cannot be shrunk while it is mounted; ${device} is ${inWords(all)}`, {
      remedy: remedyFor(all),
      holders: all,
    });
  }
  if (!isSettled(found)) {
    await refuseUsers(host, device);
    throw new RefusedError(`${device}: ${unsettled(type)}`, { remedy: toSettle(device) });
  }
  const least = await leastOf(host, device, found);
  if (to >= least.blocks) return;
  const [asked, needed] = [to * blockSize, least.blocks * blockSize];
  const enough = `request ${String(needed)}b or more`;
  throw new RefusedError(
    `${device}: ${formatSize(asked)} is too small: its ${type} needs ${formatSize(needed)} (${String(needed)} bytes), ${least.why}`,
    { remedy: least.always ? enough : `remove files, or ${enough}` },
  );
}
