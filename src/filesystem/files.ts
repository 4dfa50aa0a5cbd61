import type { Changed } from '../atomic/operation.ts';
import {
  deviceNode,
  type DeviceNode,
  everyHolder,
  holders,
  inWords,
  locate,
  type MountEntry,
  mountsOn,
  probe,
  visible,
} from '../blockdevice/index.ts';
import { type ChangeHost, orMissing, type ReadHost } from '../command/index.ts';
import { CommandError, type Holder, ParseError } from '../core/errors.ts';
import { debugfsFeatures, debugfsRoot, type Files, listFiles, listUnmounted } from './commands/files.ts';

/** A filesystem by its UUID, and its device. */
export interface Filesystem {
  readonly device: string;
  /**
   * Result of `identityOf`: the device may have another path now, and its path may belong to
   * another device.
   */
  readonly identity: string;
  readonly filesystem: string;
}

/**
 * Returns the node of the device; undefined if the device was removed. RefusedError while it is
 * only missing.
 */
export async function nodeOf(
  host: ReadHost,
  { device, identity }: Pick<Filesystem, 'device' | 'identity'>,
): Promise<DeviceNode | undefined> {
  const path = await locate(host, { path: device, identity });
  return path === undefined ? undefined : orMissing(deviceNode(host, path));
}

/** Returns the device if it still has that filesystem; undefined if either is gone. */
export async function holding(
  host: ReadHost,
  { filesystem, ...of }: Filesystem,
): Promise<(DeviceNode & { readonly type: string }) | undefined> {
  const node = await nodeOf(host, of);
  const there = node === undefined ? undefined : await orMissing(probe(host, node.path));
  return node !== undefined && there?.uuid === filesystem ? { ...node, type: there.type } : undefined;
}

/**
 * Returns a witness of the files of a mounted filesystem, for `filesChanged`; undefined if no mount
 * shows its whole tree.
 */
export async function filesWitness(host: ReadHost, of: Filesystem): Promise<string | undefined> {
  const node = await nodeOf(host, of);
  if (node === undefined) return undefined;
  const mounted = await wholeAt(host, node);
  return mounted === undefined ? undefined : witnessOf(await host.run(listFiles(mounted.path)));
}

/**
 * Returns a mount that shows the whole filesystem of a device, and is not hidden by another mount.
 */
export async function wholeAt(host: ReadHost, { path }: DeviceNode): Promise<MountEntry | undefined> {
  return visible(
    host,
    (await mountsOn(host, path)).filter(({ root }) => root === '/'),
  );
}

/** A filesystem with its current files. */
export interface Listed {
  readonly node: DeviceNode;
  readonly files: Files;
}

/**
 * Returns the files of a filesystem, mounted or not. Undefined: the device is gone, or has another
 * filesystem. `Changed` if a use prevents reading: by a guest, by a device on top of it, or by a
 * mount that another one hides.
 */
export async function filesOf(
  host: ChangeHost,
  of: Filesystem,
): Promise<Listed | { readonly changed: Changed } | undefined> {
  const node = await holding(host, of);
  if (node === undefined) return undefined;
  const mounted = await wholeAt(host, node);
  const others = (await holders(host, node.path)).filter(
    ({ kind }) => mounted === undefined || (kind !== 'mount' && kind !== 'btrfs'),
  );
  if (others.length > 0)
    return {
      changed: {
        found: `${node.path} is in use: ${inWords(others)}, so its files cannot be compared`,
        holders: others,
      },
    };
  if (mounted !== undefined) return { node, files: await host.run(listFiles(mounted.path)) };
  return { node, files: (await nothingIn(host, node)) ?? (await unmountedFiles(host, node)) };
}

/**
 * Returns what others have changed in a filesystem since its witness; without a witness, since it
 * was empty. Names the newest files.
 */
export async function filesChanged(
  host: ChangeHost,
  of: Filesystem,
  witness: string | undefined,
): Promise<Changed | undefined> {
  const listed = await filesOf(host, of);
  if (listed === undefined || 'changed' in listed) return listed?.changed;
  const { node, files } = listed;
  const found = differenceOf(files, witness ?? witnessOf(none));
  return found === undefined ? undefined : { found, holders: await otherHolders(host, node) };
}

/** Returns a witness of the files below a directory, for `directoryChanged`. */
export async function directoryWitness(host: ReadHost, path: string): Promise<string> {
  return witnessOf(await host.run(listFiles(path)));
}

/** Returns what others have changed below a directory since its witness, with the newest files. */
export async function directoryChanged(
  host: ReadHost,
  path: string,
  witness: string,
): Promise<string | undefined> {
  return differenceOf(await host.run(listFiles(path)), witness);
}

/** Describes the difference; undefined if others can have changed none of these files. */
function differenceOf(files: Files, before: string): string | undefined {
  if (witnessOf(files) === before) return undefined;
  const [count = '', newest = ''] = before.split(' ');
  const areFewer = files.entries.length < Number(count);
  // An interrupted undo has removed files, which changes the time of their directory.
  const later = files.entries.filter(
    ({ type, changed }) => Number(changed) > Number(newest) && !(areFewer && type === 'd'),
  );
  if (later.length > 0) return named(later);
  return areFewer
    ? undefined
    : `its files are not the same: ${String(files.entries.length)} now, ${count} before`;
}

/**
 * Lists files with the time of their last change, newest first: three of them, and the number of
 * the others.
 */
export function named(entries: Files['entries']): string {
  const newest = entries.toSorted((one, other) => Number(other.changed) - Number(one.changed));
  const words = newest.slice(0, 3).map(({ path, changed }) => `${nameOf(path)} (${timeOf(changed)})`);
  const more = entries.length - words.length;
  return `others wrote ${words.join(', ')}${more > 0 ? ` and ${String(more)} more` : ''}`;
}

/** Returns the holders of a device other than its mounts, for example processes with open files. */
export async function otherHolders(host: ReadHost, node: DeviceNode): Promise<readonly Holder[]> {
  return (await everyHolder(host, node.path)).filter(({ kind }) => kind !== 'mount' && kind !== 'btrfs');
}

const none: Files = { entries: [], digest: '' };

function witnessOf({ entries, digest }: Files): string {
  const newest = entries.reduce((most, { changed }) => Math.max(most, Number(changed)), 0);
  return `${String(entries.length)} ${String(newest)} ${entries.length === 0 ? '' : digest}`;
}

function nameOf(path: string): string {
  return JSON.stringify(Buffer.from(path, 'latin1').toString('utf8'));
}

function timeOf(seconds: string): string {
  return `${new Date(Number(seconds) * 1000).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

/**
 * Lists the files of an unmounted filesystem. Empty if this kernel cannot mount the type: then
 * nothing on this host can have written one.
 */
async function unmountedFiles(
  host: ChangeHost,
  { path, type }: DeviceNode & { readonly type: string },
): Promise<Files> {
  try {
    return await host.run(listUnmounted(path, type));
  } catch (error) {
    if (error instanceof CommandError && /unknown filesystem type/.test(error.stderr)) return none;
    throw error;
  }
}

/** Answers the usual case fast, without a mount: an empty, cleanly unmounted ext2, ext3 or ext4. */
async function nothingIn(
  host: ReadHost,
  { path, type }: DeviceNode & { readonly type: string },
): Promise<Files | undefined> {
  if (!/^ext[234]$/.test(type)) return undefined;
  // After a power cut files may exist only in the journal, which debugfs does not read.
  if ((await host.run(debugfsFeatures(path))).includes('needs_recovery')) return undefined;
  const namesIn = (directory: '/' | '/lost+found'): Promise<readonly string[]> =>
    host.run(debugfsRoot(path, directory)).catch((error: unknown) => {
      // A name that is not UTF-8 makes the listing unreadable; only an empty root is certain to be
      // readable.
      if (error instanceof ParseError) return ['?'];
      throw error;
    });
  const names = await namesIn('/');
  if (names.length === 0) return none;
  return names.join() === 'lost+found' && (await namesIn('/lost+found')).length === 0 ? none : undefined;
}
