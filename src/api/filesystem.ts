import { currentBofh, once, single } from '../bofh.ts';
import { probe as probeDevice, type Signature } from '../blockdevice/index.ts';
import * as driver from '../filesystem/index.ts';
import type { Tx } from '../operations.ts';
import { type Bytes, parseSize } from '../core/units.ts';

export type { Signature } from '../blockdevice/index.ts';
export type { FilesystemCheck, FilesystemDetails } from '../filesystem/index.ts';

/** What a device holds; undefined when it was looked at and is blank. */
export async function probe(device: string): Promise<Signature | undefined> {
  return probeDevice(currentBofh().host, device);
}

/** A filesystem, or swap area: its size, what is used and free of it, what it can be shrunk to, where it is mounted. */
export async function show(device: string): Promise<driver.FilesystemDetails> {
  return driver.info(currentBofh().host, device);
}

/** Reads a filesystem that is not mounted through, and changes nothing; a large one takes hours. */
export async function check(device: string): Promise<driver.FilesystemCheck> {
  return driver.check(currentBofh().host, device);
}

/**
 * Repairs a filesystem that nobody uses and that has errors: a sequence of one. It is clean once this returns; where it is not, the
 * sequence is stuck and says what is left.
 */
export async function repair(args: Parameters<Tx['filesystem']['repair']>[0]): Promise<void> {
  await single('filesystem.repair', (tx) => tx.filesystem.repair(args));
}

/** Makes a filesystem or swap area on a device: a sequence of one. */
export const create = once('filesystem', 'create');

/** What `resize` is asked. */
export interface ResizeRequest extends Omit<Parameters<Tx['filesystem']['resize']>[0], 'size'> {
  /** Bytes, a size in words such as `10g`, or `max`: as large as its device. */
  readonly size: Bytes | string;
}

/**
 * Sets the size of a filesystem: a sequence of one. An xfs, and an ext4 that is mounted, has its new size
 * only once the sequence is committed, because that cannot be undone.
 */
export async function resize({ size, ...more }: ResizeRequest): ReturnType<Tx['filesystem']['resize']> {
  const args = { ...more, size: size === 'max' ? size : parseSize(size) } as const;
  return single('filesystem.resize', (tx) => tx.filesystem.resize(args));
}

/**
 * Gives a filesystem or swap area that nobody uses another uuid, as a clone needs it: a sequence of one. An xfs and a btrfs have it
 * only once the sequence is committed.
 */
export const uuid = once('filesystem', 'uuid');

/** Gives a filesystem or swap area another label, or (null) none: a sequence of one. */
export const label = once('filesystem', 'label');
