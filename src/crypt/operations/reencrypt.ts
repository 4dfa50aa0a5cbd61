import * as z from 'zod/mini';
import { deferred } from '../../atomic/operation.ts';
import { holders, refuseHeld, size } from '../../blockdevice/index.ts';
import { type ChangeHost, keyRef } from '../../command/index.ts';
import { RefusedError, type ManualRecovery } from '../../core/errors.ts';
import { option } from '../../core/option.ts';
import { refuseFullBeneath } from '../../lvm/index.ts';
import { checkKey } from '../check-key.ts';
import { checkOptions, refuseUnready, refuseUnresumable } from '../reencryptable.ts';
import { luksReencrypt, repairTorn, resumeReencrypt } from '../reencrypt-commands.ts';
import { testKey } from '../read-commands.ts';
import { damagedCopy, headerOf, keyOpens } from '../reads.ts';
import type { LuksHeader } from '../schema.ts';
import { emptySlot, findKnown, keyOf, knownAs, knownDevice, lookForOther } from '../slots.ts';

const bits = z.int().check(z.positive(), z.multipleOf(8));

const args = z.strictObject({
  /** The encrypted device. */
  device: z.string().check(z.minLength(1)),
  /** A key that opens the device now, and still will afterwards. */
  key: keyRef,
  /** New cipher, for example `aes-xts-plain64`; missing: the current one. */
  cipher: z.exactOptional(z.string()),
  /** Size of the volume key, in bits; missing: the current one. */
  keySize: z.exactOptional(bits),
  /**
   * Protects the part in progress against a crash: by checksums or, more slowly, by a copy of the
   * part.
   */
  resilience: z.exactOptional(z.enum(['checksum', 'journal'])),
  /** Only resume a reencryption that was started before, by whatever program. */
  resume: z.exactOptional(z.literal(true)),
});

const undo = z.extend(knownDevice, {
  key: keyRef,
  cipher: z.nullable(z.string()),
  keySize: z.nullable(bits),
  resilience: z.enum(['checksum', 'journal']),
  /**
   * Identifies the old volume key: while any part of the data uses this key, there is work to do.
   */
  oldKeyDigest: z.string(),
  /**
   * The previous key slots. A later slot that does not open the data, and that the key opens, is
   * from a killed attempt.
   */
  slots: z.array(z.strictObject({ slot: z.int(), salt: z.string() })),
});

type Undo = z.infer<typeof undo>;

type Found = NonNullable<Awaited<ReturnType<typeof findKnown>>>;

/**
 * Reencrypts all data of a closed LUKS2 device with a new volume key, after the commit. This may
 * take hours. It can be resumed after a kill or a power cut at any moment, because the header
 * records the progress. The uuid, the label, the key and the tokens stay; every older backup of the
 * header becomes useless.
 */
export const reencrypt = deferred({
  kind: 'crypt.reencrypt',
  version: 1,
  args,
  undo,
  prepare: async ({ args: asked, host, chosen }): Promise<Undo> => {
    const { device, key, cipher, keySize, resilience = 'checksum' } = asked;
    checkOptions(asked);
    await checkKey(host, key);
    const header = await headerOf(host, device);
    const known = await knownAs(host, device, header);
    if (asked.resume === true) refuseUnresumable({ known, header });
    else refuseUnready({ known, header, cipher, keySize });
    if (header.damagedCopy !== undefined && asked.resume !== true)
      throw damagedCopy(device, header.damagedCopy);
    await refuseHeld(host, device, await holders(host, device));
    // All data is rewritten.
    const bytes = Math.max(0, (await size(host, device)) - header.dataOffset);
    await refuseFullBeneath(host, device, `the encryption of ${device}`, { bytes });
    // A typed key is requested only once, when it is needed.
    const isTested = asked.resume === true || key.from === 'ask' || chosen !== undefined;
    if (!isTested && !(await keyOpens(host, { device, key: keyOf(key, known) })))
      throw new RefusedError(`the key does not open ${device}`, {
        remedy: `pass the correct key: ${option('--key file:/PATH', "key: { from: 'file', path: '/PATH' }")}`,
      });
    return {
      ...{ ...known, key, cipher: cipher ?? null, keySize: keySize ?? null, resilience },
      oldKeyDigest: header.reencryption?.oldKeyDigest ?? header.volumeKeyDigest,
      slots: header.keySlots.map(({ slot, salt }) => ({ slot, salt })),
    };
  },
  claims: async ({ undo: { device, luksUuid }, on }) => {
    const { key, beneath } = await on(device);
    return { changes: [`luks:${luksUuid}`, key], needs: beneath };
  },
  look: async ({ undo: of, host }) => {
    const found = await findKnown(host, of);
    if (found === undefined) return lookForOther(host, of);
    if (stateOf(found.header, of) === 'done') return { state: 'gone' };
    return { state: 'ours', holders: await holders(host, found.path) };
  },
  afterCommit: async ({ undo: of, host }) => {
    const found = await findKnown(host, of);
    if (found === undefined || stateOf(found.header, of) === 'done') return;
    const { path: device, header } = found;
    await refuseHeld(host, device, await holders(host, device));
    if (header.reencryption !== undefined) return goOn(host, of, found);
    await clearAttempt(host, of, found);
    const { cipher, keySize, resilience } = of;
    const how = { cipher: cipher ?? undefined, keySize: keySize ?? undefined, resilience };
    await host.run(luksReencrypt({ device, key: keyOf(of.key, of), ...how }));
  },
  sync: async ({ undo: of, host }) => {
    const found = await findKnown(host, of);
    if (found !== undefined) await host.sync(found.path);
  },
  describe: toReencryptRecovery,
});

/**
 * Returns whether the old key is still in use. A later reencryption by another program also removes
 * the old key.
 */
function stateOf({ reencryption, volumeKeyDigest }: LuksHeader, { oldKeyDigest }: Undo): 'to do' | 'done' {
  return (reencryption?.oldKeyDigest ?? volumeKeyDigest) === oldKeyDigest ? 'to do' : 'done';
}

async function goOn(host: ChangeHost, of: Undo, { path, header }: Found): Promise<void> {
  const key = keyOf(of.key, of);
  if (header.reencryption?.torn === true) await host.run(repairTorn({ device: path, key }));
  const now = await findKnown(host, of);
  // The torn part may have been the last one.
  if (now?.header.reencryption !== undefined) await host.run(resumeReencrypt({ device: now.path, key }));
}

/**
 * Removes the slot of a killed attempt. If cryptsetup is killed before the header records the
 * reencryption, it leaves a slot with a new key that encrypts nothing (2.6.1).
 */
async function clearAttempt(host: ChangeHost, of: Undo, { path, header }: Found): Promise<void> {
  for (const { slot, salt, opens } of header.keySlots) {
    const wasThere = of.slots.some((each) => each.slot === slot && each.salt === salt);
    if (wasThere || opens === 'data') continue;
    const isOurs = await host.run(testKey({ device: path, slot, key: keyOf(of.key, of) }));
    if (isOurs) await emptySlot(host, { ...of, slot, salt });
  }
}

/** Manual recovery of `crypt.reencrypt`. */
function toReencryptRecovery({
  undo: { device, luksUuid, cipher, keySize },
}: {
  readonly undo: {
    readonly device: string;
    readonly luksUuid: string;
    readonly cipher: string | null;
    readonly keySize: number | null;
  };
}): ManualRecovery {
  return {
    what: `the data of ${device} (LUKS ${luksUuid}), whose reencryption must be completed`,
    look: [['cryptsetup', 'luksDump', device]],
    // The first command does nothing unless a segment was interrupted while it was written. The
    // second command resumes the reencryption.
    clear: [
      ['cryptsetup', 'repair', device],
      [
        ...['cryptsetup', 'reencrypt'],
        ...(cipher === null ? [] : ['--cipher', cipher]),
        ...(keySize === null ? [] : ['--key-size', String(keySize)]),
        device,
      ],
    ],
  };
}
