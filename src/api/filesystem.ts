import { currentBofh, inOwnSequence, single } from '../bofh.ts';
import { naming } from '../core/checks.ts';
import { probe as probeDevice, type Signature } from '../blockdevice/index.ts';
import * as driver from '../filesystem/index.ts';
import type { Tx } from '../operations.ts';

export type { Signature } from '../blockdevice/index.ts';
export type { FilesystemCheck, FilesystemDetails } from '../filesystem/index.ts';

/** Returns the content signature of a device; undefined if the device is blank. */
export async function probe(device: string): Promise<Signature | undefined> {
  return naming('filesystem.probe', { device }, () => probeDevice(currentBofh().host, device));
}

/**
 * Returns the details of a filesystem or swap area: its size, used and free space, minimum size and
 * mount points. Sizes are in bytes.
 */
export async function show(device: string): Promise<driver.FilesystemDetails> {
  return naming('filesystem.show', { device }, () => driver.info(currentBofh().host, device));
}

/** Checks an unmounted filesystem, read-only. Takes hours on a large filesystem. */
export async function check(device: string): Promise<driver.FilesystemCheck> {
  return naming('filesystem.check', { device }, () => driver.check(currentBofh().host, device));
}

/**
 * Repairs an unused filesystem that has errors, in a sequence of its own. It is clean when this returns. If
 * the repair fails, the sequence is stuck: StuckError names what is left.
 */
export async function repair(args: Parameters<Tx['filesystem']['repair']>[0]): Promise<void> {
  await single('filesystem.repair', (tx) => tx.filesystem.repair(args), ['filesystem']);
}

/** Creates a filesystem or swap area on a device in a sequence of its own. */
export const create = inOwnSequence('filesystem', 'create');

/**
 * Creates an image file with a filesystem or swap area in it, in a sequence of its own. `size` is bytes or text such as
 * `10g`. Never overwrites a file. Works without root.
 */
export const createImage = inOwnSequence('filesystem', 'createImage');

/**
 * Resizes a filesystem in a sequence of its own. For xfs and a mounted ext4 this cannot be undone,
 * so they are resized after the commit.
 */
export const resize = inOwnSequence('filesystem', 'resize');

/**
 * Changes the UUID of an unused filesystem or swap area, in a sequence of its own, for example for a clone.
 * The UUID of an xfs or btrfs changes after the commit.
 */
export const uuid = inOwnSequence('filesystem', 'uuid');

/** Sets the label of a filesystem or swap area, or removes it (null), in a sequence of its own. */
export const label = inOwnSequence('filesystem', 'label');

/** Discards the unused blocks of a mounted filesystem, in a sequence of its own. */
export const trim = inOwnSequence('filesystem', 'trim');
