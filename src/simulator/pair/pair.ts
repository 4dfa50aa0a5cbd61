import type { Bofh } from '../../connect.ts';
import { simulatedBofh } from '../bofh.ts';
import { checkKeys } from '../../core/checks.ts';
import { linkDrbd } from '../world/drbd-link.ts';
import { simulatedHost, type SimulatedHost } from '../host.ts';
import type { LinkFault, Side } from './link.ts';
import { placeOver } from './place.ts';
import type { Keep } from '../faults/power-cut.ts';

/** The other host, and the link to it. */
export interface Peer {
  /** Returns the other host in its current state: a new object after a reboot. */
  readonly host: () => SimulatedHost;
  /** All accesses over the link so far: reads, changes, and requests about reservations. */
  readonly crossings: readonly ('read' | 'change' | 'reservation')[];
  /**
   * Sets a fault for the `n`-th access over the link from now on, counted from 1; `keep`: as for
   * `powerCut` (default: `none`).
   */
  readonly fault: (n: number, fault: LinkFault, keep?: Keep) => void;
  /** Cuts the link: the other host cannot be reached until `mend`. */
  readonly cut: () => void;
  /** Cuts only the link of DRBD, as if replication had its own cable. */
  readonly cutReplication: () => void;
  /** Repairs both links, and removes the fault. */
  readonly mend: () => void;
  /** Returns the ids of the sequences that have reservations on the other host. */
  readonly reserved: () => readonly string[];
}

/**
 * Returns two hosts in memory: `here`, a `Bofh` on one of them, and `there`, the other. In a sequence on
 * `here` the name of the other host is `there`: `tx.on('there')`; those of `others` have their keys as names.
 * `again(host)` returns bofh on the same hosts in another process: `again(here.restart())`.
 */
export function simulatedPair(
  options: {
    /** The host that bofh runs on (default: a new one). */
    readonly here?: SimulatedHost;
    /** The other host (default: a new one). */
    readonly there?: SimulatedHost;
    /** More hosts, by name. */
    readonly others?: Readonly<Record<string, SimulatedHost>>;
  } = {},
): {
  readonly here: Bofh;
  readonly there: Peer;
  readonly others: Readonly<Record<string, Peer>>;
  readonly again: (here: SimulatedHost) => Bofh;
} {
  checkKeys('simulatedPair', options, ['here', 'there', 'others']);
  const { here = simulatedHost(), there = simulatedHost(), others = {} } = options;
  const side = sideOf('there', there);
  const more = Object.entries(others).map(([name, host]) => sideOf(name, host));
  const sides = [side, ...more];
  // DRBD uses the same link as bofh, until only the link of DRBD is cut.
  for (const each of sides)
    linkDrbd(here.world, each.host.world, () => !each.isCut && !each.isReplicationCut);
  const again = (host: SimulatedHost): Bofh => {
    const bofh = simulatedBofh({ host });
    const places = new Map(sides.map((each) => [each.name, placeOver(each, host)]));
    return { ...bofh, engine: { ...bofh.engine, place: (name) => places.get(name) } };
  };
  return {
    ...{ here: again(here), there: peerOf(side), again },
    others: Object.fromEntries(more.map((each) => [each.name, peerOf(each)])),
  };
}

function sideOf(name: string, host: SimulatedHost): Side {
  return {
    ...{ name, host, crossings: [], fault: undefined, disconnected: [] },
    ...{ isCut: false, isReplicationCut: false },
    reserved: new Map(),
  };
}

function peerOf(side: Side): Peer {
  return {
    host: () => side.host,
    crossings: side.crossings,
    fault: (n, what, keep = 'none') => {
      side.fault = { at: side.crossings.length + n, what, keep };
    },
    cut: () => {
      side.isCut = true;
    },
    cutReplication: () => {
      side.isReplicationCut = true;
    },
    mend: () => {
      side.isCut = false;
      side.isReplicationCut = false;
      side.fault = undefined;
    },
    reserved: () => [...side.reserved.keys()],
  };
}
