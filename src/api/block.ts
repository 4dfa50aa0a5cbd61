import { atomic, type Bofh, currentBofh, once, refuseInside, single, withBofh } from '../bofh.ts';
import type { KeyRef } from '../command/index.ts';
import { BofhError, RefusedError } from '../core/errors.ts';
import {
  loopDevices,
  type LoopDevice,
  loopShowing,
  partitionsOf,
  type PartitionsOf,
} from '../blockdevice/index.ts';
import type { Tx } from '../operations.ts';
import { growReplica } from '../replica/grow.ts';
import { planReplicated, withReplica } from '../replica/stack.ts';
import * as stack from '../stack/index.ts';
import { type Bytes, parseSize } from '../core/units.ts';
import { nameBySite } from './crypt.ts';

export {
  type Layer,
  type LayerAt,
  type Limits,
  type May,
  type Resized,
  type ResizeTo,
  type Told,
} from '../blockdevice/layer.ts';
export type { LoopDevice, PartitionsOf } from '../blockdevice/index.ts';
export { registerLayer } from '../layers.ts';
export type { StackContent, StackDevice, StackResized, StackTree, StackUse } from '../stack/index.ts';

/**
 * What lies on what on this host, from the disks to the mounts and guests, or of one device what it lies on and what
 * lies on it. Nothing is opened, activated or changed; what cannot be told is said in `untold`.
 */
export async function tree(of: { readonly device?: string } = {}): Promise<stack.StackTree> {
  const { host, site } = currentBofh();
  return stack.tree({ host, configDirs: site.guestConfigDirs, ...of });
}

/** What `resize` is asked. */
export interface ResizeRequest {
  /** Any device of the stack: it is the one that has the size afterwards. */
  readonly device: string;
  /** In bytes, or in words: `10g`, and of `by` also `+5g` and `-1g`. */
  readonly to: { readonly size: Bytes | string } | { readonly by: Bytes | string } | 'min' | 'max';
  /** `device`: it alone, whatever lies on it. Left out: all that lies on it too. */
  readonly what?: 'stack' | 'device';
  /** Of an encrypted device in it: one that is closed is opened with it, and closed again. */
  readonly key?: KeyRef;
  /** The two hosts of a replicated disk in it, where they are not reached by the names that its configuration has. */
  readonly on?: readonly [string, string];
}

/**
 * Resizes a device with all that lies on it: growing from the lowest layer up, shrinking from the filesystem down. What
 * cannot be is refused before anything is done; when a step fails all of it goes back. A container that is closed is
 * opened before, when its key is named, under the name that the site file (`luksNaming`) has for it, and closed when all that
 * is over. What is done in it has to be within reach until all of it is committed or undone, so opening and closing are
 * sequences of their own: a process that is killed leaves it open, and no open journal names it; `crypt.mappings` does.
 * A disk that DRBD replicates grows first, on both hosts, in a sequence of its own: it cannot be made smaller again, so
 * when what lies on it fails, that goes back alone.
 */
export async function resize({ what = 'stack', to, ...request }: ResizeRequest): Promise<stack.StackResized> {
  refuseInside('block.resize');
  const bofh = currentBofh();
  const asked = { host: bofh.host, what, to: inBytes(to), ...request };
  const opened: string[] = [];
  try {
    await openAll(bofh, asked, opened);
    const made = await resized(bofh, asked);
    await closeAll(bofh, asked, opened.splice(0));
    return made;
  } finally {
    // What has failed is what is told; that a container is open yet, too, everybody sees.
    await closeAll(bofh, asked, opened).catch((error: unknown) => {
      if (!(error instanceof BofhError)) throw error;
    });
  }
}

function inBytes(to: ResizeRequest['to']): Asked['to'] {
  if (typeof to === 'string') return to;
  if ('size' in to) return { size: typeof to.size === 'number' ? to.size : parseSize(to.size) };
  if (typeof to.by === 'number') return { by: to.by };
  const bytes = parseSize(to.by.replace(/^[+-]/, ''));
  return { by: to.by.startsWith('-') ? -bytes : bytes };
}

async function resized(bofh: Bofh, asked: Asked): Promise<stack.StackResized> {
  const steps = (request: stack.StackResize) =>
    atomic('block.resize', (tx) => stack.resizeStack(tx, request));
  const replica = await planReplicated(bofh.engine, asked);
  if (replica === undefined) return steps(asked);
  const { grow, device } = replica;
  if (grow !== undefined) await atomic(`drbd grow ${grow.name}`, (tx) => growReplica(tx, bofh.engine, grow));
  return withReplica(replica, await steps({ ...asked, device, to: 'fill' }), asked.to);
}

async function closeAll(bofh: Bofh, { key }: Asked, opened: readonly string[]): Promise<void> {
  // The first signal has ended what was done in them; it must not keep them open.
  const { stop, abandon } = bofh.signals ?? {};
  const isWatched = stop !== undefined && abandon !== undefined;
  const patient = isWatched ? { ...bofh, signals: { stop: abandon, abandon } } : bofh;
  for (const name of opened.toReversed())
    if (key !== undefined)
      await withBofh(patient, () => atomic('crypt.close', (tx) => tx.crypt.close({ name, key })));
}

type Asked = Parameters<typeof planReplicated>[1];

async function openAll(bofh: Bofh, asked: Asked, opened: string[]): Promise<void> {
  const { key } = asked;
  for (;;) {
    const device = await stack.closedIn(asked);
    if (device === undefined || key === undefined) return;
    if (bofh.planning)
      throw new RefusedError(`${device} is closed, and a plan opens nothing`, {
        remedy: `bofh crypt open ${device}; then ask for the plan again`,
      });
    const name = await nameBySite(device);
    const as = name === undefined ? {} : { name };
    const { path, adopted } = await atomic('crypt.open', (tx) => tx.crypt.open({ device, key, ...as }));
    if (!adopted) opened.push(path);
  }
}

/** Every loop device that has a file behind it; only root is told. */
export async function loops(): Promise<readonly LoopDevice[]> {
  return loopDevices(currentBofh().host);
}

/**
 * The loop device that shows this part of a file in just this way already, and is not about to go. Who uses it has
 * nothing to undo: it is whoever has attached it that detaches it.
 */
export async function loopOver(
  of: Pick<LoopDevice, 'file' | 'offset' | 'limit' | 'mode' | 'partitions'>,
): Promise<LoopDevice | undefined> {
  return loopShowing(currentBofh().host, of);
}

/** Makes a new file of a size, to make a block device of: a sequence of one. */
export const createImage = once('block', 'createImage');

/** Makes a block device of a file, until it is detached or the host boots: a sequence of one. */
export const attachLoop = once('block', 'attachLoop');

/** Takes the file away from a loop device that nobody uses: a sequence of one. */
export const detachLoop = once('block', 'detachLoop');

/** Erases every signature on a device that nobody uses, all of them named: a sequence of one. */
export const wipe = once('block', 'wipe');

/** The partition table of a device as it is written there, and which of its partitions the kernel has; RefusedError without one. */
export async function partitions(device: string): Promise<PartitionsOf> {
  return partitionsOf(currentBofh().host, device);
}

/** Writes an empty partition table on a blank disk: a sequence of one. */
export const createPartitionTable = once('block', 'createPartitionTable');

/** Adds a partition to a disk: a sequence of one. */
export const addPartition = once('block', 'addPartition');

/** Makes a partition larger where it is: a sequence of one. */
export const growPartition = once('block', 'growPartition');

/** Discards all that is on a device, once the sequence is committed: a sequence of one. */
export async function discard(args: Parameters<Tx['block']['discard']>[0]): Promise<void> {
  await single('block.discard', (tx) => tx.block.discard(args));
}

/** Fills a device with zeros, once the sequence is committed: a sequence of one; a large one takes hours. */
export async function zero(args: Parameters<Tx['block']['zero']>[0]): Promise<void> {
  await single('block.zero', (tx) => tx.block.zero(args));
}
