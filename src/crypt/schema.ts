import * as z from 'zod/mini';
import type { Bytes } from '../core/units.ts';

/** A UUID as LUKS and blkid write it. */
export const luksUuid = z
  .string()
  .check(z.regex(/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, 'a UUID in lower case'));

const count = z.int().check(z.minimum(0));
// Offsets and sizes are strings in the metadata of LUKS2: JSON numbers have no 64 bits (LUKS2 on-disk format, 3.).
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

/** `cryptsetup luksDump --dump-json-metadata`, as far as we use it (LUKS2 on-disk format specification). */
export const luks2Metadata = z.object({
  keyslots: z.record(
    slotNumber,
    z.discriminatedUnion('type', [
      z.object({
        type: z.literal('luks2'),
        priority: z.exactOptional(z.int()),
        area: z.object({ size: bytes }),
        kdf,
      }),
      // Of a reencryption that is under way.
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

/** A slot in which the volume's key lies, locked by one key of a person's. */
export interface KeySlot {
  readonly slot: number;
  readonly kdf: 'pbkdf2' | 'argon2i' | 'argon2id';
  /** Memory that it takes to open it; pbkdf2 takes none. */
  readonly memory?: Bytes;
  /** Rounds: iterations of pbkdf2, passes of argon2. */
  readonly rounds: number;
  /** Drawn anew whenever a slot is written, so it tells one content of a slot from another. Base64 or hex. */
  readonly salt: string;
  /** `nothing`: the key in it is not that of the data, as that of a reencryption which has not begun. */
  readonly opens: 'data' | 'nothing';
}

/** What is encrypted anew and is not at its end: part of the data by the old key still, part by the new one. */
export interface Reencryption {
  /** `encrypt`, `decrypt`: a plain device becomes an encrypted one, or the other way round. */
  readonly mode: 'reencrypt' | 'encrypt' | 'decrypt';
  /** The cipher that all of it will have; null: none. */
  readonly cipher: string | null;
  /** By which the old volume key is known, as `volumeKeyDigest`; '': there was none. */
  readonly oldKeyDigest: string;
  /** What protects the part that is being written: `checksum`, `journal`, `datashift` … or `none`. */
  readonly resilience: string;
  /** Bytes that have been done. */
  readonly done: Bytes;
  /** A part was begun and not ended: somebody is at it now, or was killed, and it must be repaired. */
  readonly torn: boolean;
}

/** The header of an encrypted device. No key is in it that opens anything. */
export interface LuksHeader {
  readonly version: 1 | 2;
  readonly uuid: string;
  readonly label?: string;
  /** `aes-xts-plain64` */
  readonly cipher: string;
  readonly sectorSize: Bytes;
  /** Where the encrypted data begins. */
  readonly dataOffset: Bytes;
  /** By which the volume's key is known: another one is of another key. Base64 or hex; no key can be told from it. */
  readonly volumeKeyDigest: string;
  readonly keySlots: readonly KeySlot[];
  /** What else may open it: `systemd-tpm2`, `clevis`. */
  readonly tokens: readonly { readonly type: string; readonly slots: readonly number[] }[];
  /** What a program must know before it may open it, as `online-reencrypt`: there is more to it than stands here. */
  readonly requirements: readonly string[];
  /** It is being encrypted anew, or was when that was interrupted. */
  readonly reencryption?: Reencryption;
  /** The data have checksums beside them, which dm-integrity keeps. */
  readonly integrity: boolean;
  /** Where the keys of LUKS2 lie: all of it, and what is taken. LUKS1 has a place for each slot. */
  readonly slotRoom?: { readonly all: Bytes; readonly taken: Bytes };
  /** LUKS2 has its metadata twice: the copy that is damaged, or older. This is read from the other one. */
  readonly damagedCopy?: 'first' | 'second';
}

/** A header without what only a probe of the device tells. */
export type HeaderPart = Omit<LuksHeader, 'uuid' | 'label'> & { readonly uuid?: string };

/** An open device, from the kernel's own facts. */
export interface Mapping {
  readonly name: string;
  /** `/dev/mapper/NAME` */
  readonly path: string;
  /** `major:minor` */
  readonly number: string;
  /** What cryptsetup has set when it opened it: `CRYPT-LUKS2-<uuid without hyphens>-<the name then>`. */
  readonly dmUuid: string;
  /** `LUKS1`, `LUKS2`, `PLAIN`, `VERITY` … */
  readonly type: string;
  /** Of the header that it was opened by; undefined of what has none. */
  readonly luksUuid?: string;
  readonly size: Bytes;
  readonly mode: 'ro' | 'rw';
  /** Kernel names of the devices beneath, as `dm-3`. */
  readonly beneath: readonly string[];
}

/** What `cryptsetup status` says of a mapping. */
export interface MappingStatus {
  readonly inUse: boolean;
  readonly type: string;
  /** Undefined: cryptsetup could not read its header, or it has none. */
  readonly cipher?: string;
  readonly keyLocation?: string;
  readonly device?: string;
  readonly offset?: Bytes;
  readonly size: Bytes;
  readonly mode: 'ro' | 'rw';
  /** Its data are being encrypted anew, or that was interrupted. */
  readonly isReencrypted: boolean;
  readonly flags: readonly string[];
}
