import * as z from 'zod/mini';
import { count, text } from './parts.ts';

/** `bofh vm create NAME` */
export const vmCreate = z.strictObject({
  name: text,
  config: text,
  /** Device of its root filesystem. */
  root: text,
  swap: z.nullable(text),
  /** null: it was not started. */
  domid: z.nullable(count),
});

/** `bofh vm destroy NAME` */
export const vmDestroy = z.strictObject({
  name: text,
  config: text,
  /** Volumes that were removed: `VG/LV`. */
  volumes: z.readonly(z.array(text)),
  /** Disks that are no logical volumes: they are as they were. */
  kept: z.readonly(z.array(text)),
});

export type VmCreate = z.infer<typeof vmCreate>;
export type VmDestroy = z.infer<typeof vmDestroy>;
