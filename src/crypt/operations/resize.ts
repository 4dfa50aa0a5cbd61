import * as z from 'zod/mini';
import { type Look, operation } from '../../atomic/operation.ts';
import {
  partWitness,
  usersBeyond,
  sizeTooSmall,
  everyHolder,
  holders,
  reachOf,
} from '../../blockdevice/index.ts';
import {
  inShell,
  shellWords,
  type ChangeHost,
  type KeyInput,
  keyRef,
  type ReadHost,
} from '../../command/index.ts';
import { RefusedError, type Holder, UsageError } from '../../core/errors.ts';
import { option } from '../../core/option.ts';
import { sizeOption } from '../../core/request.ts';
import { absolutePath } from '../../file/path.ts';
import { type Bytes, formatSize } from '../../core/units.ts';
import { present } from '../../core/present.ts';
import { resizedRecovery } from '../manual-recovery.ts';
import { luksResize } from '../open-commands.ts';
import { checkKey } from '../check-key.ts';
import { noteOf, removeNote, writeNote } from '../../file/notes.ts';
import { lowerPath, mappings } from '../reads.ts';
import { headerFor, openLuks, roomFor, statusOf } from '../resizable.ts';
import { luksUuid, type Mapping, type MappingStatus } from '../schema.ts';

const args = z.strictObject({
  /** Name of the open device, or /dev/mapper/NAME; or the backing device. */
  name: z.exactOptional(z.string()),
  /** The backing device, instead of `name`. */
  device: z.exactOptional(z.string()),
  /** Bytes, or text such as `10g`: a multiple of 512 bytes. Missing: all the space of the backing device. */
  size: z.exactOptional(sizeOption),
  /**
   * LUKS2 keeps the volume key in the kernel, where nothing can read it, so a resize needs a key.
   */
  key: z.exactOptional(keyRef),
  /** The file with the detached header, if there is one. */
  header: z.exactOptional(absolutePath),
  /**
   * Without this confirmation the device shrinks only if its content reports that it ends before.
   */
  shrink: z.exactOptional(z.literal('lose the data beyond the new size')),
});

type Args = z.infer<typeof args>;

const undo = z.strictObject({
  name: z.string(),
  /** Distinguishes the mapping from any other with this name. */
  dmUuid: z.string(),
  luksUuid,
  device: z.string(),
  from: z.int(),
  to: z.int(),
  /** null: no key is needed. */
  key: z.nullable(keyRef),
  /** The device has that size already: then this step only creates a file in /run. */
  note: z.nullable(z.string()),
  header: z.exactOptional(absolutePath),
  /** The boot of the step, which a reboot ends; missing in journals of older versions. */
  boot: z.exactOptional(z.string()),
});

type Undo = z.infer<typeof undo>;

/**
 * Resizes an open encrypted device. Its content is not changed and must fit, also after the undo.
 * The new size lasts until the device is closed: the next opening uses the whole backing device. A
 * reboot may have opened it while it was shrunk, so after a reboot, too, the undo restores its old
 * size before that of its content. A device that has the size already is left unchanged, and the
 * step succeeds.
 */
export const resize = operation({
  kind: 'crypt.resize',
  version: 1,
  args,
  undo,
  result: z.null(),
  lives: 'boot',
  recurs: true,
  restores: 'state',
  prepare: async ({ args: asked, mark, host }): Promise<Undo> => {
    const mapping = await openLuks(host, asked);
    const { device } = await lowerPath(host, mapping);
    const status = await statusOf(host, mapping);
    const header = await headerFor(host, { file: asked.header, mapping, device });
    const to = await roomFor(host, { asked, mapping, device, header, status });
    if (to < mapping.size) await refuseLoss(host, mapping, { to, shrink: asked.shrink, inUse: status.inUse });
    const key = needsKey(mapping, status) ? givenKey(asked, mapping) : null;
    if (key !== null) await checkKey(host, key);
    const { name, dmUuid, luksUuid: uuid, size: from } = mapping;
    const note = from === to ? noteOf(mark) : null;
    const apart = present({ header: asked.header });
    const { boot } = await host.facts();
    return { name, dmUuid, luksUuid: uuid, device, from, to, key, note, ...apart, boot };
  },
  claims: async ({ undo: { name, header }, on }) => {
    const { key, beneath } = await on(`/dev/mapper/${name}`);
    return { changes: [key], needs: [...beneath, ...(header === undefined ? [] : [`file:${header}`])] };
  },
  // A device that was formatted in the same sequence is removed with all its content, so its old
  // size does not matter.
  within: ({ undo: { luksUuid: uuid, note } }) => (note === null ? `luks:${uuid}` : undefined),
  run: async ({ undo: of, host }) => {
    const now = await same(host, of);
    if (now?.name !== of.name || now.size !== of.from)
      throw new RefusedError(`/dev/mapper/${of.name} was changed concurrently; nothing was done`, {
        remedy: `look at it: bofh crypt status ${inShell(of.name)}; then run the command again`,
      });
    if (of.note === null) await change(host, of, { mapping: now, to: of.to });
    else {
      await writeNote(host, of.note);
    }
    return null;
  },
  value: ({ undo: { name, from, to } }) => ({ name, path: `/dev/mapper/${name}`, was: from, size: to }),
  look: async ({ undo: of, host }) => look(host, of),
  revert: async ({ undo: of, host }) => {
    if (of.note !== null) {
      await removeNote(host, of.note);
      return;
    }
    const now = await same(host, of);
    if (now?.size === of.to) await change(host, of, { mapping: now, to: of.from });
  },
  content: {
    lost: 'undone',
    of: 'device',
    witness: async ({ undo: of, host }) => {
      const now = of.to > of.from ? await same(host, of) : undefined;
      return now?.size === of.to ? partWitness(host, now.path, of) : undefined;
    },
    changed: async ({ undo: of, witness, touched, host }) => {
      const now = await same(host, of);
      // A later step that shrank the layer again leaves bytes behind its end.
      if (now?.size !== of.to || witness === undefined || touched) return undefined;
      return (await partWitness(host, now.path, of)) === witness
        ? undefined
        : { found: `others wrote to ${now.path} after its first ${formatSize(of.from)}` };
    },
  },
  describe: resizedRecovery,
});

function needsKey({ type }: Mapping, { keyLocation }: MappingStatus): boolean {
  return type === 'LUKS2' && keyLocation === 'keyring';
}

function givenKey({ key }: Args, { path }: Mapping): NonNullable<Undo['key']> {
  if (key !== undefined) return key;
  throw new RefusedError(
    `${path} can be resized only with a key: the kernel does not reveal the volume key`,
    {
      remedy: `name the source of its key: ${option('--key file:/PATH', "key: { from: 'file', path: '/PATH' }")}`,
    },
  );
}

async function change(
  host: ChangeHost,
  { device, luksUuid: uuid, dmUuid, key, header }: Undo,
  { mapping, to }: { readonly mapping: Mapping; readonly to: Bytes },
): Promise<void> {
  if (to < mapping.size) await refuseCut(host, mapping, to);
  const input: KeyInput | undefined =
    key === null ? undefined : { key, use: 'present', of: `${device} (LUKS ${uuid})` };
  await host.run(luksResize({ name: mapping.name, size: to, key: input, header }));
  const now = (await same(host, { dmUuid }))?.size;
  if (now !== to)
    throw new RefusedError(
      `cryptsetup reported success, but ${mapping.path} ${now === undefined ? 'is closed' : `has ${now} bytes, not ${to}`}`,
      {
        remedy: `look at it: cryptsetup status ${inShell(mapping.name)}`,
      },
    );
}

async function same(host: ReadHost, { dmUuid }: Pick<Undo, 'dmUuid'>): Promise<Mapping | undefined> {
  return (await mappings(host)).find((mapping) => mapping.dmUuid === dmUuid);
}

async function look(host: ReadHost, of: Undo): Promise<Look> {
  if (of.note !== null) return { state: (await host.stat(of.note)) === undefined ? 'gone' : 'ours' };
  const now = await same(host, of);
  if (now === undefined) await refuseClosed(host, of);
  // A closed device has no size; when opened again, it has the size of the whole backing device.
  if (now === undefined || now.size === of.from) return { state: 'gone' };
  if (now.size !== of.to)
    return {
      state: 'not-ours',
      found: `${now.path} now has ${now.size} bytes, set by another process`,
    };
  const moved = now.name === of.name ? {} : { movedTo: `map:${now.name}` };
  // The undo can harm a holder only if it shrinks the device.
  const users = of.from < of.to ? await usersBeyond(host, now.path, of.from) : [];
  return { state: 'ours', holders: users, ...moved };
}

/**
 * RefusedError if others closed a device that has grown: its content may have grown before, and the
 * undo of older steps would cut the backing device. If a reboot closed it, only those steps check.
 */
async function refuseClosed(host: ReadHost, of: Undo): Promise<void> {
  if (of.to <= of.from || of.boot !== (await host.facts()).boot) return;
  // Open under another name, it is a holder of its backing device, which is then not cut.
  if ((await mappings(host)).some(({ luksUuid: uuid }) => uuid === of.luksUuid)) return;
  const header = of.header === undefined ? [] : ['--header', of.header];
  // Only under the name of its first opening it gets the same uuid.
  const first = of.dmUuid.replace(/^CRYPT-LUKS[12]-[0-9a-f]{32}-/, '');
  const open = ['cryptsetup', 'open', ...header, of.device, first];
  throw new RefusedError(`/dev/mapper/${of.name} was closed: where its content ends is unknown`, {
    code: 'not-found',
    remedy: `open it again: ${shellWords(open)}; then run the command again`,
  });
}

/**
 * RefusedError unless the content of an open device and all its holders are known to end below a
 * size.
 */
async function refuseCut(host: ReadHost, { path }: Mapping, to: Bytes): Promise<void> {
  const users = await usersBeyond(host, path, to);
  if (users.length > 0) throw sizeTooSmall(path, to, users);
}

/**
 * Like `refuseCut`, and UsageError if the content does not report its end and the user did not
 * confirm the loss.
 */
async function refuseLoss(
  host: ReadHost,
  mapping: Mapping,
  {
    to,
    shrink,
    inUse,
  }: {
    readonly to: Bytes;
    readonly shrink: 'lose the data beyond the new size' | undefined;
    readonly inUse: boolean;
  },
): Promise<void> {
  await refuseCut(host, mapping, to);
  const { path, size } = mapping;
  const reach = await reachOf(host, path);
  if (reach !== undefined && reach.bytes !== 'unknown' && reach.bytes <= to) return;
  if (shrink === undefined)
    throw new UsageError(
      `${path} has ${formatSize(size)}: everything after the first ${formatSize(to)} would be lost`,
      { remedy: `shrink its content first; then resize({ …, shrink: 'lose the data beyond the new size' })` },
    );
  if (inUse) await refuseOpened(host, path, to);
}

/**
 * RefusedError if a process has opened the device itself, which the kernel does not list as a
 * holder.
 */
async function refuseOpened(host: ReadHost, path: string, to: Bytes): Promise<void> {
  if ((await holders(host, path)).length > 0) return;
  const found = await everyHolder(host, path);
  const unnamed: Holder = { kind: 'unknown', words: `open (fuser -v ${path})` };
  throw sizeTooSmall(path, to, found.length === 0 ? [unnamed] : found);
}
