import * as z from 'zod/mini';
import { count, text } from './parts.ts';

/** `bofh xen list` */
export const xenList = z.array(
  z.strictObject({
    name: text,
    /** State of its domain; `off`: configured, without a domain. */
    state: text,
    domid: z.nullable(count),
    uuid: z.nullable(text),
    memoryMiB: count,
    vcpus: count,
    /** null: no configuration is known. */
    config: z.nullable(text),
  }),
);

/** `bofh xen start NAME` */
export const xenStart = z.strictObject({ name: text, domid: count });

/** `bofh xen start-all` */
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
export type XenStart = z.infer<typeof xenStart>;
export type XenStartAll = z.infer<typeof xenStartAll>;
