import * as z from 'zod/mini';
import type { ReadCommand } from '../command/index.ts';

/** An address of an interface. */
export interface Address {
  readonly family: string;
  readonly address: string;
  /** Length of the network prefix. */
  readonly prefix: number;
  readonly scope: string;
  /**
   * `tentative`: duplicate address detection is running; `duplicate`: another host has the address.
   */
  readonly state: 'usable' | 'tentative' | 'duplicate';
}

/** The traffic of an interface since it was created. */
export interface Counters {
  readonly bytes: number;
  readonly packets: number;
  readonly errors: number;
  readonly dropped: number;
}

/** A network interface of this host. */
export interface Interface {
  readonly name: string;
  readonly alternativeNames: readonly string[];
  readonly index: number;
  /** `hardware`, `loopback`, or the kernel's word: bridge, veth, vlan, bond, tun, vif … */
  readonly kind: string;
  /** Whether the administrator has switched it on. */
  readonly up: boolean;
  /** UP, DOWN, LOWERLAYERDOWN, UNKNOWN … (RFC 2863). */
  readonly state: string;
  readonly mac: string | undefined;
  readonly mtu: number;
  readonly addresses: readonly Address[];
  readonly received: Counters;
  readonly sent: Counters;
  /** The bridge or bond that the interface belongs to. */
  readonly master: string | undefined;
  /** State of a bridge port: disabled, listening, learning, forwarding, blocking. */
  readonly portState: string | undefined;
  /** The ports of a bridge. */
  readonly ports: readonly string[];
}

/**
 * Reads every interface with its addresses and counters: `ip -details` also shows the bridge ports.
 */
export function ipAddresses(): ReadCommand<readonly Interface[]> {
  return {
    tool: 'ip',
    argv: ['-json', '-statistics', '-details', 'address', 'show'],
    access: 'read',
    parse: ({ stdout }) => interfacesIn(addressSchema.parse(JSON.parse(stdout))),
  };
}

type Row = ReturnType<typeof addressSchema.parse>[number];

function interfacesIn(rows: readonly Row[]): readonly Interface[] {
  return rows.map((row) => ({
    name: row.ifname,
    alternativeNames: row.altnames ?? [],
    index: row.ifindex,
    kind: row.linkinfo?.info_kind ?? (row.link_type === 'loopback' ? 'loopback' : 'hardware'),
    up: row.flags.includes('UP'),
    state: row.operstate,
    mac: row.link_type === 'ether' ? row.address : undefined,
    mtu: row.mtu,
    addresses: row.addr_info.map(({ family, local, prefixlen, scope, tentative, dadfailed }) => ({
      family,
      address: local,
      prefix: prefixlen,
      scope,
      state: dadfailed === true ? 'duplicate' : tentative === true ? 'tentative' : 'usable',
    })),
    received: row.stats64.rx,
    sent: row.stats64.tx,
    master: row.master,
    portState: row.linkinfo?.info_slave_data?.state,
    ports: rows.filter(({ master }) => master === row.ifname).map(({ ifname }) => ifname),
  }));
}

const count = z.number().check(z.minimum(0));

// Counters have 64 bits: on a busy router they exceed the range of exact JavaScript numbers, and
// are then approximate.
const counters = z.object({ bytes: count, packets: count, errors: count, dropped: count });

/** `ip -json -statistics -details address show` (iproute2 6.1): the keys that bofh uses. */
const addressSchema = z.array(
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
