import { posix } from 'node:path';
import * as z from 'zod/mini';
import type { Claims, DeviceKeys, Look, OperationSpec } from '../../atomic/operation.ts';
import { type ChangeHost, inShell, kindInWords, moveAway, type ReadHost } from '../../command/index.ts';
import { type ManualRecovery, RefusedError, UsageError } from '../../core/errors.ts';
import { option } from '../../core/option.ts';
import { subvolumeSnapshot } from '../commands.ts';
import { refuseFullMembers, watchingMembers } from '../devices.ts';
import { placeOf, reach, subvolumeKey } from '../place.ts';
import { beside, called, subvolumeAt, subvolumes } from '../reads.ts';
import { uuid } from '../schema.ts';
import type { StreamHead } from '../stream.ts';
import {
  forget,
  lookAtNewSubvolume,
  type NewSubvolume,
  createInPlace,
  newSubvolumeRecovery,
  newSubvolumeClaims,
  newSubvolumeContent,
  newSubvolumeResult,
  type NewSubvolumeResult,
  newSubvolumeUndo,
  planFor,
  syncFilesystem,
  removeCreated,
} from './new-subvolume.ts';
import { deleteById } from './remove-subvolume.ts';

/** Undo of an operation that receives a subvolume. */
export const receivedUndo = z.extend(newSubvolumeUndo, {
  /**
   * The private directory to receive into, by path from the top level: everything in it belongs to
   * the step.
   */
  inbox: z.string(),
  /** Name of the subvolume in the stream. */
  name: z.string(),
  /** Received UUID of the new subvolume. */
  streamUuid: uuid,
  /** Path from the top level of the subvolume on which an incremental stream is based. */
  base: z.nullable(z.string()),
});

type ReceivedUndo = z.infer<typeof receivedUndo>;

/** The result for the caller. */
interface Received extends NewSubvolume {
  /** UUID by which the next incremental stream finds the subvolume. */
  readonly receivedUuid: string;
}

/** The parts of an operation that do not depend on the source of the stream. */
export const receives = {
  result: newSubvolumeResult,
  lives: 'disk',
  restores: 'state',
  contains: ({ undo }) => subvolumeKey(undo),
  within: ({ undo: { fs } }) => `fs:${fs}`,
  value: ({ undo: { fs, path, streamUuid }, result }) => ({
    ...{ ...result, path, filesystem: fs },
    receivedUuid: streamUuid,
  }),
  look: ({ undo, result, host }) => lookReceived(host, undo, result),
  revert: ({ undo, result, host }) => revertReceived(host, undo, result),
  sync: ({ undo, host }) => syncFilesystem(host, undo),
  content: newSubvolumeContent,
  afterCommit: ({ undo, result, host }) => forget(host, undo, result),
} satisfies Partial<OperationSpec<unknown, ReceivedUndo, NewSubvolumeResult, Received>>;

/** Plans where to receive a stream: free names, and its base, which must exist. */
export async function planReceived(
  host: ReadHost,
  asked: { readonly into: string; readonly as: string | undefined; readonly mark: string },
  stream: StreamHead,
): Promise<ReceivedUndo> {
  const newName = asked.as ?? stream.name;
  if (['', '.', '..'].includes(newName) || newName.includes('/'))
    throw new UsageError(`"${newName}" cannot be the name of a subvolume`);
  const path = posix.join(asked.into, newName);
  const planned = await planFor(host, path, asked.mark);
  const inbox = beside(planned.inside, `in-${asked.mark}`);
  const at = posix.join(posix.dirname(planned.path), posix.basename(inbox));
  if ((await host.stat(at)) !== undefined)
    throw new RefusedError(`${at} exists already`, {
      code: 'exists',
      remedy: moveAway(at),
    });
  const { name, uuid: streamUuid, parentUuid } = stream;
  await refuseFullMembers(host, planned.fs, `receiving ${planned.path}`);
  const base = parentUuid === undefined ? null : await baseFor(host, asked.into, parentUuid);
  return { ...planned, inbox, name, streamUuid, base };
}

/** Returns the base of an incremental stream: btrfs also looks for it by this UUID. */
async function baseFor(host: ReadHost, into: string, parentUuid: string): Promise<string> {
  const { path } = await placeOf(host, into);
  const rows = await subvolumes(host, path);
  const base =
    rows.find(({ receivedUuid }) => receivedUuid === parentUuid) ??
    rows.find(({ uuid: own }) => own === parentUuid);
  if (base === undefined)
    throw new RefusedError(
      `the filesystem of ${into} does not have the parent of this incremental stream (uuid ${parentUuid})`,
      {
        remedy: `send the parent there first, or send the whole subvolume: without ${option('--parent', 'parent')}`,
      },
    );
  if (base.path !== undefined) return `/${base.path}`;
  throw new RefusedError(`${called(base)} is the parent of this stream, but its name is not UTF-8`, {
    remedy: 'rename it: the stream finds the parent by its uuid, which stays',
  });
}

/** Claims of a new subvolume, and of its base. */
export async function receivedClaims(
  undo: ReceivedUndo,
  on: (path: string) => Promise<DeviceKeys>,
): Promise<Required<Pick<Claims, 'makes' | 'needs'>>> {
  const { makes, needs } = await newSubvolumeClaims(undo, on);
  const base = undo.base === null ? [] : [subvolumeKey({ fs: undo.fs, inside: undo.base })];
  return { makes, needs: [...new Set([...needs, ...base])] };
}

/**
 * Receives into a private directory, checks that the subvolume is complete, and creates a read-only
 * snapshot of it at its path: that keeps the received UUID, and a read-only subvolume cannot be
 * moved out of the directory (EROFS).
 */
export async function receiveInto(
  host: ChangeHost,
  wanted: ReceivedUndo,
  act: (directory: string, signal: AbortSignal | undefined) => Promise<void>,
): Promise<NewSubvolumeResult> {
  const directory = await reach(host, { fs: wanted.fs, inside: posix.dirname(wanted.inside) });
  const inbox = posix.join(directory, posix.basename(wanted.inbox));
  const made = await createInPlace(host, wanted, {
    make: async (path) => {
      await host.makeDir(inbox, { mode: 0o700 });
      await watchingMembers(host, { fs: wanted.fs, what: `receiving ${wanted.path}` }, (signal) =>
        act(inbox, signal),
      );
      await expectWhole(host, inbox, wanted);
      await host.run(subvolumeSnapshot({ source: posix.join(inbox, wanted.name), path, mode: 'ro' }));
    },
    check: ({ mode, receivedUuid }) => {
      if (mode !== 'ro') return 'it is writable';
      return receivedUuid === wanted.streamUuid ? undefined : 'it has another received uuid';
    },
  });
  await clearInbox(host, wanted);
  return made;
}

/**
 * RefusedError unless the subvolume is complete: as its very last action btrfs makes it read-only
 * and sets the received UUID.
 */
async function expectWhole(host: ReadHost, inbox: string, wanted: ReceivedUndo): Promise<void> {
  const names = await host.readDir(inbox);
  const found =
    names.length === 1 && names[0] === wanted.name
      ? await subvolumeAt(host, posix.join(inbox, wanted.name))
      : undefined;
  if (found?.mode === 'ro' && found.receivedUuid === wanted.streamUuid) return;
  const what = found === undefined ? `there is ${names.join(', ') || 'nothing'}` : called(found);
  throw new RefusedError(
    `expected exactly one subvolume ${wanted.name} (of the stream ${wanted.streamUuid}), but received: ${what}`,
    { remedy: 'send it again: a file must contain exactly one stream' },
  );
}

async function lookReceived(
  host: ReadHost,
  wanted: ReceivedUndo,
  result: NewSubvolumeResult | undefined,
): Promise<Look> {
  const created = await lookAtNewSubvolume(host, wanted, result);
  const inbox = await host.stat(await inboxOf(host, wanted));
  if (inbox === undefined || created.state === 'ours') return created;
  if (inbox.kind === 'directory') return { ...created, state: 'ours' };
  return { state: 'not-ours', found: `${wanted.inbox} is ${kindInWords(inbox)}` };
}

/** Removes the received subvolume first, because its path and record prove the step. */
async function revertReceived(
  host: ChangeHost,
  wanted: ReceivedUndo,
  result: NewSubvolumeResult | undefined,
): Promise<void> {
  await clearInbox(host, wanted);
  await removeCreated(host, wanted, result);
}

async function clearInbox(host: ChangeHost, wanted: ReceivedUndo): Promise<void> {
  const inbox = await inboxOf(host, wanted);
  if ((await host.stat(inbox))?.kind !== 'directory') return;
  for (const name of await host.readDir(inbox)) {
    const path = posix.join(inbox, name);
    const subvolume = await subvolumeAt(host, path);
    if (subvolume === undefined)
      throw new RefusedError(`${path} is not a subvolume: it was not received, and stays`, {
        remedy: `see what it is: ls -ld ${inShell(path)}; then move it to another directory: mv ${inShell(path)} DIRECTORY; then: bofh recover`,
      });
    await deleteById(host, { fs: wanted.fs, subvolume });
  }
  await host.removeDir(inbox);
}

async function inboxOf(host: ReadHost, { fs, inside, inbox }: ReceivedUndo): Promise<string> {
  const directory = await reach(host, { fs, inside: posix.dirname(inside) });
  return posix.join(directory, posix.basename(inbox));
}

/** Manual recovery: also removes an incomplete copy. */
export function receivedRecovery(
  what: string,
  of: { readonly undo: ReceivedUndo; readonly result?: NewSubvolumeResult },
  way: 'back' | 'forward',
): ManualRecovery {
  const created = newSubvolumeRecovery(what, of, way);
  if (way === 'forward') return created;
  const inbox = posix.join(posix.dirname(of.undo.path), posix.basename(of.undo.inbox));
  const inner = posix.join(inbox, of.undo.name);
  return {
    what: `${created.what}; it was received as ${inner}`,
    look: [['btrfs', 'subvolume', 'show', inner], ...created.look],
    clear: [['btrfs', 'subvolume', 'delete', '--commit-each', inner], ['rmdir', inbox], ...created.clear],
  };
}
