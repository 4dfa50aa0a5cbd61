import { inShell } from '../../command/index.ts';
import * as z from 'zod/mini';
import { deferred } from '../../atomic/operation.ts';
import {
  bootOfName,
  deviceWitness,
  holders,
  inWords,
  refuseHeld,
  remedyFor,
  size,
  twinOf,
} from '../../blockdevice/index.ts';
import type { ReadHost } from '../../command/index.ts';
import { type Holder, RefusedError } from '../../core/errors.ts';
import { present } from '../../core/present.ts';
import { toEraseRecovery } from '../manual-recovery.ts';
import { luksErase } from '../key-commands.ts';
import { contentOf, isLuksSignature, mappings } from '../reads.ts';
import {
  claimsOnKeys,
  findKnown,
  isHeaderFile,
  type KnownDevice,
  knownDevice,
  lookForOther,
  luksDevice,
} from '../slots.ts';

const args = z.strictObject({
  /** The encrypted device, or the file with its detached header. */
  device: z.string().check(z.minLength(1)),
  /** The uuid of the device to erase: its data is lost forever. */
  uuid: z.string(),
});

/**
 * Destroys every key of a closed encrypted device, after the commit: its data can never be read
 * again, even with its keys, unless a backup of its header exists. The header stays, without a key
 * slot.
 */
export const erase = deferred({
  kind: 'crypt.erase',
  version: 1,
  args,
  // `boot`: it is identified only by the kernel name of that boot.
  undo: z.extend(knownDevice, { boot: z.exactOptional(z.string()) }),
  prepare: async ({ args: { device, uuid }, host }) => {
    const { known, header } = await luksDevice(host, device);
    if (header.uuid !== uuid)
      throw new RefusedError(`${device} is the LUKS device ${header.uuid}, not ${uuid}; nothing was erased`, {
        remedy: 'look at it: bofh crypt list; then name the right one',
      });
    if (header.keySlots.length === 0)
      throw new RefusedError(`${device} has no key: it has been erased`, {
        remedy: `look at it: bofh crypt show ${inShell(device)}`,
      });
    await refuseUsed(host, known, device);
    const boot = await bootOfName(host, known.identity);
    return { ...known, ...present({ boot }) };
  },
  claims: async ({ undo, on }) => {
    const { device, luksUuid } = undo;
    if (isHeaderFile(undo)) return claimsOnKeys(undo, on);
    const { key, beneath } = await on(device);
    return { changes: [`luks:${luksUuid}`, key], needs: beneath };
  },
  look: async ({ undo, host }) => {
    const found = await findKnown(host, undo);
    if (found === undefined) return lookForOther(host, undo);
    if (found.header.keySlots.length === 0) return { state: 'gone' };
    return { state: 'ours', holders: await usersOf(host, undo, found.path) };
  },
  afterCommit: async ({ undo, host }) => {
    const found = await findKnown(host, undo);
    if (found === undefined) return;
    // An open device would work until it is closed, so the loss would go unnoticed.
    await refuseUsed(host, undo, found.path);
    if (undo.boot !== undefined && undo.boot !== (await host.facts()).boot)
      await refuseTwin(host, undo, found.path);
    await host.run(luksErase(found.path));
  },
  content: {
    lost: 'finished',
    of: 'device',
    witness: async ({ undo, host }) => {
      const found = await findKnown(host, undo);
      return found === undefined
        ? undefined
        : `${saltsIn(found).join(' ')}|${await dataWitness(host, undo, found)}`;
    },
    changed: async ({ undo, witness, host }) => {
      const found = await findKnown(host, undo);
      if (found === undefined || witness === undefined) return undefined;
      const [salts = '', data] = witness.split('|');
      const before = new Set(salts.split(' '));
      // A key that was added or replaced after the step shows that the device is still needed.
      if (!saltsIn(found).every((salt) => before.has(salt)))
        return { found: `others added a key to ${found.path}` };
      return (await dataWitness(host, undo, found)) === data
        ? undefined
        : { found: `others wrote to the encrypted data of ${found.path}` };
    },
  },
  sync: async ({ undo, host }) => {
    const found = await findKnown(host, undo);
    if (found !== undefined) await host.sync(found.path);
  },
  describe: toEraseRecovery,
});

/**
 * RefusedError if another device is a clone: without a serial number they cannot be distinguished.
 */
async function refuseTwin(host: ReadHost, { device, luksUuid }: KnownDevice, path: string): Promise<void> {
  const twin = await twinOf(host, { path, size: await size(host, path) }, async (other) => {
    const { found } = await contentOf(host, other);
    return isLuksSignature(found) && found.uuid === luksUuid;
  });
  if (twin === undefined) return;
  throw new RefusedError(
    `${path} and ${twin} are both the LUKS device ${luksUuid}, and ${device} has no serial number: which of them was meant before the reboot is unknown; nothing was erased`,
    {
      remedy: `look at both: lsblk -o NAME,SIZE,UUID,SERIAL ${path} ${twin}; close the journal: bofh recover --abandon ID --because "…"; then run the command again for the right device`,
    },
  );
}

/**
 * Returns the witness of the data; empty for a detached header, because the data may be on any
 * device.
 */
async function dataWitness(
  host: ReadHost,
  undo: KnownDevice,
  { path, header }: NonNullable<Awaited<ReturnType<typeof findKnown>>>,
): Promise<string> {
  return isHeaderFile(undo) ? '' : deviceWitness(host, path, header.dataOffset);
}

function saltsIn({ header }: NonNullable<Awaited<ReturnType<typeof findKnown>>>): readonly string[] {
  return header.keySlots.map(({ salt }) => salt.replaceAll(' ', ''));
}

/**
 * Returns the holders of the device; for a detached header, the mappings that were opened with it,
 * which the kernel identifies by its uuid.
 */
async function usersOf(host: ReadHost, of: KnownDevice, path: string): Promise<readonly Holder[]> {
  if (!isHeaderFile(of)) return holders(host, path);
  return (await mappings(host))
    .filter(({ luksUuid }) => luksUuid === of.luksUuid)
    .map(({ name, path: open }): Holder => {
      return { kind: 'mapping', name, words: `open as ${open}`, free: ['cryptsetup', 'close', name] };
    });
}

async function refuseUsed(host: ReadHost, of: KnownDevice, path: string): Promise<void> {
  const users = await usersOf(host, of, path);
  if (!isHeaderFile(of)) return refuseHeld(host, path, users);
  if (users.length === 0) return;
  throw new RefusedError(`${path} is the header of a device that is in use: ${inWords(users)}`, {
    remedy: remedyFor(users),
    holders: users,
  });
}
