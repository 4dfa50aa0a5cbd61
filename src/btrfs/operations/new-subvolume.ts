import { posix } from 'node:path';
import * as z from 'zod/mini';
import type { ContentSpec } from '../../atomic/contract.ts';
import type { Claims, DeviceKeys, Look } from '../../atomic/operation.ts';
import { type ChangeHost, kindInWords, moveAway, type ReadHost, refuseExposed } from '../../command/index.ts';
import { type ManualRecovery, ParseError, RefusedError, UsageError } from '../../core/errors.ts';
import { moveNew } from '../../file/move-new.ts';
import { filesystemSync } from '../commands.ts';
import { anyRoot, keysAround, mountsOf, placeFor, reach, subvolumeKey } from '../place.ts';
import { beside, holdersOf, subvolumeAt, subvolumeById, subvolumes } from '../reads.ts';
import { type Subvolume, uuid } from '../schema.ts';
import { deleteById } from './remove-subvolume.ts';
import { present } from '../../core/present.ts';

/** Undo of an operation that creates a subvolume. */
export const newSubvolumeUndo = z.strictObject({
  fs: uuid,
  /** A mounted device of the filesystem. */
  device: z.string(),
  /** Paths from the top level of the filesystem: of the new subvolume … */
  inside: z.string(),
  /** … its private name until it is complete … */
  private: z.string(),
  /** … and of the file that records which subvolume that was, until the commit: proves the step. */
  record: z.string(),
  /** Path of the new subvolume on the host. Only shown. */
  path: z.string(),
  mounted: z.string(),
});

export type NewSubvolumeUndo = z.infer<typeof newSubvolumeUndo>;

/** Known only after the act, because the kernel chooses both. */
export const newSubvolumeResult = z.strictObject({ id: z.int(), uuid });

export type NewSubvolumeResult = z.infer<typeof newSubvolumeResult>;

/** The result of such an operation for the caller. */
export interface NewSubvolume extends NewSubvolumeResult {
  readonly path: string;
  readonly filesystem: string;
}

/** Returns free names for a new subvolume at this path. */
export async function planFor(host: ReadHost, path: string, mark: string): Promise<NewSubvolumeUndo> {
  refuseName(path);
  const { fs, inside, mount, path: real } = await placeFor(host, path);
  await refuseExposed(host, real, 'new');
  if (mount.superOptions.split(',').includes('ro') || mount.options.split(',').includes('ro'))
    throw new RefusedError(`${real} is on a filesystem that is mounted read-only`, {
      remedy: `mount -o remount,rw ${mount.path}`,
    });
  const [own, record] = [beside(inside, mark), beside(inside, `uuid-${mark}`)];
  const wanted = { fs, device: mount.source, inside, private: own, record, path: real, mounted: mount.path };
  for (const name of [inside, own, record]) {
    const at = posix.join(posix.dirname(real), posix.basename(name));
    const stat = await host.stat(at);
    if (stat !== undefined) throw taken(at, `there is ${kindInWords(stat)} of that name`);
  }
  return wanted;
}

/** UsageError for a path that is invalid for a new subvolume. */
export function refuseName(path: string): void {
  const name = posix.basename(path);
  if (!path.startsWith('/') || path.includes('\0')) throw new UsageError(`"${path}" is not an absolute path`);
  if (['', '.', '..'].includes(name) || Buffer.byteLength(name) > 255)
    throw new UsageError(`"${name}" cannot be the name of a subvolume`);
  if (name.startsWith('.bofh-')) throw new UsageError(`names that begin with .bofh- are reserved for bofh`);
}

/**
 * Claims: creates the name, and needs the filesystem and everything above. `on` returns the keys of
 * the device.
 */
export async function newSubvolumeClaims(
  undo: NewSubvolumeUndo,
  on: (path: string) => Promise<DeviceKeys>,
): Promise<Required<Pick<Claims, 'makes' | 'needs'>>> {
  const { key, beneath } = await on(undo.device);
  const needs = [...keysAround(undo), key, ...beneath];
  return { makes: [subvolumeKey(undo)], needs: [...new Set(needs)] };
}

/**
 * Creates a subvolume at its path: first under the private name, then recorded (the kernel chooses
 * its uuid), and then renamed, replacing nothing. `make` gets the path to create it at; `check`
 * describes what is wrong with the result.
 */
export async function createInPlace(
  host: ChangeHost,
  wanted: NewSubvolumeUndo,
  how: {
    readonly make: (path: string) => Promise<void>;
    readonly check?: (made: Subvolume) => string | undefined;
  },
): Promise<NewSubvolumeResult> {
  const [path, own, record] = await pathsOf(host, wanted);
  if ((await host.stat(path)) !== undefined) throw taken(path, 'it appeared meanwhile');
  await how.make(own);
  const made = await subvolumeAt(host, own);
  const wrong = made === undefined ? 'there is no subvolume of that name' : how.check?.(made);
  if (made?.uuid === undefined || wrong !== undefined)
    throw new RefusedError(`btrfs did not create ${own}: ${wrong ?? 'it has no uuid'}`, {
      remedy: `see what is there: btrfs subvolume show ${own}`,
    });
  await host.writeNew(record, `${made.id} ${made.uuid}\n`, { mode: 0o600 });
  await host.run(moveNew(own, path));
  const placed = await subvolumeAt(host, path);
  if (placed?.id !== made.id || placed.uuid !== made.uuid) throw taken(path, 'it appeared meanwhile');
  return { id: made.id, uuid: made.uuid };
}

async function pathsOf(
  host: ReadHost,
  wanted: NewSubvolumeUndo,
): Promise<readonly [path: string, own: string, record: string]> {
  const directory = await reach(host, { fs: wanted.fs, inside: posix.dirname(wanted.inside) });
  const at = (inside: string): string => posix.join(directory, posix.basename(inside));
  return [at(wanted.inside), at(wanted.private), at(wanted.record)];
}

interface Survey {
  /** The subvolume that the step created, wherever it is. */
  readonly own: Subvolume | undefined;
  /** Content of the record, if it exists. */
  readonly recorded: string | undefined;
  /** Description of another object at one of the private names. */
  readonly found: string | undefined;
}

/**
 * Finds what the step left: the private name and the record prove it. Identifies a recorded
 * subvolume by id and uuid, wherever it was moved; an unrecorded one only by the two names.
 */
async function survey(
  host: ReadHost,
  asked: NewSubvolumeUndo,
  result: NewSubvolumeResult | undefined,
): Promise<Survey> {
  const wanted = await whereNow(host, asked, result);
  const [path, own, record] = await pathsOf(host, wanted);
  const recordStat = await host.stat(record);
  const ownStat = await host.stat(own);
  if (recordStat !== undefined && recordStat.kind !== 'file')
    return { own: undefined, recorded: undefined, found: `${record} is ${kindInWords(recordStat)}` };
  if (recordStat === undefined) {
    const made = ownStat === undefined ? undefined : await subvolumeAt(host, own);
    const foreign = ownStat !== undefined && made === undefined;
    return { own: made, recorded: undefined, found: foreign ? `${own} is not a subvolume` : undefined };
  }
  const known = recordOf(await host.readFile(record), record);
  // A record that a power cut emptied identifies nothing; its subvolume then still has the private
  // name.
  const made =
    known === undefined
      ? await subvolumeAt(host, own)
      : await subvolumeById(host, { fs: wanted.fs, id: known.id });
  const mine = known === undefined || made?.uuid === known.uuid ? made : undefined;
  const there = await host.stat(path);
  const isOurs = there !== undefined && mine !== undefined && (await subvolumeAt(host, path))?.id === mine.id;
  const other =
    there === undefined || isOurs ? undefined : `${path} was not created by this sequence and stays`;
  return { own: mine, recorded: record, found: other };
}

/**
 * Returns the names in the directory that contains the private name or the record now: others may
 * have renamed it, or a directory above it.
 */
async function whereNow(
  host: ReadHost,
  wanted: NewSubvolumeUndo,
  result: NewSubvolumeResult | undefined,
): Promise<NewSubvolumeUndo> {
  const [, ...proofs] = await pathsOf(host, wanted);
  for (const proof of proofs) if ((await host.stat(proof)) !== undefined) return wanted;
  const found =
    result === undefined
      ? (await subvolumes(host, await anyRoot(host, wanted.fs))).find(
          ({ path }) => posix.basename(path ?? '') === posix.basename(wanted.private),
        )
      : await subvolumeById(host, { fs: wanted.fs, id: result.id });
  if (found?.path === undefined || (result !== undefined && found.uuid !== result.uuid)) return wanted;
  const directory = posix.dirname(`/${found.path}`);
  const at = (inside: string): string => posix.join(directory, posix.basename(inside));
  const { inside, private: own, record } = wanted;
  return { ...wanted, inside: at(inside), private: at(own), record: at(record) };
}

function recordOf(content: Uint8Array, path: string): NewSubvolumeResult | undefined {
  if (content.length === 0) return undefined;
  const text = new TextDecoder().decode(content);
  const parts = /^(?<id>\d+) (?<uuid>[0-9a-f-]{36})\n$/.exec(text)?.groups;
  if (parts?.uuid === undefined) throw new ParseError(`${path}: ${JSON.stringify(text)} names no subvolume`);
  return { id: Number(parts.id), uuid: parts.uuid };
}

export async function lookAtNewSubvolume(
  host: ReadHost,
  wanted: NewSubvolumeUndo,
  result?: NewSubvolumeResult,
): Promise<Look> {
  const { own, recorded, found } = await survey(host, wanted, result);
  if (own === undefined && recorded === undefined)
    return found === undefined ? { state: 'gone' } : { state: 'not-ours', found };
  if (own === undefined) return { state: 'ours', ...present({ found }) };
  const at = own.path === undefined ? undefined : `/${own.path}`;
  const known = [wanted.inside, wanted.private];
  const moved =
    at === undefined || known.includes(at) ? {} : { movedTo: subvolumeKey({ ...wanted, inside: at }) };
  const holders = await holdersOf(host, { fs: wanted.fs, subvolume: own });
  return { state: 'ours', holders, ...present({ found }), ...moved };
}

/**
 * Detects writes into the subvolume: btrfs increments its generation with each commit that changed
 * it.
 */
export const newSubvolumeContent: ContentSpec<NewSubvolumeUndo, NewSubvolumeResult> = {
  lost: 'undone',
  of: 'files',
  witness: async ({ undo, result, host }) => {
    const { own } = await survey(host, undo, result);
    return own === undefined ? undefined : `${String(own.generation)} ${own.mode}`;
  },
  changed: async ({ undo, result, witness, host }) => {
    // Writes are counted when they are committed to disk.
    await syncFilesystem(host, undo);
    const { own } = await survey(host, undo, result);
    if (own === undefined) return undefined;
    // For an interrupted step the generation of creation is known.
    const was = witness ?? `${String(own.madeIn)} ${own.mode}`;
    if (`${String(own.generation)} ${own.mode}` === was) return undefined;
    return {
      found: `its generation and mode are ${String(own.generation)} ${own.mode}, before: ${was}`,
      holders: await holdersOf(host, { fs: undo.fs, subvolume: own }),
    };
  },
};

/** Deletes the subvolume by its id; removes the record last, because it proves the step. */
export async function removeCreated(
  host: ChangeHost,
  wanted: NewSubvolumeUndo,
  result?: NewSubvolumeResult,
): Promise<void> {
  const { own, recorded } = await survey(host, wanted, result);
  if (own !== undefined) await deleteById(host, { fs: wanted.fs, subvolume: own });
  if (recorded !== undefined) await host.removeFile(recorded);
}

/** Removes the record after the commit. */
export async function forget(
  host: ChangeHost,
  wanted: NewSubvolumeUndo,
  result?: NewSubvolumeResult,
): Promise<void> {
  const now = await whereNow(host, wanted, result);
  const record = await reach(host, { ...now, inside: now.record });
  if ((await host.stat(record))?.kind === 'file') await host.removeFile(record);
  const directory = posix.dirname(record);
  if ((await host.stat(directory)) !== undefined) await host.sync(directory);
}

/**
 * Syncs the whole filesystem, because a new subvolume is in no file. Does nothing for an unmounted
 * filesystem, because unmounting has written everything.
 */
export async function syncFilesystem(host: ChangeHost, { fs }: { readonly fs: string }): Promise<void> {
  const [mount] = await mountsOf(host, fs);
  if (mount !== undefined) await host.run(filesystemSync(await anyRoot(host, fs)));
}

/** Manual recovery: identifies the subvolume by id and uuid if they are known. */
export function newSubvolumeRecovery(
  what: string,
  { undo, result }: { readonly undo: NewSubvolumeUndo; readonly result?: NewSubvolumeResult },
  way: 'back' | 'forward',
): ManualRecovery {
  const directory = posix.dirname(undo.path);
  const [own, record] = [undo.private, undo.record].map((each) =>
    posix.join(directory, posix.basename(each)),
  );
  const known = result === undefined ? '' : ` (id ${result.id}, uuid ${result.uuid})`;
  const removal =
    result === undefined
      ? ['btrfs', 'subvolume', 'delete', '--commit-each', own ?? '']
      : ['btrfs', 'subvolume', 'delete', '--commit-each', '--subvolid', String(result.id), undo.mounted];
  return {
    what: `${what} ${undo.path}${known} of the btrfs ${undo.fs}, created as ${own ?? ''}; ${record ?? ''} has its id and uuid`,
    look: [
      ['btrfs', 'subvolume', 'list', '-a', '-u', directory],
      ['cat', record ?? ''],
    ],
    clear: way === 'back' ? [removal, ['rm', record ?? '']] : [['rm', record ?? '']],
  };
}

function taken(path: string, how: string): RefusedError {
  return new RefusedError(`${path} exists already: ${how}`, {
    code: 'exists',
    remedy: `${moveAway(path)}; or choose another name`,
  });
}
