import * as z from 'zod/mini';
import type { Bytes } from '../core/units.ts';

/** A UUID as LUKS and blkid write it. */
export const luksUuid = z
  .string()
  .check(z.regex(/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, 'a UUID in lower case'));

const count = z.int().check(z.minimum(0));
// Offsets and sizes are strings in the metadata of LUKS2, because JSON numbers cannot represent 64
// bits (LUKS2 on-disk format, 3.).
const bytes = z.pipe(
  z.string().check(z.regex(/^\d+$/)),
  z.pipe(
    z.transform((text: string) => Number(text)),
    z.int(),
  ),
);
const kdf = z.discriminatedUnion('type', [
  z.object({ type: z.literal('pbkdf2'), iterations: count, salt: z.string() }),
  z.object({ type: z.enum(['argon2i', 'argon2id']), time: count, memory: count, salt: z.string() }),
]);
const slotNumber = z.string().check(z.regex(/^\d+$/));

/**
 * `cryptsetup luksDump --dump-json-metadata`, the keys that bofh uses (LUKS2 on-disk format
 * specification).
 */
export const luks2Metadata = z.object({
  keyslots: z.record(
    slotNumber,
    z.discriminatedUnion('type', [
      z.object({
        type: z.literal('luks2'),
        area: z.object({ size: bytes }),
        kdf,
      }),
      // Exists only during a reencryption.
      z.object({
        type: z.literal('reencrypt'),
        mode: z.enum(['reencrypt', 'encrypt', 'decrypt']),
        area: z.object({ type: z.string(), size: bytes }),
      }),
    ]),
  ),
  tokens: z.record(slotNumber, z.object({ type: z.string(), keyslots: z.array(slotNumber) })),
  segments: z.record(
    slotNumber,
    z.object({
      type: z.string(),
      offset: bytes,
      size: z.string().check(z.regex(/^(?:dynamic|\d+)$/)),
      encryption: z.exactOptional(z.string()),
      sector_size: z.exactOptional(count),
      integrity: z.exactOptional(z.unknown()),
      flags: z.exactOptional(z.array(z.string())),
    }),
  ),
  digests: z.record(
    slotNumber,
    z.object({
      keyslots: z.array(slotNumber),
      segments: z.array(slotNumber),
      salt: z.string(),
      digest: z.string(),
    }),
  ),
  config: z.object({
    keyslots_size: bytes,
    requirements: z.exactOptional(z.object({ mandatory: z.exactOptional(z.array(z.string())) })),
  }),
});

/** A key slot: it contains the volume key, encrypted with a passphrase or key file. */
export interface KeySlot {
  readonly slot: number;
  readonly kdf: 'pbkdf2' | 'argon2i' | 'argon2id';
  /** Memory that opening the slot needs; pbkdf2 needs none. */
  readonly memory?: Bytes;
  /** Rounds: iterations of pbkdf2, passes of argon2. */
  readonly rounds: number;
  /**
   * Generated whenever a slot is written, so it identifies the content of a slot. Base64 or hex.
   */
  readonly salt: string;
  /**
   * `nothing`: it contains another volume key than that of the data, for example for a reencryption
   * that has not started.
   */
  readonly opens: 'data' | 'nothing';
}

/** An unfinished reencryption: a part of the data has the old key, the rest the new one. */
export interface Reencryption {
  /** `encrypt`, `decrypt`: a plain device becomes an encrypted one, or the reverse. */
  readonly mode: 'reencrypt' | 'encrypt' | 'decrypt';
  /** The new cipher; null: none. */
  readonly cipher: string | null;
  /** Digest of the old volume key, as in `volumeKeyDigest`; '': there was none. */
  readonly oldKeyDigest: string;
  /** The protection of the part in progress: `checksum`, `journal`, `datashift` … or `none`. */
  readonly resilience: string;
  /** Finished bytes. */
  readonly done: Bytes;
  /**
   * Whether a part was started and not finished: it is in progress, or was interrupted and must be
   * repaired.
   */
  readonly torn: boolean;
}

/** The header of an encrypted device. It contains no key that can open anything. */
export interface LuksHeader {
  readonly version: 1 | 2;
  readonly uuid: string;
  readonly label?: string;
  /** `aes-xts-plain64` */
  readonly cipher: string;
  readonly sectorSize: Bytes;
  /** Offset of the encrypted data. */
  readonly dataOffset: Bytes;
  /** Digest of the volume key, in base64 or hex. It does not reveal the key. */
  readonly volumeKeyDigest: string;
  readonly keySlots: readonly KeySlot[];
  /** Tokens that can open the device: `systemd-tpm2`, `clevis`. */
  readonly tokens: readonly { readonly type: string; readonly slots: readonly number[] }[];
  /**
   * Features that a program must support to open the device, such as `online-reencrypt`; not shown
   * here.
   */
  readonly requirements: readonly string[];
  /** A reencryption that is running, or was interrupted. */
  readonly reencryption?: Reencryption;
  /** Whether the data has checksums, which dm-integrity stores. */
  readonly integrity: boolean;
  /**
   * The keyslots area of LUKS2: its size, and how much is used. LUKS1 has a fixed place for each
   * slot.
   */
  readonly slotRoom?: { readonly all: Bytes; readonly taken: Bytes };
  /**
   * The copy of the metadata that is damaged or older: LUKS2 stores two copies. All values come
   * from the other one.
   */
  readonly damagedCopy?: 'first' | 'second';
}

/** A header without the values that only a probe of the device provides. */
export type HeaderPart = Omit<LuksHeader, 'uuid' | 'label'> & { readonly uuid?: string };

/** An open device, from data of the kernel. */
export interface Mapping {
  readonly name: string;
  /** `/dev/mapper/NAME` */
  readonly path: string;
  /** `major:minor` */
  readonly number: string;
  /**
   * Set by cryptsetup when it opened the device: `CRYPT-LUKS2-<uuid without hyphens>-<name at that
   * time>`.
   */
  readonly dmUuid: string;
  /** `LUKS1`, `LUKS2`, `PLAIN`, `VERITY` … */
  readonly type: string;
  /** UUID of the header with which the device was opened; undefined for a type without a header. */
  readonly luksUuid?: string;
  readonly size: Bytes;
  readonly mode: 'ro' | 'rw';
  /** Kernel names of the devices below the mapping, such as `dm-3`. */
  readonly beneath: readonly string[];
}

/** The output of `cryptsetup status` for a mapping. */
export interface MappingStatus {
  readonly inUse: boolean;
  readonly type: string;
  /** Undefined: cryptsetup could not read the header, or there is none. */
  readonly cipher?: string;
  readonly keyLocation?: string;
  readonly device?: string;
  readonly offset?: Bytes;
  readonly size: Bytes;
  readonly mode: 'ro' | 'rw';
  /** Whether a reencryption of the data is running, or was interrupted. */
  readonly isReencrypted: boolean;
  readonly flags: readonly string[];
}
