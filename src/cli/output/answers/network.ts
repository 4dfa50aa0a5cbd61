import * as z from 'zod/mini';
import { count, text } from './parts.ts';

const many = z.number().check(z.minimum(0));
const counters = z.strictObject({ bytes: many, packets: many, errors: many, dropped: many });

/** `bofh network show NAME` */
export const networkShow = z.strictObject({
  name: text,
  alternativeNames: z.readonly(z.array(text)),
  index: count,
  kind: text,
  /** Whether it is switched on; `state` is whether it works. */
  up: z.boolean(),
  state: text,
  mac: z.nullable(text),
  mtu: count,
  addresses: z.readonly(
    z.array(
      z.strictObject({
        family: text,
        address: text,
        prefix: count,
        scope: text,
        state: z.enum(['usable', 'tentative', 'duplicate']),
      }),
    ),
  ),
  /** The bridge or bond that it hangs on. */
  master: z.nullable(text),
  portState: z.nullable(text),
  /** What hangs on it. */
  ports: z.readonly(z.array(text)),
  received: counters,
  sent: counters,
  /** The guest whose back end it is; its name is null where Xen could not be asked. */
  domid: z.nullable(count),
  guest: z.nullable(text),
});

/** `bofh network list` */
export const networkList = z.array(networkShow);

export type NetworkShow = z.infer<typeof networkShow>;
export type NetworkList = z.infer<typeof networkList>;
