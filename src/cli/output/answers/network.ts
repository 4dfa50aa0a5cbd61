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
  /** Whether it is set up (`ip link set up`); `state` is its operational state. */
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
  /** The bridge or bond of the interface. */
  master: z.nullable(text),
  portState: z.nullable(text),
  /** Its ports. */
  ports: z.readonly(z.array(text)),
  received: counters,
  sent: counters,
  /** The guest of this backend interface; its name is null if Xen could not be queried. */
  domid: z.nullable(count),
  guest: z.nullable(text),
});

/** `bofh network list` */
export const networkList = z.array(networkShow);

export type NetworkShow = z.infer<typeof networkShow>;
export type NetworkList = z.infer<typeof networkList>;
