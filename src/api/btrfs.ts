import { currentBofh, single } from '../bofh.ts';
import * as driver from '../btrfs/index.ts';
import type { Tx } from '../operations.ts';

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
export async function addDevice(
  args: Parameters<Tx['btrfs']['addDevice']>[0],
): ReturnType<Tx['btrfs']['addDevice']> {
  return single('btrfs.addDevice', (tx) => tx.btrfs.addDevice(args));
}

/** Moves what lies on a device to the others, and takes it out of its filesystem: a sequence of one. */
export async function removeDevice(
  args: Parameters<Tx['btrfs']['removeDevice']>[0],
): ReturnType<Tx['btrfs']['removeDevice']> {
  return single('btrfs.removeDevice', (tx) => tx.btrfs.removeDevice(args));
}

/** Puts another device in the place of one: a sequence of one, which waits for the end of the copy. */
export async function replaceDevice(
  args: Parameters<Tx['btrfs']['replaceDevice']>[0],
): ReturnType<Tx['btrfs']['replaceDevice']> {
  return single('btrfs.replaceDevice', (tx) => tx.btrfs.replaceDevice(args));
}

/** The last scrub of the filesystem of a path, or the one that runs. Needs root. */
export async function scrubStatus(path: string): Promise<driver.Scrub> {
  return driver.scrub(currentBofh().host, path);
}

/** The balance that runs on the filesystem of a path, or waits. Needs root. */
export async function balanceStatus(path: string): Promise<driver.Balance> {
  return driver.balance(currentBofh().host, path);
}

/** Reads all of a filesystem, and waits for the end: a sequence of one. It fails with the numbers when it finds errors. */
export async function scrub(args: Parameters<Tx['btrfs']['scrub']>[0]): ReturnType<Tx['btrfs']['scrub']> {
  return single('btrfs.scrub', (tx) => tx.btrfs.scrub(args));
}

/** Writes block groups anew, and waits for the end: a sequence of one. */
export async function balance(
  args: Parameters<Tx['btrfs']['balance']>[0],
): ReturnType<Tx['btrfs']['balance']> {
  return single('btrfs.balance', (tx) => tx.btrfs.balance(args));
}

/** Whether the filesystem of a path counts what its subvolumes take, and its quota groups; bytes. Needs root. */
export async function quota(path: string): Promise<driver.Quota> {
  return driver.quota(currentBofh().host, path);
}

/** Turns quotas on or off: a sequence of one. */
export async function setQuota(
  args: Parameters<Tx['btrfs']['setQuota']>[0],
): ReturnType<Tx['btrfs']['setQuota']> {
  return single('btrfs.setQuota', (tx) => tx.btrfs.setQuota(args));
}

/** Sets the limit of a subvolume, in bytes, or takes it away: a sequence of one. */
export async function limitSubvolume(
  args: Parameters<Tx['btrfs']['limitSubvolume']>[0],
): ReturnType<Tx['btrfs']['limitSubvolume']> {
  return single('btrfs.limitSubvolume', (tx) => tx.btrfs.limitSubvolume(args));
}

/** Its quota groups; CommandError while quotas are off. What their numbers are worth, `quota` tells. */
export async function qgroups(path: string): Promise<readonly driver.Qgroup[]> {
  return driver.qgroups(currentBofh().host, path);
}

/** Makes an empty subvolume: a sequence of one. */
export async function createSubvolume(
  args: Parameters<Tx['btrfs']['createSubvolume']>[0],
): ReturnType<Tx['btrfs']['createSubvolume']> {
  return single('btrfs.createSubvolume', (tx) => tx.btrfs.createSubvolume(args));
}

/** Takes a snapshot: a sequence of one. */
export async function snapshot(
  args: Parameters<Tx['btrfs']['snapshot']>[0],
): ReturnType<Tx['btrfs']['snapshot']> {
  return single('btrfs.snapshot', (tx) => tx.btrfs.snapshot(args));
}

/** Sends a read-only subvolume into a directory of this or another btrfs: a sequence of one. */
export async function copySubvolume(
  args: Parameters<Tx['btrfs']['copySubvolume']>[0],
): ReturnType<Tx['btrfs']['copySubvolume']> {
  return single('btrfs.copySubvolume', (tx) => tx.btrfs.copySubvolume(args));
}

/** Writes the stream of a read-only subvolume into a new file: a sequence of one. */
export async function sendToFile(
  args: Parameters<Tx['btrfs']['sendToFile']>[0],
): ReturnType<Tx['btrfs']['sendToFile']> {
  return single('btrfs.sendToFile', (tx) => tx.btrfs.sendToFile(args));
}

/** Writes the stream of a read-only subvolume onto a device: a sequence of one. */
export async function sendToDevice(
  args: Parameters<Tx['btrfs']['sendToDevice']>[0],
): ReturnType<Tx['btrfs']['sendToDevice']> {
  return single('btrfs.sendToDevice', (tx) => tx.btrfs.sendToDevice(args));
}

/** Receives the stream in a file, or on a device, into a directory of a btrfs: a sequence of one. */
export async function receiveSubvolume(
  args: Parameters<Tx['btrfs']['receiveSubvolume']>[0],
): ReturnType<Tx['btrfs']['receiveSubvolume']> {
  return single('btrfs.receiveSubvolume', (tx) => tx.btrfs.receiveSubvolume(args));
}

/** Deletes a subvolume: a sequence of one. */
export async function removeSubvolume(
  args: Parameters<Tx['btrfs']['removeSubvolume']>[0],
): ReturnType<Tx['btrfs']['removeSubvolume']> {
  return single('btrfs.removeSubvolume', (tx) => tx.btrfs.removeSubvolume(args));
}

/** Chooses the subvolume that is mounted when none is named: a sequence of one. */
export async function setDefaultSubvolume(
  args: Parameters<Tx['btrfs']['setDefaultSubvolume']>[0],
): ReturnType<Tx['btrfs']['setDefaultSubvolume']> {
  return single('btrfs.setDefaultSubvolume', (tx) => tx.btrfs.setDefaultSubvolume(args));
}

/** Makes a subvolume read-only or writable: a sequence of one. */
export async function setProperty(
  args: Parameters<Tx['btrfs']['setProperty']>[0],
): ReturnType<Tx['btrfs']['setProperty']> {
  return single('btrfs.setProperty', (tx) => tx.btrfs.setProperty(args));
}

/** Moves what lies in the top level of a filesystem into a new subvolume: a sequence of one. */
export async function moveTopLevel(
  args: Parameters<Tx['btrfs']['moveTopLevel']>[0],
): ReturnType<Tx['btrfs']['moveTopLevel']> {
  return single('btrfs.moveTopLevel', (tx) => tx.btrfs.moveTopLevel(args));
}

export { rotateSnapshots, type Rotated } from './btrfs-rotation.ts';
export { type BaseStructure, createBaseStructure } from './btrfs-structure.ts';
