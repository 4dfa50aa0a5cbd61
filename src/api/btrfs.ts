import { currentBofh, inOwnSequence } from '../bofh.ts';
import { naming } from '../core/checks.ts';
import * as driver from '../btrfs/index.ts';

export type {
  Balance,
  Device,
  Qgroup,
  Quota,
  Scrub,
  Subvolume,
  SubvolumeRow,
  Usage,
} from '../btrfs/index.ts';

/**
 * Returns every subvolume of the filesystem at a path, except the top level. Paths start at the top
 * level. Needs root.
 */
export async function subvolumes(path: string): Promise<readonly driver.SubvolumeRow[]> {
  return naming('btrfs.subvolumes', { path }, () => driver.subvolumes(currentBofh().host, path));
}

/** Returns the subvolume at a path. Throws RefusedError if the path is not a subvolume. */
export async function subvolume(path: string): Promise<driver.Subvolume> {
  return naming('btrfs.subvolume', { path }, () => driver.subvolume(currentBofh().host, path));
}

/** Returns the id of the default subvolume, which a mount without a subvolume shows; 5 is the top level. */
export async function defaultSubvolume(path: string): Promise<number> {
  return naming('btrfs.defaultSubvolume', { path }, () => driver.defaultSubvolume(currentBofh().host, path));
}

/** Returns the space usage of the filesystem at a path, in bytes. */
export async function usage(path: string): Promise<driver.Usage> {
  return naming('btrfs.usage', { path }, () => driver.usage(currentBofh().host, path));
}

/**
 * Returns the devices of the filesystem at a path, with the bytes allocated on each. Needs root.
 */
export async function devices(path: string): Promise<readonly driver.Device[]> {
  return naming('btrfs.devices', { path }, () => driver.devices(currentBofh().host, path));
}

/** Adds a device to a filesystem in a sequence of its own. */
export const addDevice = inOwnSequence('btrfs', 'addDevice');

/**
 * Moves the data of a device to the other devices and removes it from the filesystem, in a sequence
 * of its own.
 */
export const removeDevice = inOwnSequence('btrfs', 'removeDevice');

/**
 * Replaces a device of a filesystem in a sequence of its own, and waits until the copy has
 * finished.
 */
export const replaceDevice = inOwnSequence('btrfs', 'replaceDevice');

/** Returns the last or running scrub of the filesystem at a path. Needs root. */
export async function scrubStatus(path: string): Promise<driver.Scrub> {
  return naming('btrfs.scrubStatus', { path }, () => driver.scrub(currentBofh().host, path));
}

/** Returns the running or paused balance of the filesystem at a path. Needs root. */
export async function balanceStatus(path: string): Promise<driver.Balance> {
  return naming('btrfs.balanceStatus', { path }, () => driver.balance(currentBofh().host, path));
}

/**
 * Scrubs a filesystem in a sequence of its own, and waits for the end. If it finds errors it fails
 * and reports their number.
 */
export const scrub = inOwnSequence('btrfs', 'scrub');

/**
 * Balances a filesystem (rewrites its block groups) in a sequence of its own, and waits for the
 * end.
 */
export const balance = inOwnSequence('btrfs', 'balance');

/**
 * Returns whether quotas are enabled on the filesystem at a path, and its quota groups, in bytes.
 * Needs root.
 */
export async function quota(path: string): Promise<driver.Quota> {
  return naming('btrfs.quota', { path }, () => driver.quota(currentBofh().host, path));
}

/** Enables or disables quotas in a sequence of its own. */
export const setQuota = inOwnSequence('btrfs', 'setQuota');

/** Sets the limit of a subvolume, in bytes, or removes it, in a sequence of its own. */
export const limitSubvolume = inOwnSequence('btrfs', 'limitSubvolume');

/**
 * Returns the quota groups of the filesystem at a path. Throws CommandError while quotas are disabled.
 * `quota` shows whether the numbers are consistent.
 */
export async function qgroups(path: string): Promise<readonly driver.Qgroup[]> {
  return naming('btrfs.qgroups', { path }, () => driver.qgroups(currentBofh().host, path));
}

/** Creates an empty subvolume in a sequence of its own. */
export const createSubvolume = inOwnSequence('btrfs', 'createSubvolume');

/** Creates a snapshot of a subvolume in a sequence of its own. */
export const snapshot = inOwnSequence('btrfs', 'snapshot');

/**
 * Sends a read-only subvolume into a directory of this or another btrfs in a sequence of its own.
 */
export const copySubvolume = inOwnSequence('btrfs', 'copySubvolume');

/** Writes the send stream of a read-only subvolume to a new file in a sequence of its own. */
export const sendToFile = inOwnSequence('btrfs', 'sendToFile');

/** Writes the send stream of a read-only subvolume to a device in a sequence of its own. */
export const sendToDevice = inOwnSequence('btrfs', 'sendToDevice');

/** Receives a send stream from a file or device into a btrfs directory in a sequence of its own. */
export const receiveSubvolume = inOwnSequence('btrfs', 'receiveSubvolume');

/** Deletes a subvolume in a sequence of its own. */
export const removeSubvolume = inOwnSequence('btrfs', 'removeSubvolume');

/** Sets the default subvolume, which a mount without a subvolume shows, in a sequence of its own. */
export const setDefaultSubvolume = inOwnSequence('btrfs', 'setDefaultSubvolume');

/** Makes a subvolume read-only or writable in a sequence of its own. */
export const setProperty = inOwnSequence('btrfs', 'setProperty');

/**
 * Moves the content of the top level of a filesystem into a new subvolume in a sequence of its own.
 */
export const moveTopLevel = inOwnSequence('btrfs', 'moveTopLevel');

export { pruneSnapshots, rotateSnapshots, type Rotated } from './btrfs-rotation.ts';
export { type BaseStructure, createBaseStructure } from './btrfs-structure.ts';
