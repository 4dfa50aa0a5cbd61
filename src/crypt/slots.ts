import * as z from 'zod/mini';
import type { Claims, DeviceKeys, Look } from '../atomic/operation.ts';
import { identityOf, isIdentity, locate } from '../blockdevice/index.ts';
import {
  inShell,
  type ChangeHost,
  type KeyInput,
  type KeyRef,
  type ReadHost,
  refuseExposed,
} from '../command/index.ts';
import { IdentityTaken, RefusedError } from '../core/errors.ts';
import type { Bytes } from '../core/units.ts';
import { luksAddKey, luksKillSlot } from './key-commands.ts';
import { testKey } from './read-commands.ts';
import { contentOf, damagedCopy, headerOf, isLuksSignature } from './reads.ts';
import { type KeySlot, luksUuid, type LuksHeader } from './schema.ts';

/** A LUKS device, or the file with its detached header, as recorded in the journal. */
export const knownDevice = z.strictObject({
  device: z.string(),
  /**
   * Identity of the device, because its path may belong to another device later; for a file, its
   * inode.
   */
  identity: z.string(),
  luksUuid,
});

export type KnownDevice = z.infer<typeof knownDevice>;

/** A slot for a new key. */
export const newSlot = z.extend(knownDevice, {
  slot: z.int().check(z.minimum(0)),
  kdf: z.enum(['pbkdf2', 'argon2id']),
  /** Memory that opening the slot needs, in bytes; null: pbkdf2 needs none. */
  memory: z.nullable(z.int()),
});

/** The number of slots in a header (LUKS1 and LUKS2 on-disk formats). */
const slots = { 1: 8, 2: 32 } as const;

/**
 * Returns a device and its header. RefusedError if the header needs features that bofh does not
 * know.
 */
export async function luksDevice(
  host: ReadHost,
  device: string,
): Promise<{ readonly known: KnownDevice; readonly header: LuksHeader }> {
  const header = await headerOf(host, device);
  if (header.damagedCopy !== undefined) throw damagedCopy(device, header.damagedCopy);
  if (header.requirements.length > 0)
    throw new RefusedError(
      `the LUKS2 header of ${device} has the requirement ${header.requirements.join(', ')}, so it stays unchanged`,
      {
        remedy:
          header.reencryption === undefined
            ? `look at it: bofh crypt show ${inShell(device)}`
            : `complete the reencryption first: bofh crypt reencrypt ${inShell(device)} --resume`,
      },
    );
  return { known: await knownAs(host, device, header), header };
}

/** Returns the journal entry of a device, or of the file with its detached header. */
export async function knownAs(host: ReadHost, device: string, { uuid }: LuksHeader): Promise<KnownDevice> {
  const file = await headerFileAt(host, device);
  if (file !== undefined) await refuseExposed(host, device, 'there');
  const identity = file ?? (await identityOf(host, device)).identity;
  return { device, identity, luksUuid: uuid };
}

/** Returns the identity of a file with a detached header; undefined for anything else. */
export async function headerFileAt(host: ReadHost, path: string): Promise<string | undefined> {
  const stat = path.startsWith('/') ? await host.stat(path) : undefined;
  if (stat?.kind !== 'file') return undefined;
  return `file:${stat.inode}${stat.birth === undefined ? '' : `+${stat.birth}`}`;
}

/** Whether this is a file with a detached header, and not a device. */
export function isHeaderFile({ identity }: Pick<KnownDevice, 'identity'>): boolean {
  return identity.startsWith('file:');
}

/**
 * Finds the current path and header; undefined if the device is gone, blank, or another one.
 * RefusedError for a missing header file: it may come back, with its keys.
 */
export async function findKnown(
  host: ReadHost,
  { device, identity, luksUuid: uuid }: KnownDevice,
): Promise<{ readonly path: string; readonly header: LuksHeader } | undefined> {
  const path = await pathNow(host, { device, identity });
  if (path === undefined) return undefined;
  const { found } = await contentOf(host, path);
  if (!isLuksSignature(found) || found.uuid !== uuid) return undefined;
  return { path, header: await headerOf(host, path) };
}

/** Returns what `findKnown` did not find: keys that are elsewhere now, or nothing. */
export async function lookForOther(host: ReadHost, of: KnownDevice): Promise<Look> {
  const path = await pathNow(host, of);
  if (path === undefined)
    return isHeaderFile(of)
      ? { state: 'not-ours', found: `${of.device} is another file now` }
      : { state: 'gone' };
  const { found } = await contentOf(host, path);
  if (!isLuksSignature(found) || found.uuid === of.luksUuid) return { state: 'gone' };
  return { state: 'not-ours', found: `${path} is the LUKS device ${found.uuid} now, not ${of.luksUuid}` };
}

/** Returns the current path; undefined if another file has its path, or the device is gone for good. */
async function pathNow(
  host: ReadHost,
  { device, identity }: Pick<KnownDevice, 'device' | 'identity'>,
): Promise<string | undefined> {
  if (!isHeaderFile({ identity })) return locate(host, { path: device, identity });
  const now = await headerFileAt(host, device);
  if (now !== undefined) return isIdentity(now, identity) ? device : undefined;
  throw new RefusedError(`the header file ${device} is missing: its keys are unknown`, {
    code: 'not-found',
    remedy: `mount its filesystem, or restore the file to ${device}; then run the command again`,
  });
}

/** Returns the claims of a key change. */
export async function claimsOnKeys(
  { device, identity, luksUuid: uuid }: KnownDevice,
  on: (path: string) => Promise<DeviceKeys>,
): Promise<Claims> {
  if (isHeaderFile({ identity })) return { changes: [`luks:${uuid}`, `file:${device}`] };
  const { key, beneath } = await on(device);
  return { changes: [`luks:${uuid}`], needs: [key, ...beneath] };
}

/** Returns the lowest free slot, or the requested one. */
export function freeSlot(
  device: string,
  { version, keySlots, uuid }: LuksHeader,
  asked: number | undefined,
): number {
  const taken = new Set(keySlots.map(({ slot }) => slot));
  const all = Array.from({ length: slots[version] }, (_, slot) => slot);
  const free = asked ?? all.find((slot) => !taken.has(slot));
  if (free !== undefined && all.includes(free) && !taken.has(free)) return free;
  throw new RefusedError(
    asked === undefined
      ? `all ${slots[version]} key slots of the LUKS device ${uuid} are in use`
      : all.includes(asked)
        ? `key slot ${asked} of the LUKS device ${uuid} is in use`
        : `the LUKS device ${uuid} has no key slot ${asked}`,
    { remedy: `see the key slots: bofh crypt show ${inShell(device)}` },
  );
}

/** Returns the input for a key of the device, with the device for the prompt. */
export function keyOf(
  key: KeyRef,
  { device, luksUuid: uuid }: KnownDevice,
  use: KeyInput['use'] = 'present',
): KeyInput {
  return { key, use, of: `${device} (LUKS ${uuid})` };
}

/** Adds the new key in the chosen slot, and returns this slot. */
export async function fillSlot(
  host: ChangeHost,
  of: KnownDevice & {
    readonly slot: number;
    readonly kdf: 'pbkdf2' | 'argon2id';
    readonly memory: Bytes | null;
  },
  asked: { readonly key: KeyRef; readonly newKey: KeyRef; readonly pbkdfTimeMs?: number },
): Promise<KeySlot> {
  const { slot, kdf, memory } = of;
  const found = await findKnown(host, of);
  if (found === undefined) throw changed(of);
  if (found.header.keySlots.some((each) => each.slot === slot))
    throw new IdentityTaken(`key slot ${slot} of ${of.device} was taken meanwhile`);
  const pbkdf = { kdf, memory: memory ?? undefined, timeMs: asked.pbkdfTimeMs };
  const keys = { key: keyOf(asked.key, of), newKey: keyOf(asked.newKey, of, 'new') };
  await host.run(luksAddKey({ device: found.path, slot, pbkdf, ...keys }));
  const made = (await findKnown(host, of))?.header.keySlots.find((each) => each.slot === slot);
  if (made !== undefined) return made;
  throw new RefusedError(`cryptsetup reported success, but key slot ${slot} of ${of.device} is empty`, {
    remedy: `look at it: cryptsetup luksDump ${inShell(of.device)}`,
  });
}

/**
 * Returns whether the slot contains the key of this sequence. Recognises it by its salt; if the
 * step was interrupted before it read the salt, by the new key, which only this sequence adds
 * there.
 */
export async function whoseSlot(
  host: ReadHost,
  { path, header }: { readonly path: string; readonly header: LuksHeader },
  of: KnownDevice & { readonly slot: number; readonly newKey: KeyRef; readonly salt: string | undefined },
): Promise<'empty' | 'ours' | 'other'> {
  const there = header.keySlots.find(({ slot }) => slot === of.slot);
  if (there === undefined) return 'empty';
  if (of.salt !== undefined) return there.salt === of.salt ? 'ours' : 'other';
  // If this sequence was interrupted while it wrote the header, cryptsetup may repair the header.
  const opens = await host.run(testKey({ device: path, slot: of.slot, key: keyOf(of.newKey, of) }));
  return opens ? 'ours' : 'other';
}

/**
 * Destroys a slot with exactly this content, but never the last one, because then nothing could
 * open the device.
 */
export async function emptySlot(
  host: ChangeHost,
  of: KnownDevice & { readonly slot: number; readonly salt: string },
): Promise<void> {
  const found = await findKnown(host, of);
  if (found === undefined) throw changed(of);
  const { keySlots } = found.header;
  const there = keySlots.find(({ slot, salt }) => slot === of.slot && salt === of.salt);
  if (there === undefined) return;
  if (there.opens === 'data') refuseLast(of.device, keySlots);
  await host.run(luksKillSlot(found.path, of.slot));
}

/** RefusedError if only one key opens the data. */
export function refuseLast(device: string, keySlots: readonly KeySlot[]): void {
  if (keySlots.filter(({ opens }) => opens === 'data').length > 1) return;
  throw new RefusedError(`this is the last key of ${device}: without it the device can never be opened`, {
    remedy: `add another key first: bofh crypt add-key ${inShell(device)}; or, to destroy all its data: bofh crypt erase ${inShell(device)} UUID`,
  });
}

function changed({ device, luksUuid: uuid }: KnownDevice): RefusedError {
  return new RefusedError(`${device} is no longer the LUKS device ${uuid}; nothing was done`, {
    remedy: 'see what it is: bofh crypt list',
  });
}
