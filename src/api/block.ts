import * as z from 'zod/mini';
import { naming } from '../core/checks.ts';
import { afterSignal, atomic, currentBofh, isJoined, inOwnSequence, beginRecipe, single } from '../bofh.ts';
import { type Bofh } from '../connect.ts';
import { keyRef, type KeyRef } from '../command/index.ts';
import { BofhError, RefusedError } from '../core/errors.ts';
import { inBytes, newSize, parsed, text } from '../core/request.ts';
import {
  attachment,
  loopDevices,
  type LoopDevice,
  loopShowing,
  partitionsOf,
  type PartitionsOf,
} from '../blockdevice/index.ts';
import type { Tx } from '../operations.ts';
import { growReplica } from '../replica/grow.ts';
import { nameOfGrow, notFollowed } from '../replica/grown.ts';
import { planReplicated, withReplica } from '../replica/stack.ts';
import * as stack from '../stack/index.ts';
import type { Bytes } from '../core/units.ts';
import { nameBySite } from './crypt.ts';
import { present } from '../core/present.ts';

export {
  type Layer,
  type LayerAt,
  type Limits,
  type May,
  type Resized,
  type ResizeTo,
  type LayerFacts,
} from '../blockdevice/layer.ts';
export type { LoopDevice, PartitionsOf } from '../blockdevice/index.ts';
export { registerLayer } from '../layers.ts';
export type { StackContent, StackDevice, StackResized, StackTree, StackUse } from '../stack/index.ts';

const treeOf = z.strictObject({ device: z.exactOptional(z.string()) });

/**
 * Returns the storage stack of this host, from the disks to the mounts and guests; with `device`,
 * only what that device is on and its holders. Read-only: opens and activates nothing. What cannot
 * be read is listed in `unknown`.
 */
export async function tree(
  of: {
    /** Only the stack of this device (default: all devices). */
    readonly device?: string;
  } = {},
): Promise<stack.StackTree> {
  const { host, site } = currentBofh();
  return stack.tree({ host, configDirs: site.guestConfigDirs, ...parsed('block.tree', treeOf, of) });
}

const resizeOptions = z.strictObject({
  device: text,
  to: newSize,
  what: z.exactOptional(z.enum(['stack', 'device'])),
  key: z.exactOptional(keyRef),
  on: z.exactOptional(z.tuple([text, text])),
});

/** Arguments of `resize`. */
export interface ResizeRequest {
  /** Any device of the stack. This device gets the new size. */
  readonly device: string;
  /** Bytes, or a size string such as `10g`; `by` also takes `+5g` and `-1g`. */
  readonly to:
    | {
        /** The new size, in bytes or as text: `10g`. */
        readonly size: Bytes | string;
      }
    | {
        /** The difference in size, in bytes or as text: `+5g`, `-1g`. */
        readonly by: Bytes | string;
      }
    | 'min'
    | 'max';
  /** `device`: only this device, whatever it contains (default: `stack`, the device and everything on it). */
  readonly what?: 'stack' | 'device';
  /** Opens an encrypted device of the stack if it is closed, and closes it again afterwards. */
  readonly key?: KeyRef;
  /**
   * The two hosts of a replicated disk in the stack (default: the host names in its DRBD config).
   */
  readonly on?: readonly [string, string];
}

/**
 * Resizes a device with everything on it: grows from the lowest layer up, shrinks from the filesystem down.
 * Impossible requests are refused before anything changes; if a step fails, all of it is rolled back. Sizes
 * are in bytes, or strings such as `10g`.
 *
 * With `key`, a closed LUKS device is opened first, under the name that the site file (`luksNaming`) gives
 * it, and closed at the end. It must stay open until the resize is committed or undone, so opening and
 * closing are sequences of their own: a killed process leaves the device open, and no open journal names it;
 * `crypt.mappings` lists it.
 *
 * A disk replicated by DRBD grows first, on both hosts, in a sequence of its own. It cannot shrink again: if
 * a layer above it fails, only the layers above are rolled back, and the error says which layers have the new
 * size, which have the old one, and the command that finishes the resize. If bofh is killed in between, `bofh
 * doctor` names that command.
 *
 * Returns the sizes before and after. Throws RefusedError for an impossible request. `tx.block.resize` opens
 * no LUKS device and grows no replicated disk.
 */
export async function resize(request: ResizeRequest): Promise<stack.StackResized> {
  beginRecipe('block.resize');
  const { what = 'stack', to, ...more } = parsed('block.resize', resizeOptions, request);
  const bofh = currentBofh();
  const asked = { host: bofh.host, what, to: inBytes('block.resize', to), ...more };
  if (isJoined()) return resized(bofh, asked);
  const opened: string[] = [];
  try {
    await openAll(bofh, asked, opened);
    const made = await resized(bofh, asked);
    await closeAll(asked, opened.splice(0));
    return made;
  } finally {
    // This throws the first error. A device that stays open is visible anyway.
    await closeAll(asked, opened).catch((error: unknown) => {
      if (!(error instanceof BofhError)) throw error;
    });
  }
}

async function resized(bofh: Bofh, asked: Asked): Promise<stack.StackResized> {
  const steps = (request: stack.StackResize) => {
    const resizeStack = (tx: Tx) => stack.resizeStack(tx, request);
    return isJoined() ? single('block.resize', resizeStack) : atomic('block.resize', resizeStack);
  };
  const replica = await planReplicated(bofh.engine, asked);
  if (replica === undefined) return steps(asked);
  const { grow, device } = replica;
  if (grow !== undefined && isJoined())
    throw new RefusedError(
      `the DRBD resource ${grow.name} must grow first, and no undo could shrink it: grow it outside of atomic()`,
      {
        remedy: `call drbd.grow({ name: '${grow.name}', … }) before atomic(), then resize ${asked.device} again`,
      },
    );
  const follow = () => steps({ ...asked, device, to: 'fill' });
  if (grow === undefined) return withReplica(replica, await follow(), asked.to);
  const grown = { grow, path: replica.path };
  await atomic(nameOfGrow(grown), (tx) => growReplica(tx, bofh.engine, grow));
  const made = await follow().catch(async (error: unknown) => {
    throw await notFollowed({ ...grown, ...asked }, error);
  });
  return withReplica(replica, made, asked.to);
}

async function closeAll({ key }: Asked, opened: readonly string[]): Promise<void> {
  // The first signal ended the work on the open devices; they are closed in spite of it.
  await afterSignal(async () => {
    for (const name of opened.toReversed())
      if (key !== undefined) await atomic('crypt.close', (tx) => tx.crypt.close({ name, key }));
  });
}

type Asked = Parameters<typeof planReplicated>[1];

async function openAll(bofh: Bofh, asked: Asked, opened: string[]): Promise<void> {
  const { key } = asked;
  while (key !== undefined) {
    const device = await stack.closedIn(asked);
    if (device === undefined) return;
    if (bofh.planning)
      throw new RefusedError(`${device} is closed, and a dry run does not open it`, {
        remedy: `bofh crypt open ${device}; then run the dry run again`,
      });
    const name = await nameBySite(device);
    const as = present({ name });
    const { path, adopted } = await atomic('crypt.open', (tx) => tx.crypt.open({ device, key, ...as }));
    if (!adopted) opened.push(path);
  }
}

const partOfFile = z.pick(attachment, {
  file: true,
  offset: true,
  limit: true,
  mode: true,
  partitions: true,
});

/** Returns every loop device that has a backing file; in a container not those of its host. Needs root. */
export async function loops(): Promise<readonly LoopDevice[]> {
  return loopDevices(currentBofh().host, 'left out');
}

/**
 * Returns the loop device that already has this part of a file, with these options; undefined if there is
 * none, or if it is about to be detached. Do not detach it: the program that attached it does that. `offset`
 * and `limit` are in bytes; a `limit` of 0 is the end of the file.
 */
export async function loopOver(
  of: Pick<LoopDevice, 'file' | 'offset' | 'limit' | 'mode' | 'partitions'>,
): Promise<LoopDevice | undefined> {
  return loopShowing(currentBofh().host, parsed('block.loopOver', partOfFile, of));
}

/**
 * Creates an image file of the given size (bytes or `10g`) in a sequence of its own. Never
 * overwrites a file.
 */
export const createImage = inOwnSequence('block', 'createImage');

/**
 * Attaches a file to a loop device in a sequence of its own. It stays until it is detached or the
 * host reboots. Offset, size and sector size are in bytes. Returns the device.
 */
export const attachLoop = inOwnSequence('block', 'attachLoop');

/** Detaches an unused loop device in a sequence of its own. */
export const detachLoop = inOwnSequence('block', 'detachLoop');

/**
 * Erases every signature of an unused device in a sequence of its own. The request must name all of
 * them.
 */
export const wipe = inOwnSequence('block', 'wipe');

/**
 * Returns the partition table on the disk, and which of its partitions the kernel knows. Throws
 * RefusedError if there is no partition table.
 */
export async function partitions(device: string): Promise<PartitionsOf> {
  return naming('block.partitions', { device }, () => partitionsOf(currentBofh().host, device));
}

/** Creates an empty partition table on a blank disk in a sequence of its own (default: gpt). */
export const createPartitionTable = inOwnSequence('block', 'createPartitionTable');

/**
 * Adds a partition to a disk in a sequence of its own. The size is in bytes, rounded up to whole
 * MiB, or `max`. Returns the partition.
 */
export const addPartition = inOwnSequence('block', 'addPartition');

/**
 * Grows a partition in place in a sequence of its own. The size is in bytes, rounded up to whole
 * MiB, or `max`.
 */
export const growPartition = inOwnSequence('block', 'growPartition');

/** Discards all data of a device in a sequence of its own, after the commit. Irreversible. */
export async function discard(args: Parameters<Tx['block']['discard']>[0]): Promise<void> {
  await single('block.discard', (tx) => tx.block.discard(args), ['block']);
}

/**
 * Overwrites a device with zeros in a sequence of its own, after the commit. Irreversible; takes
 * hours on a large device.
 */
export async function zero(args: Parameters<Tx['block']['zero']>[0]): Promise<void> {
  await single('block.zero', (tx) => tx.block.zero(args), ['block']);
}
