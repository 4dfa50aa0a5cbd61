import { currentBofh, once } from '../bofh.ts';
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

/** Every subvolume of the filesystem of a path, but its top level; paths are whole, from there. Needs root. */
export async function subvolumes(path: string): Promise<readonly driver.SubvolumeRow[]> {
  return driver.subvolumes(currentBofh().host, path);
}

/** The subvolume at a path; RefusedError when what is there is none. */
export async function subvolume(path: string): Promise<driver.Subvolume> {
  return driver.subvolume(currentBofh().host, path);
}

/** The id of the subvolume that is mounted when none is named; 5 is the top level. */
export async function defaultSubvolume(path: string): Promise<number> {
  return driver.defaultSubvolume(currentBofh().host, path);
}

/** The space of the filesystem of a path. */
export async function usage(path: string): Promise<driver.Usage> {
  return driver.usage(currentBofh().host, path);
}

/** The devices of the filesystem of a path, with what is allocated on each; bytes. Needs root. */
export async function devices(path: string): Promise<readonly driver.Device[]> {
  return driver.devices(currentBofh().host, path);
}

/** Puts a device more into a filesystem: a sequence of one. */
export const addDevice = once('btrfs', 'addDevice');

/** Moves what lies on a device to the others, and takes it out of its filesystem: a sequence of one. */
export const removeDevice = once('btrfs', 'removeDevice');

/** Puts another device in the place of one: a sequence of one, which waits for the end of the copy. */
export const replaceDevice = once('btrfs', 'replaceDevice');

/** The last scrub of the filesystem of a path, or the one that runs. Needs root. */
export async function scrubStatus(path: string): Promise<driver.Scrub> {
  return driver.scrub(currentBofh().host, path);
}

/** The balance that runs on the filesystem of a path, or waits. Needs root. */
export async function balanceStatus(path: string): Promise<driver.Balance> {
  return driver.balance(currentBofh().host, path);
}

/** Reads all of a filesystem, and waits for the end: a sequence of one. It fails with the numbers when it finds errors. */
export const scrub = once('btrfs', 'scrub');

/** Writes block groups anew, and waits for the end: a sequence of one. */
export const balance = once('btrfs', 'balance');

/** Whether the filesystem of a path counts what its subvolumes take, and its quota groups; bytes. Needs root. */
export async function quota(path: string): Promise<driver.Quota> {
  return driver.quota(currentBofh().host, path);
}

/** Turns quotas on or off: a sequence of one. */
export const setQuota = once('btrfs', 'setQuota');

/** Sets the limit of a subvolume, in bytes, or takes it away: a sequence of one. */
export const limitSubvolume = once('btrfs', 'limitSubvolume');

/** Its quota groups; CommandError while quotas are off. What their numbers are worth, `quota` tells. */
export async function qgroups(path: string): Promise<readonly driver.Qgroup[]> {
  return driver.qgroups(currentBofh().host, path);
}

/** Makes an empty subvolume: a sequence of one. */
export const createSubvolume = once('btrfs', 'createSubvolume');

/** Takes a snapshot: a sequence of one. */
export const snapshot = once('btrfs', 'snapshot');

/** Sends a read-only subvolume into a directory of this or another btrfs: a sequence of one. */
export const copySubvolume = once('btrfs', 'copySubvolume');

/** Writes the stream of a read-only subvolume into a new file: a sequence of one. */
export const sendToFile = once('btrfs', 'sendToFile');

/** Writes the stream of a read-only subvolume onto a device: a sequence of one. */
export const sendToDevice = once('btrfs', 'sendToDevice');

/** Receives the stream in a file, or on a device, into a directory of a btrfs: a sequence of one. */
export const receiveSubvolume = once('btrfs', 'receiveSubvolume');

/** Deletes a subvolume: a sequence of one. */
export const removeSubvolume = once('btrfs', 'removeSubvolume');

/** Chooses the subvolume that is mounted when none is named: a sequence of one. */
export const setDefaultSubvolume = once('btrfs', 'setDefaultSubvolume');

/** Makes a subvolume read-only or writable: a sequence of one. */
export const setProperty = once('btrfs', 'setProperty');

/** Moves what lies in the top level of a filesystem into a new subvolume: a sequence of one. */
export const moveTopLevel = once('btrfs', 'moveTopLevel');

export { pruneSnapshots, rotateSnapshots, type Rotated } from './btrfs-rotation.ts';
export { type BaseStructure, createBaseStructure } from './btrfs-structure.ts';
