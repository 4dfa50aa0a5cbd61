import type { Bofh } from '../../bofh.ts';
import { simulatedBofh } from '../bofh.ts';
import { checkKeys } from '../../core/checks.ts';
import { linkDrbd } from '../world/drbd-link.ts';
import { simulatedHost, type SimulatedHost } from '../host.ts';
import type { LinkFault, Side } from './link.ts';
import { placeOver } from './place.ts';
import type { Keep } from '../faults/power-cut.ts';

/** The other host, and the link to it. */
export interface Peer {
  /** As it is now; after a boot another one. */
  readonly host: () => SimulatedHost;
  /** What has gone over so far: a question, a change, or something about the reservation. */
  readonly crossings: readonly ('read' | 'change' | 'reservation')[];
  /** At the `n`-th crossing from now on, counted from 1. */
  readonly fault: (n: number, fault: LinkFault, keep?: Keep) => void;
  readonly cut: () => void;
  /** Only of DRBD, as with a separate cable for replication. */
  readonly cutReplication: () => void;
  readonly mend: () => void;
  /** Ids of the sequences with reservations on it. */
  readonly reserved: () => readonly string[];
}

/**
 * Two hosts in memory: a `Bofh` on one of them, to which the other is known as `there`, and further ones by their keys in `others`.
 * `again` is bofh on the same hosts in another process, or after a boot.
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
  // The same cable, until that of DRBD alone is cut.
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
    ...{ name, host, crossings: [], fault: undefined, adrift: [] },
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
