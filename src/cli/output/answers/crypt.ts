import * as z from 'zod/mini';
import { count, text } from './parts.ts';

/** The JSON answers of `bofh crypt`. No key is in any of them. */

const mode = z.enum(['ro', 'rw']);

/** `bofh crypt list`: encrypted devices, what else cryptsetup has open, and what cannot be read; sizes in bytes. */
export const cryptList = z.array(
  z.strictObject({
    /** null: it is open, and no header of its own lies beneath (plain, or a header elsewhere). */
    device: z.nullable(text),
    /** Of the header. */
    uuid: z.nullable(text),
    label: z.nullable(text),
    /** Where it is open: `/dev/mapper/NAME`; null: it is closed. */
    open: z.nullable(text),
    size: z.nullable(count),
    mode: z.nullable(mode),
    /** Why the device cannot be read: nobody can tell whether it is encrypted, and all else but its name is null. */
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
  /** Where the encrypted data begins, in bytes. */
  dataOffset: count,
  keySlots: z.readonly(
    z.array(
      z.strictObject({
        slot: count,
        kdf: text,
        /** Bytes; null: opening it takes none worth the word. */
        memory: z.nullable(count),
        rounds: count,
        /** `nothing`: the key in it is not that of the data. */
        opens: z.enum(['data', 'nothing']),
      }),
    ),
  ),
  tokens: z.readonly(z.array(z.strictObject({ type: text, slots: z.readonly(z.array(count)) }))),
  /** What a program must know before it may open it. */
  requirements: z.readonly(z.array(text)),
  /** It is being encrypted anew, or that was interrupted; null: neither. */
  reencryption: z.nullable(
    z.strictObject({
      mode: z.enum(['reencrypt', 'encrypt', 'decrypt']),
      /** That all of it will have; null: none. */
      cipher: z.nullable(text),
      resilience: text,
      /** Bytes that are done. */
      done: count,
      /** A part is being written now, or was torn by a crash. */
      torn: z.boolean(),
    }),
  ),
  /** LUKS2 has its metadata twice: the copy that is damaged, or older; null: neither. */
  damagedCopy: z.nullable(z.enum(['first', 'second'])),
});

/** `bofh crypt status NAME`: what is open under a name; sizes in bytes. */
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
  /** Its data are being encrypted anew, or that was interrupted. */
  isReencrypted: z.boolean(),
  flags: z.readonly(z.array(text)),
});

/** `bofh crypt format DEVICE` */
export const cryptFormat = z.strictObject({
  device: text,
  type: z.enum(['luks1', 'luks2']),
  uuid: text,
  pbkdf: text,
  /** Bytes that opening it may take; null: pbkdf2 takes none. */
  pbkdfMemory: z.nullable(count),
  /** The file that its header lies in; null: on the device. */
  header: z.nullable(text),
});

/** `bofh crypt open DEVICE` */
export const cryptOpen = z.strictObject({
  device: text,
  name: text,
  path: text,
  /** It was open already. */
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

/** `bofh crypt reencrypt DEVICE`: what it is now. */
export const cryptReencrypt = z.strictObject({
  device: text,
  uuid: text,
  cipher: text,
  /** In which its key lies by now. */
  slot: count,
});

/** `bofh crypt header backup DEVICE FILE`; the size of the file in bytes. */
export const cryptHeaderBackup = z.strictObject({ device: text, file: text, uuid: text, size: count });

/** `bofh crypt header restore DEVICE FILE`: the uuid of the header that the device has now, and that of the one before. */
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
