import * as z from 'zod/mini';

const count = z.number().check(z.minimum(0));

// Counters have 64 bits: on a busy router they exceed the range of exact JavaScript numbers, and
// are then approximate.
const counters = z.object({ bytes: count, packets: count, errors: count, dropped: count });

/** `ip -json -statistics -details address show` (iproute2 6.1): the keys that bofh uses. */
export const addressSchema = z.array(
  z.object({
    ifindex: z.int(),
    ifname: z.string().check(z.minLength(1)),
    altnames: z.optional(z.array(z.string())),
    flags: z.array(z.string()),
    mtu: z.int(),
    operstate: z.string(),
    link_type: z.string(),
    /** Missing for an interface without a hardware address, such as an IP tunnel. */
    address: z.optional(z.string()),
    /** The bridge, bond or VRF that the interface belongs to. */
    master: z.optional(z.string()),
    /** Missing for hardware and the loopback interface. */
    linkinfo: z.optional(
      z.object({
        info_kind: z.optional(z.string()),
        info_slave_kind: z.optional(z.string()),
        info_slave_data: z.optional(z.object({ state: z.optional(z.string()) })),
      }),
    ),
    addr_info: z.array(
      z.object({
        family: z.string(),
        local: z.string(),
        prefixlen: z.int(),
        scope: z.string(),
        /** Duplicate address detection is running, or found another host with this address. */
        tentative: z.optional(z.boolean()),
        dadfailed: z.optional(z.boolean()),
      }),
    ),
    stats64: z.object({ rx: counters, tx: counters }),
  }),
);
