import * as z from 'zod/mini';
import { deferred, type Look, operation } from '../../atomic/operation.ts';
import { inShell, type ChangeHost, type KeyRef, keyRef, type ReadHost } from '../../command/index.ts';
import { IdentityTaken, RefusedError, UsageError } from '../../core/errors.ts';
import { option } from '../../core/option.ts';
import { addedRecovery, toRemoveRecovery } from '../manual-recovery.ts';
import { keyOpens } from '../reads.ts';
import { checkKey } from '../check-key.ts';
import { costArgs, kdfFor, memoryFor } from '../cost.ts';
import type { LuksHeader } from '../schema.ts';
import {
  claimsOnKeys,
  emptySlot,
  fillSlot,
  findKnown,
  freeSlot,
  keyOf,
  type KnownDevice,
  knownDevice,
  lookForOther,
  luksDevice,
  newSlot,
  refuseLast,
  whoseSlot,
} from '../slots.ts';

const slotNumber = z.int().check(z.minimum(0));
const addArgs = z.strictObject({
  /** The encrypted device, or the file with its detached header. */
  device: z.string().check(z.minLength(1)),
  /** A key that opens the device now. */
  key: keyRef,
  /** The key to add, or the one that replaces the old key. */
  newKey: keyRef,
  /** Missing: the lowest free slot. */
  slot: z.exactOptional(slotNumber),
  ...costArgs,
});

const addUndo = z.extend(newSlot, { newKey: keyRef });
const result = z.strictObject({ salt: z.string() });
type AddUndo = z.infer<typeof addUndo>;

/**
 * Adds a key in a free slot. Recovery recognises the slot by its salt or, if the salt is unknown,
 * by the new key, which opens this slot. The undo destroys the slot, but never the last one.
 */
export const addKey = operation({
  kind: 'crypt.key.add',
  version: 1,
  args: addArgs,
  undo: addUndo,
  result,
  lives: 'disk',
  restores: 'state',
  prepare: async ({ args, host, chosen }): Promise<AddUndo> => {
    return (await prepareSlot(host, args, chosen)).undo;
  },
  claims: ({ undo, on }) => claimsOnKeys(undo, on),
  within: ({ undo: { luksUuid } }) => `luks:${luksUuid}`,
  run: async ({ args, undo, host }) => ({ salt: (await fillSlot(host, undo, args)).salt }),
  value: ({ undo: { slot } }) => ({ slot }),
  look: async ({ undo, result: known, host }): Promise<Look> => {
    const found = await findKnown(host, undo);
    if (found === undefined) return lookForOther(host, undo);
    return lookIn(host, found, { ...undo, salt: known?.salt });
  },
  revert: ({ undo, result: known, host }) => takeOut(host, undo, known?.salt),
  sync: async ({ undo, host }) => syncOf(host, undo),
  describe: addedRecovery,
});

const changeUndo = z.extend(addUndo, {
  /** The slot of the old key, and its salt. */
  old: z.strictObject({ slot: slotNumber, salt: z.string() }),
});
type ChangeUndo = z.infer<typeof changeUndo>;

/**
 * Replaces a key: adds the new one in a free slot, and destroys the slot of the old one after the
 * commit. Until then both open the device, so an undo loses nothing.
 */
export const changeKey = operation({
  kind: 'crypt.key.change',
  version: 1,
  args: addArgs,
  undo: changeUndo,
  result,
  lives: 'disk',
  restores: 'state',
  prepare: async ({ args, host, chosen }): Promise<ChangeUndo> => {
    refuseSameFile(args);
    const { known, header, undo } = await prepareSlot(host, args, chosen);
    return { ...undo, old: await slotOf(host, { known, header, key: args.key }, chosen?.old.slot) };
  },
  claims: ({ undo, on }) => claimsOnKeys(undo, on),
  within: ({ undo: { luksUuid } }) => `luks:${luksUuid}`,
  run: async ({ args, undo, host }) => ({ salt: (await fillSlot(host, undo, args)).salt }),
  value: ({ undo: { slot } }) => ({ slot }),
  // Once the old key is destroyed, the change is complete and cannot be undone, because the new key
  // may be the only one.
  look: async ({ undo, result: known, host }): Promise<Look> => {
    const found = await findKnown(host, undo);
    if (found === undefined) return lookForOther(host, undo);
    const { slot, salt } = undo.old;
    if (!found.header.keySlots.some((each) => each.slot === slot && each.salt === salt)) {
      const now = await lookIn(host, found, { ...undo, salt: known?.salt });
      const what = `the old key, in slot ${slot} of ${undo.device}, was removed by another process; the new key, in slot ${undo.slot}, stays`;
      return { state: 'gone', ...(now.state === 'ours' ? { kept: what } : {}) };
    }
    return lookIn(host, found, { ...undo, salt: known?.salt });
  },
  revert: ({ undo, result: known, host }) => takeOut(host, undo, known?.salt),
  afterCommit: async ({ undo, host }) => emptySlot(host, { ...undo, ...undo.old }),
  sync: async ({ undo, host }) => syncOf(host, undo),
  describe: addedRecovery,
});

const removeUndo = z.extend(knownDevice, { slot: slotNumber, salt: z.string() });

/**
 * Destroys a key, after the commit, because the content of its slot cannot be restored. Never
 * removes the last key.
 */
export const removeKey = deferred({
  kind: 'crypt.key.remove',
  version: 1,
  args: z.strictObject({
    /** The encrypted device. */
    device: z.string().check(z.minLength(1)),
    /** Number of the key slot, as `bofh crypt show` lists it. */
    slot: slotNumber,
  }),
  undo: removeUndo,
  prepare: async ({ args: { device, slot }, host }) => {
    const { known, header } = await luksDevice(host, device);
    const there = header.keySlots.find((each) => each.slot === slot);
    if (there === undefined)
      throw new RefusedError(`there is no key in slot ${slot} of ${device}`, {
        remedy: `look at its slots: bofh crypt show ${inShell(device)}`,
      });
    if (there.opens === 'data') refuseLast(device, header.keySlots);
    return { ...known, slot, salt: there.salt };
  },
  claims: ({ undo, on }) => claimsOnKeys(undo, on),
  look: async ({ undo, host }) => {
    const found = await findKnown(host, undo);
    if (found === undefined) return lookForOther(host, undo);
    const there = found.header.keySlots.some(({ slot, salt }) => slot === undo.slot && salt === undo.salt);
    return { state: there ? 'ours' : 'gone' };
  },
  afterCommit: async ({ undo, host }) => emptySlot(host, undo),
  sync: async ({ undo, host }) => syncOf(host, undo),
  describe: toRemoveRecovery,
});

/** Checks for adding and changing a key: the keys, the device, and a free slot for the new key. */
async function prepareSlot(
  host: ReadHost,
  { device, key, newKey, slot: asked, ...cost }: z.infer<typeof addArgs>,
  chosen: AddUndo | undefined,
): Promise<{ readonly known: KnownDevice; readonly header: LuksHeader; readonly undo: AddUndo }> {
  for (const each of [key, newKey]) await checkKey(host, each);
  const { known, header } = await luksDevice(host, device);
  if (!header.keySlots.some(({ opens }) => opens === 'data'))
    throw new RefusedError(
      `${device} has no key: it has been erased, and a new key would not open its data`,
      {
        remedy: `if there is a backup of its header: bofh crypt header restore ${inShell(device)} FILE`,
      },
    );
  if (asked === undefined && header.keySlots.some(({ slot }) => slot === chosen?.slot))
    throw new IdentityTaken(`key slot ${chosen?.slot} of ${device} was taken meanwhile`);
  const slot = freeSlot(device, header, chosen?.slot ?? asked);
  return {
    known,
    header,
    undo: { ...known, slot, ...(await costOf(host, { header, asked: cost, chosen })), newKey },
  };
}

async function costOf(
  host: ReadHost,
  how: {
    readonly header: LuksHeader;
    readonly asked: Pick<z.infer<typeof addArgs>, keyof typeof costArgs>;
    readonly chosen: Pick<AddUndo, 'kdf' | 'memory'> | undefined;
  },
): Promise<Pick<AddUndo, 'kdf' | 'memory'>> {
  const { header, asked, chosen } = how;
  if (chosen !== undefined) return { kdf: chosen.kdf, memory: chosen.memory };
  const kdf = kdfFor(header.version, asked);
  return { kdf, memory: await memoryFor(host, kdf, asked) };
}

/**
 * Returns the slot with the key of the data that a key opens. RefusedError if it opens more than
 * one, because only one is replaced. Does not try the key again under the locks, because an
 * administrator may have to type it, or a program to print it.
 */
async function slotOf(
  host: ReadHost,
  { known, header, key }: { readonly known: KnownDevice; readonly header: LuksHeader; readonly key: KeyRef },
  chosen: number | undefined,
): Promise<ChangeUndo['old']> {
  const found: ChangeUndo['old'][] = [];
  for (const { slot, salt, opens } of header.keySlots) {
    // A killed reencryption leaves a slot that the key opens too, but not to the data.
    if (opens !== 'data') continue;
    const isIt =
      chosen === undefined
        ? await keyOpens(host, { device: known.device, slot, key: keyOf(key, known) })
        : slot === chosen;
    if (isIt) found.push({ slot, salt });
  }
  const [first, second] = found;
  if (first !== undefined && second === undefined) return first;
  const device = known.device;
  if (first !== undefined)
    throw new RefusedError(
      `the old key opens ${String(found.length)} slots of ${device} (${found.map(({ slot }) => slot).join(', ')}), but only one would be replaced`,
      {
        remedy: `first remove it from all of them but one: bofh crypt remove-key ${inShell(device)} ${String(second?.slot)}`,
      },
    );
  throw new RefusedError(`the old key does not open any slot of ${device}`, {
    remedy: `pass the correct key: ${option('--key file:/PATH', "key: { from: 'file', path: '/PATH' }")}`,
  });
}

/** Refuses one file as both keys: the old key would still open the device. */
function refuseSameFile({ key, newKey }: Pick<z.infer<typeof addArgs>, 'key' | 'newKey'>): void {
  if (key.from !== 'file' || newKey.from !== 'file' || key.path !== newKey.path) return;
  throw new UsageError(`${key.path} is the old key and the new one: nothing would change`, {
    remedy: 'write the new key to another file, and name that one',
  });
}

async function saltIn(host: ReadHost, undo: AddUndo): Promise<string | undefined> {
  const found = await findKnown(host, undo);
  if (found === undefined || (await whoseSlot(host, found, { ...undo, salt: undefined })) !== 'ours')
    return undefined;
  return found.header.keySlots.find(({ slot }) => slot === undo.slot)?.salt;
}

/**
 * Destroys the slot of the new key. Finds it by the salt or, if the salt is unknown, by the key.
 */
async function takeOut(host: ChangeHost, undo: AddUndo, known: string | undefined): Promise<void> {
  const salt = known ?? (await saltIn(host, undo));
  if (salt !== undefined) await emptySlot(host, { ...undo, salt });
}

async function syncOf(
  host: ReadHost & { readonly sync: (path: string) => Promise<void> },
  of: KnownDevice,
): Promise<void> {
  const found = await findKnown(host, of);
  if (found !== undefined) await host.sync(found.path);
}

async function lookIn(
  host: ReadHost,
  found: Parameters<typeof whoseSlot>[1],
  of: AddUndo & { readonly salt: string | undefined },
): Promise<Look> {
  const whose = await whoseSlot(host, found, of);
  if (whose !== 'other') return { state: whose === 'empty' ? 'gone' : 'ours' };
  return {
    state: 'not-ours',
    found: `key slot ${of.slot} of ${of.device} has a key that was not added by this sequence`,
  };
}
