import * as z from 'zod/mini';
import { type Look, operation } from '../../atomic/operation.ts';
import {
  holders,
  identityOf,
  locate,
  refuseChanged,
  refuseHeld,
  replaceable,
  signatureSchema,
  size,
} from '../../blockdevice/index.ts';
import { kindInWords, type ReadHost, syncDirectoryOf } from '../../command/index.ts';
import { RefusedError } from '../../core/errors.ts';
import { present } from '../../core/present.ts';
import { absolutePath, sameFile } from '../../file/path.ts';
import { refuseFullBeneath } from '../../lvm/index.ts';
import { memoryFor } from '../cost.ts';
import { detachedRecovery } from '../manual-recovery.ts';
import { luksFormat } from '../format-commands.ts';
import { checkKey } from '../check-key.ts';
import { checkArgs, keyMade, madeBy, newLuksArgs, refuseSmallData } from '../new-luks.ts';
import { freeNames, linkNew, removeNames } from '../../file/private-name.ts';
import { luksChanged, luksWitness, payloadBefore, payloadOf } from '../payload.ts';
import { headerOf } from '../reads.ts';
import { luksUuid, type LuksHeader } from '../schema.ts';
import { randomUuid } from '../../core/random.ts';

const args = z.extend(newLuksArgs, {
  /** Path of the new header file. The path must be free. */
  header: absolutePath,
});

const undo = z.strictObject({
  device: z.string(),
  /** Identity of the device, because its path may belong to another device later. */
  identity: z.string(),
  header: absolutePath,
  /** A second name of the header file until the commit: the tag. */
  private: absolutePath,
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
 * Creates an encrypted device with a detached header: nothing is written to the device, and all of
 * it is for data. The file appears complete or not at all, and never replaces another one; the undo
 * removes it. Writing to the opened device destroys its content, so `overwrite` must name the
 * content as for `format`.
 */
export const formatDetached = operation({
  kind: 'crypt.format.detached',
  version: 1,
  args,
  undo,
  result: keyMade,
  lives: 'disk',
  restores: 'state',
  prepare: async ({ args: { header, ...asked }, mark, host, chosen }): Promise<Undo> => {
    const { type, kdf } = checkArgs(asked);
    const { device, overwrite } = asked;
    await checkKey(host, asked.key);
    const when = chosen === undefined ? 'before the locks' : 'under the locks';
    const before = (await replaceable(host, { device, overwrite, when })) ?? null;
    await refuseFullBeneath(host, device, `LUKS on ${device}`);
    refuseSmallData(device, await size(host, device));
    const own = await freeNames(host, header, mark);
    const memory = await memoryFor(host, kdf, asked);
    const { identity } = await identityOf(host, device);
    const uuid = chosen?.uuid ?? asked.uuid ?? randomUuid();
    const kept = chosen === undefined ? memory : chosen.memory;
    const payload = await payloadOf(host, device, 'detached');
    return { ...{ device, identity, header, private: own, type, uuid, kdf, payload }, memory: kept, before };
  },
  claims: async ({ undo: { device, uuid, header }, on }) => {
    const { key, beneath } = await on(device);
    return { makes: [`luks:${uuid}`, `file:${header}`], changes: [key], needs: beneath };
  },
  contains: ({ undo: { uuid } }) => `luks:${uuid}`,
  run: async ({ args: asked, undo: wanted, host }) => {
    const { device, uuid, private: own } = wanted;
    await refuseChanged(host, wanted);
    await host.run(
      luksFormat({
        ...{ device, uuid, header: own, label: asked.label },
        version: wanted.type === 'luks1' ? 1 : 2,
        key: { key: asked.key, use: 'new', of: `${device} (LUKS ${uuid})` },
        pbkdf: { kdf: wanted.kdf, memory: wanted.memory ?? undefined, timeMs: asked.pbkdfTimeMs },
      }),
    );
    const made = madeBy((await expectHeader(host, wanted)).keySlots);
    await host.sync(own);
    await linkNew(host, { file: wanted.header, private: own });
    return made;
  },
  value: ({ undo: { uuid, type, kdf, memory, header }, result }) => ({
    ...{ uuid, type, pbkdf: kdf, header },
    ...present({ pbkdfMemory: (result ?? { memory }).memory ?? undefined }),
  }),
  look: ({ undo: made, host }) => look(host, made),
  revert: async ({ undo: made, host }) => {
    const [own, there] = [await host.stat(made.private), await host.stat(made.header)];
    if (own?.kind !== 'file') return;
    const path = await locate(host, { path: made.device, identity: made.identity });
    if (path !== undefined) await refuseHeld(host, path, await holders(host, path));
    await removeNames(host, { file: made.header, private: made.private }, sameFile(own, there));
  },
  // Without the header the content of the device is unreadable.
  content: {
    lost: 'undone',
    of: 'device',
    witness: async ({ undo: made, host }) => {
      const place = await placeOf(host, made);
      return place === undefined ? undefined : luksWitness(host, place);
    },
    changed: async ({ undo: made, witness, touched, filled, host }) => {
      const place = await placeOf(host, made);
      if (place === undefined) return undefined;
      // While the device is open, the steps inside compare their own content.
      if (filled === 'now' && (await holders(host, place.device)).length > 0) return undefined;
      return luksChanged(host, place, { witness, before: made.payload, touched });
    },
  },
  sync: async ({ undo: made, host }) => {
    if ((await host.stat(made.private))?.kind === 'file') await host.sync(made.private);
    await syncDirectoryOf(host, made.header);
  },
  afterCommit: async ({ undo: made, host }) => {
    if ((await host.stat(made.private))?.kind === 'file') await host.removeFile(made.private);
  },
  describe: detachedRecovery,
});

async function expectHeader(host: ReadHost, { device, uuid, private: own }: Undo): Promise<LuksHeader> {
  const stat = await host.stat(own);
  const header = stat?.kind === 'file' ? await headerOf(host, own) : undefined;
  if (header?.uuid === uuid && header.keySlots.length === 1) return header;
  throw new RefusedError(`luksFormat reported success, but the header of ${device} is incomplete`, {
    remedy: `see the kernel log: dmesg; then run the command again`,
  });
}

async function placeOf(
  host: ReadHost,
  made: Undo,
): Promise<{ readonly device: string; readonly header: string } | undefined> {
  const device = await locate(host, { path: made.device, identity: made.identity });
  const isThere = (await host.stat(made.private))?.kind === 'file';
  return device === undefined || !isThere ? undefined : { device, header: made.private };
}

/** Later steps may have changed the file; it is removed with their changes. */
async function look(host: ReadHost, made: Undo): Promise<Look> {
  const own = await host.stat(made.private);
  if (own === undefined) return { state: 'gone' };
  if (own.kind !== 'file') return { state: 'not-ours', found: `${made.private} is ${kindInWords(own)}` };
  const path = await locate(host, { path: made.device, identity: made.identity });
  const who = path === undefined ? [] : await holders(host, path);
  const there = await host.stat(made.header);
  if (there === undefined || sameFile(own, there)) return { state: 'ours', holders: who };
  return { state: 'ours', holders: who, found: `${made.header} is another file now and stays` };
}
