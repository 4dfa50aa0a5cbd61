import * as z from 'zod/mini';
import { count, text } from './parts.ts';

const disk = z.strictObject({
  /** Name in the guest: `xvda1`. */
  device: text,
  /** Device or file of this host; null if it is on the network. */
  path: z.nullable(text),
  access: z.enum(['ro', 'rw']),
});

/** `bofh xen list` */
export const xenList = z.array(
  z.strictObject({
    name: text,
    /** State of its domain; `off`: configured, without a domain. */
    state: text,
    domid: z.nullable(count),
    uuid: z.nullable(text),
    /** Memory in bytes. */
    memory: count,
    vcpus: count,
    /** null if no configuration is known. */
    config: z.nullable(text),
    /** null if no configuration is known. */
    disks: z.nullable(z.array(disk)),
  }),
);

/** `bofh xen start NAME` */
export const xenStart = z.strictObject({ name: text, domid: count });

/** `bofh vm stop NAME`; `changed`: false if it was off. */
export const vmStop = z.strictObject({ name: text, changed: z.boolean() });

/** `bofh vm pause NAME`, `bofh vm resume NAME`; `changed`: false if it had that state already. */
export const vmPause = z.strictObject({ name: text, changed: z.boolean() });

/** `bofh vm wait NAME`; `domid` null: it is off. */
export const vmWait = z.strictObject({ name: text, domid: z.nullable(count) });

/** `bofh vm show NAME` */
export const vmShow = z.strictObject({
  name: text,
  /** State of its domain; `off` if there is none. */
  state: text,
  domid: z.nullable(count),
  uuid: z.nullable(text),
  type: text,
  /** Memory in bytes. */
  memory: count,
  vcpus: count,
  config: text,
  disks: z.array(disk),
  interfaces: z.array(z.strictObject({ mac: z.nullable(text), bridge: z.nullable(text) })),
});

/** `bofh xen start-all`, `bofh xen stop-all` */
export const xenStartAll = z.array(
  z.strictObject({
    guest: text,
    was: text,
    now: text,
    seconds: z.number(),
    error: z.exactOptional(text),
    /** Id of its journal, if it stays open because the undo or cleanup is unfinished. */
    journal: z.exactOptional(text),
  }),
);

export type XenList = z.infer<typeof xenList>;
export type VmWait = z.infer<typeof vmWait>;
export type VmPause = z.infer<typeof vmPause>;
export type VmStop = z.infer<typeof vmStop>;
export type VmShow = z.infer<typeof vmShow>;
export type XenStart = z.infer<typeof xenStart>;
export type XenStartAll = z.infer<typeof xenStartAll>;
