import * as z from 'zod/mini';
import type { ReadHost } from '../command/index.ts';
import { RefusedError } from '../core/errors.ts';
import { type ConnectionState, role } from './schema.ts';
import type { ResourceState } from './state.ts';
import { drbdGenerations } from './volume-commands.ts';

/**
 * Identifies the data to discard, as far as this host knows. Module 8.4 does not show the generation of the
 * peer. This host knows only the bitmap UUID (the generation that the two had in common); while they are
 * connected and up to date, the generation of the peer is that of this host.
 */
export const dataState = z.strictObject({
  /** Counters restart at boot, so writes before it cannot be seen. */
  boot: z.string(),
  role,
  /** The connection to each peer. */
  connections: z.array(
    z.strictObject({ peer: z.string(), state: z.enum(['StandAlone', 'looking', 'Connected']) }),
  ),
  /** The volumes that have a disk. */
  volumes: z.array(
    z.strictObject({
      volume: z.int(),
      /** Current and bitmap UUID for each peer. */
      generations: z.array(z.string()),
      /**
       * Bytes written while there is no connection. The generation is not enough: a host whose data has
       * already diverged starts no new one when it becomes primary and is written to again (drbd_set_role of
       * drbd_nl.c, 8.4).
       */
      written: z.exactOptional(z.int()),
    }),
  ),
});

export type DataState = z.infer<typeof dataState>;

const withoutDisk: ReadonlySet<string> = new Set(['Diskless', 'Attaching', 'Detaching', 'Failed']);

/** The generations of some volumes of a resource that is up. */
export async function dataNow(
  host: ReadHost,
  { name, role: own, connections, volumes }: ResourceState,
  numbers: readonly number[],
): Promise<DataState> {
  const isApart = connections.every(({ state }) => state !== 'Connected');
  const found: DataState['volumes'] = [];
  for (const { volume, disk, written } of volumes) {
    if (!numbers.includes(volume) || withoutDisk.has(disk)) continue;
    const generations = [...(await host.run(drbdGenerations({ name, volume })))];
    found.push({ volume, generations, ...(isApart && written !== undefined ? { written } : {}) });
  }
  return {
    boot: (await host.facts()).boot,
    role: own,
    connections: connections.map(({ nodeId, state }) => ({
      peer: String(nodeId),
      state: inShort(state),
    })),
    volumes: found,
  };
}

/** The connection state, without its intermediate states, which change by themselves. */
function inShort(state: ConnectionState): DataState['connections'][number]['state'] {
  return state === 'StandAlone' || state === 'Connected' ? state : 'looking';
}

/** Describes what changed between two states; empty: the data is the same. */
export function changesOf(was: DataState, is: DataState): readonly string[] {
  const changed = (what: string, before: string, after: string): readonly string[] =>
    before === after ? [] : [`${what} was ${before} and is ${after}`];
  const volume = (number: number): readonly string[] => {
    const of = (all: DataState) => all.volumes.find((each) => each.volume === number);
    const [before, after] = [of(was), of(is)];
    const counted = before?.written !== undefined && after?.written !== undefined;
    return [
      ...changed(`the generation of volume ${String(number)}`, generationOf(before), generationOf(after)),
      ...(counted && before.written !== after.written
        ? [
            `volume ${String(number)} was written to (${String((after.written ?? 0) - (before.written ?? 0))} bytes)`,
          ]
        : []),
    ];
  };
  return [
    ...(was.boot === is.boot ? [] : ['the host was booted, so what was written before is unknown']),
    ...changed('its role', was.role, is.role),
    ...changed('its connection', connectionsOf(was), connectionsOf(is)),
    ...[...new Set([...was.volumes, ...is.volumes].map((each) => each.volume))].flatMap(volume),
  ];
}

function generationOf(volume: DataState['volumes'][number] | undefined): string {
  return volume === undefined ? 'none' : volume.generations.join(', ');
}

function connectionsOf({ connections }: DataState): string {
  return connections.map(({ peer, state }) => `${state} (${peer})`).join(', ');
}

/** The generations of the data to discard, as text for people. */
export function dataInWords({ volumes }: DataState): string {
  return volumes.map((each) => `volume ${String(each.volume)}: ${generationOf(each)}`).join('; ');
}

/**
 * Throws RefusedError, with both generations, if the data changed since the request: discarding it needs a
 * new request. `was` is missing in a journal of an older bofh.
 */
export function refuseOtherData(
  name: string,
  {
    was,
    is,
    mark,
    order,
  }: {
    readonly was: DataState | undefined;
    readonly is: DataState;
    /** Tag of the step: which contains `bofh.ID.N`. */
    readonly mark: string;
    /** The command line that makes the same request again. */
    readonly order: string;
  },
): void {
  const changes =
    was === undefined ? ['the journal does not record which data the command meant'] : changesOf(was, is);
  if (changes.length === 0) return;
  const id = /bofh\.(?<id>[0-9a-z]+)\.\d+/.exec(mark)?.groups?.id ?? 'ID';
  const ordered = was === undefined ? '' : `recorded: ${dataInWords(was)}; `;
  throw new RefusedError(
    `the data of ${name} has changed since the command: ${changes.join('; ')} (${ordered}now: ${dataInWords(is)}). Nothing was discarded`,
    {
      remedy: `to keep the data: bofh recover --abandon ${id} --because "the data has changed"; to discard the data anyway, close the journal with that command, then: ${order}`,
    },
  );
}
