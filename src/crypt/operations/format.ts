import { inShell } from '../../command/index.ts';
import * as z from 'zod/mini';
import { type Look, operation } from '../../atomic/operation.ts';
import {
  contentInWords,
  holders,
  identityOf,
  locate,
  movedFrom,
  namingHolders,
  probe,
  refuseChanged,
  refuseElsewhere,
  refuseHeld,
  replaceable,
  sameContent,
  signatureSchema,
  size,
  syncDevice,
  wipeSignatures,
} from '../../blockdevice/index.ts';
import type { KeyInput, ReadHost } from '../../command/index.ts';
import { RefusedError } from '../../core/errors.ts';
import { present } from '../../core/present.ts';
import { refuseFullBeneath } from '../../lvm/index.ts';
import { memoryFor } from '../cost.ts';
import { formattedRecovery } from '../manual-recovery.ts';
import { luksFormat, wipeLuks } from '../format-commands.ts';
import { checkKey } from '../check-key.ts';
import { checkArgs, keyMade, madeBy, type NewLuksArgs, newLuksArgs, refuseSmall } from '../new-luks.ts';
import { luksChanged, luksWitness, payloadBefore, payloadOf } from '../payload.ts';
import { headerOf } from '../reads.ts';
import { luksUuid } from '../schema.ts';
import { randomUuid } from '../../core/random.ts';

const undo = z.strictObject({
  device: z.string(),
  /** Identity of the device, because its path may belong to another device later. */
  identity: z.string(),
  /** The key of the device at that time. */
  key: z.string(),
  /** Key of the object whose destruction removes the header. */
  container: z.string(),
  type: z.enum(['luks1', 'luks2']),
  uuid: luksUuid,
  kdf: z.enum(['pbkdf2', 'argon2id']),
  /** The most memory that opening the device may need, in bytes; null: pbkdf2 needs none. */
  memory: z.nullable(z.int()),
  /** The previous content of the device; null: it was blank. */
  before: z.nullable(signatureSchema),
  payload: z.exactOptional(payloadBefore),
});

type Undo = z.infer<typeof undo>;

/**
 * Creates an encrypted device. Its uuid, chosen before, is the tag, and is part of the first write.
 * A killed luksFormat leaves a header without a key slot, or one that cryptsetup itself cannot
 * read. Refused if the device is in use, or has content that `overwrite` does not name. The undo
 * leaves it blank (`restores: 'existence'`).
 */
export const format = operation({
  kind: 'crypt.format',
  version: 1,
  args: newLuksArgs,
  undo,
  result: keyMade,
  lives: 'disk',
  restores: 'existence',
  prepare: async ({ args: asked, host, chosen }): Promise<Undo> => {
    const { type, kdf } = checkArgs(asked);
    const { device, overwrite } = asked;
    await checkKey(host, asked.key);
    const when = chosen === undefined ? 'before the locks' : 'under the locks';
    const before = await replaceable(host, { device, overwrite, when });
    await refuseFullBeneath(host, device, `LUKS on ${device}`);
    refuseSmall(device, type, await size(host, device));
    const memory = await memoryFor(host, kdf, asked);
    const { identity, container, key } = await identityOf(host, device);
    const uuid = chosen?.uuid ?? asked.uuid ?? randomUuid();
    const kept = chosen === undefined ? memory : chosen.memory;
    const payload = await payloadOf(host, device, type);
    const of = { device, identity, key, container, type, uuid, kdf, payload };
    return { ...of, memory: kept, before: before ?? null };
  },
  claims: async ({ undo: { device, uuid }, on }) => {
    const { key, beneath } = await on(device);
    return { makes: [`luks:${uuid}`], changes: [key], needs: beneath };
  },
  contains: ({ undo: { uuid } }) => `luks:${uuid}`,
  within: ({ undo: { container } }) => container,
  run: async ({ args: asked, undo: wanted, host }) => {
    await refuseChanged(host, wanted);
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
        `luksFormat reported success, but ${wanted.device} has ${keySlots.length} keys instead of one`,
        {
          remedy: `look at it: cryptsetup luksDump ${inShell(wanted.device)}`,
        },
      );
    return madeBy(keySlots);
  },
  value: ({ undo: { uuid, type, kdf, memory }, result }) => ({
    uuid,
    type,
    pbkdf: kdf,
    ...present({ pbkdfMemory: (result ?? { memory }).memory ?? undefined }),
  }),
  look: async ({ undo: made, host }) => (await find(host, made)).look,
  revert: async ({ undo: made, host }) => {
    const { path, look } = await find(host, made);
    if (look.state !== 'ours' || path === undefined) return;
    await refuseHeld(host, path, look.holders ?? []);
    await namingHolders(host, path, () => host.run(wipeLuks(path)));
  },
  // An opened device will be written to, so its raw bytes are not compared. The steps that created content in the
  // mapping compare that content.
  content: {
    lost: 'undone',
    of: 'device',
    witness: async ({ undo: made, host }) => {
      const path = await locate(host, { path: made.device, identity: made.identity });
      return path === undefined ? undefined : luksWitness(host, { device: path, header: path });
    },
    changed: async ({ undo: made, witness, touched, filled, host }) => {
      const { path, look } = await find(host, made);
      if (path === undefined) return undefined;
      // While the device is open, the content of the mapping is compared instead of the raw bytes.
      if (filled === 'now' && (look.holders ?? []).length > 0) return undefined;
      const place = { device: path, header: path };
      return luksChanged(host, place, { witness, before: made.payload, touched });
    },
  },
  sync: ({ undo: of, host }) => syncDevice(host, of),
  describe: formattedRecovery,
});

function newKey({ key }: NewLuksArgs, { device, uuid }: Undo): KeyInput {
  return { key, use: 'new', of: `${device} (LUKS ${uuid})` };
}

// Finds the device with blkid, which recognises either of the two headers of LUKS2, and one that a
// killed luksFormat left.
async function find(host: ReadHost, made: Undo): Promise<{ path?: string; look: Look }> {
  const path = await locate(host, { path: made.device, identity: made.identity });
  if (path === undefined) return { look: { state: 'gone' } };
  const now = await probe(host, path);
  if (now?.uuid === made.uuid && now.type === 'crypto_LUKS') {
    // A device may get another number with a reboot, but keeps its name.
    const moved = await movedFrom(host, path, made.key);
    return { path, look: { state: 'ours', holders: await holders(host, path), ...moved } };
  }
  const what = `the LUKS device of UUID ${made.uuid}`;
  await refuseElsewhere(host, { path, identity: made.identity, what }, async (other) => {
    const there = await probe(host, other);
    return there?.uuid === made.uuid && there.type === 'crypto_LUKS';
  });
  if (now === undefined || sameContent(now, made.before ?? undefined))
    return { path, look: { state: 'gone' } };
  return { path, look: { state: 'not-ours', found: `${path} holds ${contentInWords(now)}` } };
}
