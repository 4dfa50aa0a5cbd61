import {
  type Answers,
  askedOnce,
  type Host,
  type ReadHost,
  type Reservations,
  type Reserving,
} from '../command/index.ts';
import { checkText } from '../core/checks.ts';
import { ConnectionError, JournalError, UsageError } from '../core/errors.ts';
import type { DeviceKeys } from './operation.ts';

/** A host that steps act on. */
export interface Place {
  readonly host: Host;
  /** Returns the keys of a device path on this host; `asked` is the same host, as the caller queries it. */
  readonly on: (path: string, asked?: ReadHost) => Promise<DeviceKeys>;
  /**
   * Missing: the journal is on this host, so it and the locks beside it are enough to keep others
   * away.
   */
  readonly reservations?: Reservations;
}

/** The hosts of an engine. */
export interface Places extends Place {
  /**
   * A host other than `host`, by its name in journals; empty: the one that bofh runs on. `reach`: the way to
   * connect that a journal records; used from then on.
   */
  readonly place?: (name: string, reach?: unknown) => Place | undefined;
}

/** Returns a host by its name in a journal. Throws JournalError if this bofh does not know it. */
export function placeOf(places: Places, name: string): Place {
  if (name === places.host.name) return places;
  const found = places.place?.(name);
  if (found !== undefined) return found;
  throw new JournalError(`the host "${name}" of a step is not known here; nothing was touched`, {
    remedy: 'recover with a site file that names this host: bofh --site FILE recover',
  });
}

/** Returns the host for `tx.on`. Throws UsageError for an unknown name. */
export function otherHost(places: Places, name: string): Place {
  if (typeof name !== 'string') checkText('tx.on: the host', name);
  const found = name === places.host.name ? places : places.place?.(name);
  if (found !== undefined) return found;
  // Only a simulated host can be unknown: every other name is passed to ssh.
  throw new UsageError(`tx.on: host: the simulated host knows no host "${name}"`, {
    code: 'not-found',
    remedy: `simulatedPair() has two hosts, named "" and "there"; for more of them: simulatedPair({ others: { ${JSON.stringify(name)}: simulatedHost() } })`,
  });
}

/**
 * Returns the same hosts, but each runs a query only once (see `askedOnce`). Use them for a single
 * look at the objects of a step, before the step acts or when it is done. `answers` are what
 * `places.host` answered earlier.
 */
export function eachOnce<P extends Places>(places: P, answers?: Answers): P {
  const once = (place: Place, earlier?: Answers): Place => {
    const host = Object.assign(askedOnce(place.host, earlier), {
      during: place.host.during.bind(place.host),
    });
    return { ...place, host, on: (path, asked = host) => place.on(path, asked) };
  };
  const known = new Map<string, Place | undefined>();
  const place = (name: string, reach?: unknown): Place | undefined => {
    if (!known.has(name)) {
      const found = places.place?.(name, reach);
      known.set(name, found === undefined ? undefined : once(found));
    }
    return known.get(name);
  };
  return { ...places, ...once(places, answers), place };
}

/** The hosts of a sequence that is about to be rolled back or forward. */
export interface Met {
  /** Host → its current boot id; without those that cannot be reached. */
  readonly boots: Readonly<Record<string, string>>;
  /** Why a host cannot be reached. */
  readonly away: ReadonlyMap<string, Error>;
}

/**
 * Asks each host for its boot id, after all programs of the sequence on it have ended: a program continues when
 * its connection is lost.
 */
export async function meet(
  places: Places,
  hosts: Iterable<string>,
  of: Reserving,
  options: Parameters<Reservations['fence']>[1],
): Promise<Met> {
  const boots: Record<string, string> = {};
  const away = new Map<string, Error>();
  for (const name of new Set(hosts)) {
    const { host, reservations } = placeOf(places, name);
    try {
      const fenced = await reservations?.fence(of, options);
      if (fenced === 'missing') away.set(name, unreserved(name));
      if (fenced !== undefined && fenced !== 'fenced') continue;
      boots[name] = (await host.facts()).boot;
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error;
      away.set(name, error);
    }
  }
  return { boots, away };
}

function unreserved(name: string): JournalError {
  return new JournalError(
    `${name} has no reservation for this sequence: it was abandoned there, or a different host has this name now`,
    {
      remedy: `check whether ${name} is still the same host; clear what is left there by hand; then: bofh recover --abandon ID --because "…"`,
    },
  );
}
