import { dirname } from 'node:path';
import { keysOf } from '../../blockdevice/index.ts';
import type { Place } from '../../atomic/index.ts';
import { parseReserved } from '../../atomic/locks/reservations.ts';
import { journalsOn } from '../../atomic/journal/scan.ts';
import { conflicting, isLeft } from '../../atomic/journal/state.ts';
import {
  type ChangeHost,
  endReservation,
  type Host,
  type ReadHost,
  type Reservations,
  textOf,
} from '../../command/index.ts';
import type { SimulatedHost } from '../../simulator/host.ts';
import { simulate } from '../../simulator/real-host/simulate.ts';

/**
 * Returns the reservations of another host for a plan: reads the reservations of other sequences and writes
 * none.
 */
export function plannedReservations(real: ReadHost, { journals, reach }: Reservations): Reservations {
  const directory = `${dirname(journals ?? '')}/reservations`;
  const own = new Set<string>();
  return {
    reach,
    reserve: async ({ id }, { exclusive, shared }) => {
      own.add(id);
      const wanted = { makes: exclusive, needs: shared };
      for (const other of await reservedOn(real, directory)) {
        const key = conflicting({ makes: other.exclusive, needs: other.shared }, wanted);
        const by = `the sequence ${other.id} "${other.name}", which bofh runs on ${other.coordinator}`;
        const remedy = endReservation(other, `on ${real.name}`);
        if (key !== undefined) return { key, by, remedy, sequence: other.id };
      }
      for (const { id: other, state } of journals === undefined ? [] : await journalsOn(real, journals))
        for (const { intent } of state.steps.filter(
          (step) => isLeft(state, step) && step.intent.host === '',
        )) {
          const key = conflicting(intent.claims ?? {}, wanted);
          const by = `the sequence ${other} "${state.begin.name}" there`;
          if (key !== undefined) return { key, by, remedy: `on ${real.name}: bofh recover` };
        }
      return undefined;
    },
    fence: async ({ id }) =>
      own.has(id) || (await real.stat(`${directory}/${id}`)) !== undefined ? 'fenced' : 'missing',
    // As the real release, fails for an unreachable host, whose objects then stay reserved.
    release: async () => {
      await real.facts();
    },
  };
}

async function reservedOn(real: ReadHost, directory: string) {
  if ((await real.stat(directory)) === undefined) return [];
  const ids = (await real.readDir(directory)).filter((name) => /^[0-9a-f]+$/.test(name));
  const read = ids.map(async (id) => {
    const text = await textOf(real, `${directory}/${id}`);
    // The reservation ended meanwhile.
    return text === undefined ? [] : [parseReserved(text, id)];
  });
  return (await Promise.all(read)).flat();
}

/**
 * Returns the place of a remote host for a plan: a simulated copy if steps are left there, otherwise
 * the real host.
 */
export async function plannedPlace(
  { host: real, reservations }: Place,
  left: 'something' | 'nothing',
  named: (simulated: SimulatedHost) => Host,
): Promise<Place> {
  const host = left === 'nothing' ? real : named(await simulate(real));
  return placeOn(host, { host: real, reservations });
}

/** Returns the place of a host that a script may name. Its copy is made meanwhile; the first step there waits for it. */
export function lazyPlace(
  name: string,
  { host: real, reservations }: Place,
  {
    connectPeer,
    named,
  }: { readonly connectPeer: (simulated: SimulatedHost) => void; readonly named: (host: Host) => Host },
): Place {
  const made = simulate(real).then((simulated) => {
    connectPeer(simulated);
    return simulated;
  });
  return placeOn(named(lazyHost(name, made)), { host: real, reservations });
}

function placeOn(
  host: Host,
  { host: real, reservations }: { readonly host: Host; readonly reservations: Place['reservations'] },
): Place {
  return {
    host,
    on: (path, asked = host) => keysOf(asked, path),
    ...(reservations === undefined ? {} : { reservations: plannedReservations(real, reservations) }),
  };
}

const reads = ['run', 'readFile', 'readDir', 'readLink', 'stat', 'facts'] as const;
const changes = [
  ...reads,
  ...(['pipe', 'writeNew', 'link', 'rename', 'removeFile', 'makeDir', 'removeDir', 'sync'] as const),
] as const satisfies readonly (keyof ChangeHost)[];

/** Returns a host that is connected later: a script names the host of a step only when it reaches the step. */
export function lazyHost(name: string, made: Promise<Host>): Host {
  const forwarding = <H extends ReadHost>(coming: Promise<H>, verbs: readonly (keyof H)[]): H => {
    // If the host is never used, a failed connection does not matter.
    coming.catch(() => undefined);
    const forwarded = verbs.map((verb) => [
      verb,
      async (...args: readonly unknown[]): Promise<unknown> => {
        const host = await coming;
        return Reflect.apply(host[verb] as (...all: readonly unknown[]) => unknown, host, args);
      },
    ]);
    return { name, ...Object.fromEntries(forwarded) } as H;
  };
  return {
    ...forwarding<ReadHost>(made, reads),
    during: (step) =>
      forwarding<ChangeHost>(
        made.then((host) => host.during(step)),
        changes,
      ),
  };
}
