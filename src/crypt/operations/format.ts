import { randomUUID } from 'node:crypto';
import * as z from 'zod/mini';
import { type Look, operation } from '../../atomic/operation.ts';
import {
  holders,
  identityOf,
  keysOf,
  locate,
  namingHolders,
  probe,
  recognise,
  signatureSchema,
  size,
} from '../../blockdevice/index.ts';
import { wipeSignatures } from '../../blockdevice/index.ts';
import { type ChangeHost, type KeyInput, keyRef, type ReadHost } from '../../command/index.ts';
import { RefusedError, UsageError } from '../../errors.ts';
import { type Bytes, formatSize, parseSize } from '../../units.ts';
import { formattedByHand } from '../by-hand.ts';
import { luksFormat, wipeLuks } from '../commands.ts';
import { checkKey, contentInWords, refuseHeld, replaceable, sameContent } from '../content.ts';
import { pbkdfMemory } from '../memory.ts';
import { headerOf } from '../reads.ts';
import { luksUuid } from '../schema.ts';

const mib = 1024 ** 2;
/** Where cryptsetup 2.6 lets the data begin, on a device of this size or a larger one. */
const dataOffsets: Readonly<Record<'luks1' | 'luks2', Bytes>> = { luks1: 2 * mib, luks2: 16 * mib };
/** Less data than this is no device, but a mistake in its size: luksFormat itself formats without any room for data. */
const leastData = mib;

const args = z.strictObject({
  device: z.string().check(z.minLength(1)),
  key: keyRef,
  /** Default: luks2. */
  type: z.exactOptional(z.enum(['luks1', 'luks2'])),
  /** Chosen by bofh when it is left out. */
  uuid: z.exactOptional(luksUuid),
  /** LUKS2 alone has one; 47 bytes at most (LUKS2 on-disk format, `label[48]`). */
  label: z.exactOptional(z.string().check(z.regex(/^\P{Cc}+$/u, 'a label without control characters'))),
  /** Exactly what is there and may be lost: its uuid, or, when it has none, its type. */
  overwrite: z.exactOptional(
    z.strictObject({ uuid: z.exactOptional(z.string()), type: z.exactOptional(z.string()) }),
  ),
  /** How hard it is made to guess the key. LUKS1 has pbkdf2 alone; the default of LUKS2 is argon2id. */
  pbkdf: z.exactOptional(z.enum(['pbkdf2', 'argon2id'])),
  /** What argon2id may take; without it as much as a small host can spare, 1 GiB at most. */
  pbkdfMemory: z.exactOptional(z.union([z.string(), z.number()])),
  /** How long opening may take on this host: 2 s unless said otherwise. */
  pbkdfTimeMs: z.exactOptional(z.int().check(z.minimum(10))),
});

type Args = z.infer<typeof args>;

const undo = z.strictObject({
  device: z.string(),
  /** Which device it was, whatever bears its path later. */
  identity: z.string(),
  /** What it was called. */
  key: z.string(),
  /** Key of that whose destruction takes the header along. */
  container: z.string(),
  type: z.enum(['luks1', 'luks2']),
  uuid: luksUuid,
  kdf: z.enum(['pbkdf2', 'argon2id']),
  /** Bytes; null: pbkdf2 takes none. */
  memory: z.nullable(z.int()),
  /** What the device held; null: it was blank. */
  before: z.nullable(signatureSchema),
});

type Undo = z.infer<typeof undo>;

/**
 * Makes an encrypted device, with a uuid that is chosen before: that is the mark, and it stands there as soon as anything
 * does. A killed luksFormat leaves a header with no key slot, or one that cryptsetup itself cannot read. A device that is
 * in use, or holds anything that `overwrite` does not name, is refused. Undo leaves it blank (`restores: 'existence'`).
 */
export const format = operation({
  kind: 'crypt.format',
  version: 1,
  args,
  undo,
  result: z.null(),
  lives: 'disk',
  restores: 'existence',
  prepare: async ({ args: asked, host, chosen }): Promise<Undo> => {
    const { type, kdf } = checkArgs(asked);
    const { device, overwrite } = asked;
    await checkKey(host, asked.key);
    const when = chosen === undefined ? 'before the locks' : 'under the locks';
    const before = await replaceable(host, { device, overwrite, when });
    refuseSmall(device, type, await size(host, device));
    const memory = kdf === 'pbkdf2' ? null : await memoryFor(host, asked);
    const { identity, container, key } = await identityOf(host, device);
    const uuid = chosen?.uuid ?? asked.uuid ?? randomUUID();
    const kept = chosen === undefined ? memory : chosen.memory;
    return { ...{ device, identity, key, container, type, uuid, kdf }, memory: kept, before: before ?? null };
  },
  claims: async ({ undo: { device, uuid }, on }) => {
    const { key, beneath } = await on(device);
    return { makes: [`luks:${uuid}`], changes: [key], needs: beneath };
  },
  contains: ({ undo: { uuid } }) => `luks:${uuid}`,
  within: ({ undo: { container } }) => container,
  run: async ({ args: asked, undo: wanted, host }) => {
    await recheck(host, wanted);
    if (wanted.before !== null) await host.run(wipeSignatures(wanted.device));
    await host.run(
      luksFormat({
        device: wanted.device,
        version: wanted.type === 'luks1' ? 1 : 2,
        uuid: wanted.uuid,
        label: asked.label,
        key: newKey(asked, wanted),
        pbkdf: { kdf: wanted.kdf, memory: wanted.memory ?? undefined, timeMs: asked.pbkdfTimeMs },
      }),
    );
    const { keySlots } = await headerOf(host, wanted.device);
    if (keySlots.length !== 1)
      throw new RefusedError(
        `luksFormat reported success, but ${wanted.device} has ${keySlots.length} keys`,
        {
          remedy: `look at it: cryptsetup luksDump ${wanted.device}`,
        },
      );
    return null;
  },
  value: ({ undo: { uuid, type, kdf, memory } }) => ({
    uuid,
    type,
    pbkdf: kdf,
    ...(memory === null ? {} : { pbkdfMemory: memory }),
  }),
  look: async ({ undo: made, host }) => (await find(host, made)).look,
  revert: async ({ undo: made, host }) => {
    const { path, look } = await find(host, made);
    if (look.state !== 'ours' || path === undefined) return;
    await refuseHeld(host, path, look.holders ?? []);
    await namingHolders(host, path, () => host.run(wipeLuks(path)));
  },
  sync: async ({ undo: { device, identity }, host }) => {
    const path = await locate(host, { path: device, identity });
    if (path !== undefined) await host.sync(path);
  },
  describe: formattedByHand,
});

function newKey({ key }: Args, { device, uuid }: Undo): KeyInput {
  return { key, use: 'new', of: `${device} (LUKS ${uuid})` };
}

/** What can be refused without looking at the host. */
function checkArgs({ type = 'luks2', pbkdf, pbkdfMemory: memory, label, uuid, overwrite }: Args) {
  const kdf = pbkdf ?? (type === 'luks1' ? 'pbkdf2' : 'argon2id');
  if (type === 'luks1' && kdf !== 'pbkdf2') throw new UsageError('LUKS1 knows pbkdf2 alone: leave pbkdf out');
  if (kdf === 'pbkdf2' && memory !== undefined)
    throw new UsageError('pbkdf2 takes no memory: leave pbkdfMemory out');
  if (type === 'luks1' && label !== undefined)
    throw new UsageError('LUKS1 has no label: leave it out, or take luks2');
  if (Buffer.byteLength(label ?? '') > 47) throw new UsageError('a label of LUKS2 has 47 bytes at most');
  if (overwrite !== undefined && overwrite.uuid === undefined && overwrite.type === undefined)
    throw new UsageError('overwrite must name what may be lost, by its uuid or its type');
  if (uuid !== undefined && uuid === overwrite?.uuid)
    throw new UsageError('the new device must not have the uuid of what it overwrites');
  return { type, kdf };
}

async function memoryFor(host: ReadHost, { pbkdfMemory: asked }: Args): Promise<Bytes> {
  return pbkdfMemory(host, asked === undefined ? undefined : parseSize(asked));
}

function refuseSmall(device: string, type: 'luks1' | 'luks2', bytes: Bytes): void {
  const least = dataOffsets[type] + leastData;
  if (bytes >= least) return;
  throw new RefusedError(
    `${device} has ${formatSize(bytes)}; ${type} needs ${formatSize(least)}: its header alone takes ${formatSize(dataOffsets[type])}`,
    { remedy: type === 'luks2' ? 'take a larger device, or luks1' : 'take a larger device' },
  );
}

// Between the check and the act somebody else may have been quicker: this is the last look before data is lost.
async function recheck(host: ChangeHost, { device, identity: known, before }: Undo): Promise<void> {
  const { identity } = await identityOf(host, device);
  if (identity !== known)
    throw new RefusedError(`${device} is another device by now; nothing was written`, {
      remedy: `look what it is (lsblk ${device}), then give the command again`,
    });
  await refuseHeld(host, device, await holders(host, device));
  const now = await recognise(host, device);
  if (!sameContent(now, before ?? undefined))
    throw new RefusedError(`${device} holds ${contentInWords(now)} by now; nothing was written`, {
      remedy: `look what it is (blkid -p ${device}), then give the command again`,
    });
}

// By what blkid sees, which finds either of the two headers of LUKS2, and one that luksFormat was killed over.
async function find(host: ReadHost, made: Undo): Promise<{ path?: string; look: Look }> {
  const path = await locate(host, { path: made.device, identity: made.identity });
  if (path === undefined) return { look: { state: 'gone' } };
  const now = await probe(host, path);
  if (now?.uuid === made.uuid && now.type === 'crypto_LUKS') {
    // A device may have another number after a reboot, and is still called the same.
    const { key } = await keysOf(host, path);
    const moved = key === made.key ? {} : { movedTo: key };
    return { path, look: { state: 'ours', holders: await holders(host, path), ...moved } };
  }
  if (now === undefined || sameContent(now, made.before ?? undefined))
    return { path, look: { state: 'gone' } };
  return { path, look: { state: 'not-ours', found: `${path} holds ${contentInWords(now)}` } };
}
