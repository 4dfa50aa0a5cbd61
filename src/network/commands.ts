import type { ReadCommand } from '../command/index.ts';
import { addressSchema } from './schema.ts';

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
