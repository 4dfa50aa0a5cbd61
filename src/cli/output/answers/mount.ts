import * as z from 'zod/mini';
import { count, ensured, text } from './parts.ts';

/** `bofh mount list`: mounts of the mount namespace of bofh, in kernel order. */
export const mountList = z.array(
  z.strictObject({
    id: count,
    path: text,
    /** A device, a network share, or a word such as `tmpfs`. */
    source: text,
    /** The directory of the filesystem that is mounted. */
    root: text,
    type: text,
    options: z.readonly(z.array(text)),
    filesystemOptions: z.readonly(z.array(text)),
  }),
);

/** `bofh mount add DEVICE [PATH]` */
export const mountAdd = z.strictObject({
  ...ensured,
  source: text,
  path: text,
});

/** `bofh mount remove PATH` */
export const mountRemove = z.strictObject({ source: text, path: text });

/** Why the line cannot be parsed; only its number is known then. */
const unreadable = z.nullable(text);

/** `bofh mount fstab list`; hides option values in a line with a password. */
export const fstabList = z.array(
  z.strictObject({
    line: count,
    device: z.nullable(text),
    path: z.nullable(text),
    type: z.nullable(text),
    options: z.readonly(z.array(text)),
    dump: z.nullable(count),
    pass: z.nullable(count),
    unreadable,
  }),
);

/** `bofh mount crypttab list` */
export const crypttabList = z.array(
  z.strictObject({
    line: count,
    name: z.nullable(text),
    device: z.nullable(text),
    key: z.nullable(text),
    options: z.readonly(z.array(text)),
    unreadable,
  }),
);

/** `bofh mount fstab` and `bofh mount crypttab`: `add`, `set` and `remove` */
export const tableEdit = z.strictObject({
  ...ensured,
  file: text,
  /** The line now; null: removed. */
  line: z.nullable(text),
  /** The command that makes systemd read the file before the next boot. */
  next: text,
});

export type MountList = z.infer<typeof mountList>;
export type MountAdd = z.infer<typeof mountAdd>;
export type MountRemove = z.infer<typeof mountRemove>;
export type FstabList = z.infer<typeof fstabList>;
export type CrypttabList = z.infer<typeof crypttabList>;
export type TableEdit = z.infer<typeof tableEdit>;
