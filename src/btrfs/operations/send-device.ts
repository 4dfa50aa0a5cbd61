import * as z from 'zod/mini';
import { type Look, operation } from '../../atomic/operation.ts';
import {
  checkOverwrite,
  contentInWords,
  deviceNode,
  holders,
  identityOf,
  isZero,
  locate,
  movedFrom,
  namingHolders,
  overwriteSchema,
  partWitness,
  probe,
  recognise,
  refuseHeld,
  replaceable,
  sameContent,
  signatureSchema,
  size as sizeOfDevice,
  syncDevice,
  wipeSignatures,
  writeBytes,
} from '../../blockdevice/index.ts';
import { type ChangeHost, nothing, type ReadHost } from '../../command/index.ts';
import { CommandError, RefusedError } from '../../core/errors.ts';
import { option } from '../../core/option.ts';
import type { Bytes } from '../../core/units.ts';
import { refuseFullBeneath, watchingRoom } from '../../lvm/index.ts';
import { uuid } from '../schema.ts';
import { ontoDevice, send } from '../send-commands.ts';
import { streamOn } from '../stream.ts';
import {
  block,
  guardOffset,
  hasGuard,
  hasMark,
  markBytes,
  markOffset,
  refuseSmall,
  refuseStream,
  sentRecovery,
} from './sent-device.ts';
import { askedSource, planSent, sentNeeds, sentPaths, sentUndo } from './sent.ts';

const undo = z.strictObject({
  ...sentUndo,
  device: z.string(),
  /** Identity of the device: its path may belong to another device later. */
  identity: z.string(),
  /** Name of the device at that time. */
  key: z.string(),
  /** Key of the device whose removal also removes the stream. */
  container: z.string(),
  /** Size of the device in bytes. */
  size: z.int(),
  /** Text in its last block until the commit. */
  mark: z.string(),
  /** The UUID of the subvolume in the stream: btrfs receive stores it as received UUID. */
  streamUuid: uuid,
  /** Previous content of the device, and its previous stream; null: none. */
  before: z.nullable(signatureSchema),
  streamBefore: z.nullable(uuid),
});

type Undo = z.infer<typeof undo>;

/**
 * `tx.btrfs.sendToDevice`: writes the stream of a read-only subvolume onto an unused block device,
 * from its first byte on. Refuses content that `overwrite` does not name, including another stream.
 * A marker in the last block proves the step until the commit. Undo leaves the device blank, even
 * if something was overwritten: `restores: 'existence'`.
 */
export const sendToDevice = operation({
  kind: 'btrfs.send.device',
  version: 1,
  args: z.strictObject({
    ...askedSource,
    /** The device to which the stream is written, from its first byte. */
    device: z.string().check(z.minLength(1)),
    /** The content of the device that may be lost (default: it must be blank). */
    overwrite: z.exactOptional(overwriteSchema),
  }),
  undo,
  result: z.null(),
  lives: 'disk',
  restores: 'existence',
  prepare: async ({ args: { device, overwrite, ...asked }, mark, host, chosen }): Promise<Undo> => {
    checkOverwrite(overwrite);
    const { stream, source, parent } = await planSent(host, asked);
    const size = await sizeOfDevice(host, device);
    refuseSmall(device, size);
    const streamBefore = (await streamOn(host, (await deviceNode(host, device)).path))?.uuid ?? null;
    if (streamBefore !== null) refuseStream(device, { uuid: streamBefore, overwrite });
    const named = streamBefore === null ? overwrite : undefined;
    const when = chosen === undefined ? 'before the locks' : 'under the locks';
    const before = (await replaceable(host, { device, overwrite: named, when, stream: 'known' })) ?? null;
    await refuseFullBeneath(host, device, `sending to ${device}`);
    const { identity, key, container } = await identityOf(host, device);
    const where = { device, identity, key, container, size, mark };
    return { ...{ source, parent }, ...where, streamUuid: stream.uuid, before, streamBefore };
  },
  claims: async ({ undo: of, on }) => {
    const { key, beneath } = await on(of.device);
    const needs = [...new Set([...beneath, ...(await sentNeeds(of, on))])];
    return { makes: [`stream:${key}`], changes: [key], needs };
  },
  within: ({ undo: { container } }) => container,
  run: async ({ undo: of, host }) => {
    const path = await recheck(host, of);
    const sent = await sentPaths(host, of);
    await wipe(host, path, of);
    // The marker must be durable before the stream: an older stream of the same subvolume must not
    // be mistaken for this one.
    const marks = Buffer.concat([markBytes(of), markBytes(of)]);
    await host.run(writeBytes(path, { offset: guardOffset(of), bytes: marks }));
    if (!(await hasMark(host, path, of)) || !(await hasGuard(host, path, of)))
      throw unmarked(of, 'has written no');
    await clear(host, path, 0);
    const onto = ontoDevice(path, markOffset(of));
    try {
      await namingHolders(host, path, () =>
        watchingRoom(host, { devices: [path], what: `sending to ${of.device}` }, (signal) =>
          host.pipe({ commands: [send(sent), { ...onto, signal }], parse: nothing }),
        ),
      );
    } catch (error) {
      // btrfs is killed by SIGPIPE when dd stops at its limit.
      if (!(error instanceof CommandError) || (await hasGuard(host, path, of))) throw error;
      throw await tooSmall(host, path, of, error);
    }
    await expectSent(host, path, of);
    await host.sync(path);
    return null;
  },
  value: ({ undo: { device, streamUuid } }) => ({ device, uuid: streamUuid }),
  look: async ({ undo: of, host }) => (await find(host, of)).look,
  revert: async ({ undo: of, host }) => {
    const { path, look } = await find(host, of);
    if (look.state !== 'ours' || path === undefined) return;
    await refuseHeld(host, path, look.holders ?? []);
    await namingHolders(host, path, () => erase(host, path, of));
  },
  content: {
    lost: 'undone',
    of: 'device',
    witness: async ({ undo: of, host }) => {
      const { path, look } = await find(host, of);
      return look.state === 'ours' && path !== undefined ? startWitness(host, path, of) : undefined;
    },
    changed: async ({ undo: of, witness, touched, host }) => {
      const { path, look } = await find(host, of);
      if (look.state !== 'ours' || path === undefined) return undefined;
      // An interrupted undo has cleared the block already.
      if (await isZero(host, path, block)) return undefined;
      const isSame =
        witness === undefined
          ? await isOwnStart(host, path, of)
          : touched || (await startWitness(host, path, of)) === witness;
      return isSame ? undefined : { found: `others wrote to the start of ${path}` };
    },
  },
  sync: ({ undo: of, host }) => syncDevice(host, of),
  // Only this step reads the marker. On a device with other content now, its block no longer
  // belongs to the step.
  afterCommit: async ({ undo: of, host }) => {
    const { path, look } = await find(host, of);
    if (look.state !== 'ours' || path === undefined) return;
    await unmark(host, path, of);
  },
  describe: ({ undo: of, way }) => sentRecovery(of, way),
});

/** The witness of the start of the stream, which the undo clears: blkid recognises no stream. */
async function startWitness(host: ReadHost, path: string, { size }: Undo): Promise<string> {
  return partWitness(host, path, { from: 0, to: Math.min(size, 128 * 1024) });
}

/** Whether an interrupted step left the start: with no stream, the previous one, or its own. */
async function isOwnStart(host: ReadHost, path: string, of: Undo): Promise<boolean> {
  const found = (await streamOn(host, path))?.uuid;
  return found === undefined || [of.streamUuid, of.streamBefore].includes(found);
}

/** Checks the device for the last time before data is lost. */
async function recheck(host: ReadHost, of: Undo): Promise<string> {
  const { path } = await deviceNode(host, of.device);
  const { identity } = await identityOf(host, path);
  await refuseHeld(host, path, await holders(host, path));
  const now = await recognise(host, path);
  const stream = (await streamOn(host, path))?.uuid ?? null;
  if (identity === of.identity && sameContent(now, of.before ?? undefined) && stream === of.streamBefore)
    return path;
  throw new RefusedError(`${of.device} has changed; nothing was written`, {
    remedy: `see what it holds: blkid -p ${of.device}; then run the command again`,
  });
}

/**
 * RefusedError unless the device has the stream and the marker. btrfs may have exited without
 * writing; a stream may also overwrite the marker, or look like something else.
 */
async function expectSent(host: ChangeHost, path: string, of: Undo): Promise<void> {
  const sent = (await streamOn(host, path))?.uuid;
  if (sent !== of.streamUuid)
    throw new RefusedError(`btrfs has sent ${sent ?? 'nothing'}, not the subvolume ${of.streamUuid}`, {
      remedy: `see what it holds: blkid -p ${path}; then run the command again`,
    });
  if (!(await hasGuard(host, path, of))) throw await tooSmall(host, path, of);
  const found = await recognise(host, path);
  if (found === undefined) return;
  await host.run(wipeSignatures(path));
  await erase(host, path, of);
  throw new RefusedError(
    `the stream on ${of.device} would be recognised as ${contentInWords(found)}: the device was erased again`,
    {
      remedy: `send it into a file: ${option('--to-file', 'btrfs.sendToFile')}`,
    },
  );
}

/**
 * Returns the error for a device that is too small. Clears the first of the two markers, which the
 * stream itself has overwritten here; after a crash, others may have.
 */
async function tooSmall(host: ChangeHost, path: string, of: Undo, cause?: unknown): Promise<RefusedError> {
  await clear(host, path, guardOffset(of));
  const { device } = of;
  return new RefusedError(`${device} is too small for the stream`, {
    code: 'no-space',
    cause,
    remedy: 'use a larger one',
  });
}

/** Removes the marker last, because it proves the step. */
async function erase(host: ChangeHost, path: string, of: Undo): Promise<void> {
  await clear(host, path, 0);
  if ((await streamOn(host, path)) !== undefined) throw unmarked(of, 'has left the stream on it, and its');
  await unmark(host, path, of);
}

async function unmark(host: ChangeHost, path: string, of: Undo): Promise<void> {
  // Leaves what others wrote over the first marker untouched. Clears the marker that identifies the
  // device last.
  if (await hasGuard(host, path, of)) await clear(host, path, guardOffset(of));
  const isLeft = await hasGuard(host, path, of);
  if (!isLeft) await clear(host, path, markOffset(of));
  if (isLeft || (await hasMark(host, path, of))) throw unmarked(of, 'has left its');
}

async function clear(host: ChangeHost, path: string, offset: Bytes): Promise<void> {
  await host.run(writeBytes(path, { offset, bytes: new Uint8Array(block) }));
}

/** The error if dd exited with 0 without writing. */
function unmarked(of: Undo, how: string): RefusedError {
  return new RefusedError(`dd has ended, and ${how} tag on ${of.device}`, {
    remedy: `see the end of ${of.device}: od --format=c --skip-bytes=${guardOffset(of)} ${of.device}`,
  });
}

/**
 * Wipes the previous content. RefusedError if wipefs leaves some of it, because the tag would
 * damage what is left.
 */
async function wipe(host: ChangeHost, path: string, { before, device }: Undo): Promise<void> {
  if (before === null) return;
  await host.run(wipeSignatures(path));
  const left = await recognise(host, path);
  if (left === undefined) return;
  throw new RefusedError(`wipefs has left ${contentInWords(left)} on ${device}`, {
    remedy: `see what it is: wipefs ${device}`,
  });
}

async function find(host: ReadHost, of: Undo): Promise<{ readonly path?: string; readonly look: Look }> {
  const path = await locate(host, { path: of.device, identity: of.identity });
  if (path === undefined) return { look: { state: 'gone' } };
  if ((await sizeOfDevice(host, path)) < of.size)
    return { path, look: { state: 'not-ours', found: `${path} was made smaller` } };
  const now = await probe(host, path);
  if (now === undefined && (await hasMark(host, path, of))) {
    const moved = await movedFrom(host, path, of.key);
    return { path, look: { state: 'ours', holders: await holders(host, path), ...moved } };
  }
  if (now === undefined || sameContent(now, of.before ?? undefined)) return { path, look: { state: 'gone' } };
  return { path, look: { state: 'not-ours', found: `${path} holds ${contentInWords(now)}` } };
}
