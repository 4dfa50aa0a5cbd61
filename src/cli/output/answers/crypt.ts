import * as z from 'zod/mini';
import { count, ensured, text } from './parts.ts';

/** The JSON answers of `bofh crypt`. No key is in any of them. */

const mode = z.enum(['ro', 'rw']);

/**
 * `bofh crypt list`: encrypted devices, other open cryptsetup mappings, and devices that cannot be
 * read; sizes in bytes.
 */
export const cryptList = z.array(
  z.strictObject({
    /** null: an open mapping without a header on the underlying device (plain, or a detached header). */
    device: z.nullable(text),
    /** UUID of the header. */
    uuid: z.nullable(text),
    label: z.nullable(text),
    /** `/dev/mapper/NAME` if it is open; null: closed. */
    open: z.nullable(text),
    size: z.nullable(count),
    mode: z.nullable(mode),
    /**
     * Why the device cannot be read: whether it is encrypted is unknown, and everything but its
     * name is null.
     */
    unreadable: z.nullable(text),
  }),
);

/** `bofh crypt show DEVICE`: its header. */
export const cryptShow = z.strictObject({
  version: z.union([z.literal(1), z.literal(2)]),
  uuid: text,
  label: z.nullable(text),
  cipher: text,
  sectorSize: count,
  /** Start of the encrypted data, in bytes. */
  dataOffset: count,
  keySlots: z.readonly(
    z.array(
      z.strictObject({
        slot: count,
        kdf: text,
        /** Bytes; null: the memory needed to open it is negligible. */
        memory: z.nullable(count),
        rounds: count,
        /** `nothing`: the key in this slot is not the volume key. */
        opens: z.enum(['data', 'nothing']),
      }),
    ),
  ),
  tokens: z.readonly(z.array(z.strictObject({ type: text, slots: z.readonly(z.array(count)) }))),
  /** Features that a program must support to open the device. */
  requirements: z.readonly(z.array(text)),
  /** A running or interrupted reencryption; null: none. */
  reencryption: z.nullable(
    z.strictObject({
      mode: z.enum(['reencrypt', 'encrypt', 'decrypt']),
      /** The new cipher; null: none. */
      cipher: z.nullable(text),
      resilience: text,
      /** Reencrypted bytes. */
      done: count,
      /** A segment is being written now, or was torn by a crash. */
      torn: z.boolean(),
    }),
  ),
  /** LUKS2 has two copies of its metadata: the copy that is damaged or older; null: neither is. */
  damagedCopy: z.nullable(z.enum(['first', 'second'])),
});

/** `bofh crypt status NAME`: the open mapping of a name; sizes in bytes. */
export const cryptStatus = z.strictObject({
  name: text,
  path: text,
  type: text,
  uuid: z.nullable(text),
  device: z.nullable(text),
  cipher: z.nullable(text),
  keyLocation: z.nullable(text),
  offset: z.nullable(count),
  size: count,
  mode,
  inUse: z.boolean(),
  /** A reencryption is running or was interrupted. */
  isReencrypted: z.boolean(),
  flags: z.readonly(z.array(text)),
});

/** `bofh crypt format DEVICE` */
export const cryptFormat = z.strictObject({
  ...ensured,
  device: text,
  type: z.enum(['luks1', 'luks2']),
  uuid: text,
  pbkdf: text,
  /** Bytes of memory needed to open it; null: pbkdf2 needs none. */
  pbkdfMemory: z.nullable(count),
  /** The file with its detached header; null: the header is on the device. */
  header: z.nullable(text),
});

/** `bofh crypt open DEVICE` */
export const cryptOpen = z.strictObject({
  device: text,
  name: text,
  path: text,
  /** The device was already open. */
  adopted: z.boolean(),
});

/** `bofh crypt close NAME` */
export const cryptClose = z.strictObject({ name: text });

/** `bofh crypt resize NAME`; sizes in bytes. */
export const cryptResize = z.strictObject({ name: text, path: text, was: count, size: count });

/** `bofh crypt add-key`, `change-key` and `remove-key DEVICE`: the slot of the key that was added, or removed. */
export const cryptKey = z.strictObject({ device: text, slot: count });

/** `bofh crypt erase DEVICE UUID` */
export const cryptErase = z.strictObject({ device: text, uuid: text });

/** `bofh crypt reencrypt DEVICE`: the state of the device afterwards. */
export const cryptReencrypt = z.strictObject({
  device: text,
  uuid: text,
  cipher: text,
  /** The key slot afterwards. */
  slot: count,
});

/** `bofh crypt header backup DEVICE FILE`; the size of the file in bytes. */
export const cryptHeaderBackup = z.strictObject({ device: text, file: text, uuid: text, size: count });

/**
 * `bofh crypt header restore DEVICE FILE`: the UUID of the restored header, and the UUID of the header
 * before.
 */
export const cryptHeaderRestore = z.strictObject({ device: text, file: text, uuid: text, was: text });

export type CryptList = z.infer<typeof cryptList>;
export type CryptShow = z.infer<typeof cryptShow>;
export type CryptStatus = z.infer<typeof cryptStatus>;
export type CryptFormat = z.infer<typeof cryptFormat>;
export type CryptOpen = z.infer<typeof cryptOpen>;
export type CryptErase = z.infer<typeof cryptErase>;
export type CryptKey = z.infer<typeof cryptKey>;
export type CryptReencrypt = z.infer<typeof cryptReencrypt>;
export type CryptClose = z.infer<typeof cryptClose>;
export type CryptResize = z.infer<typeof cryptResize>;
export type CryptHeaderBackup = z.infer<typeof cryptHeaderBackup>;
export type CryptHeaderRestore = z.infer<typeof cryptHeaderRestore>;
