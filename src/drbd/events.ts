import type * as z from 'zod/mini';
import { ParseError } from '../core/errors.ts';
import { eventSchemas } from './schema.ts';
import { type Connection, type ResourceState, unnamedPeer } from './state.ts';
import { present } from '../core/present.ts';

type Objects = {
  readonly [K in keyof typeof eventSchemas]: readonly z.infer<(typeof eventSchemas)[K]>[];
};

// Values contain colons (addresses), but no spaces: a name with a space leaves a word without a key.
const line = /^exists (?<object>resource|device|connection|peer-device|path)(?<facts>(?: [\w-]+:\S*)+)$/;
const fact = / (?<key>[\w-]+):(?<value>\S*)/g;

/**
 * The kernel's state of every resource, from `drbdsetup events2 --now --statistics`. An object
 * without a resource, a duplicate, and output without its last line (it was cut off) are errors.
 */
export function parseEvents(text: string): readonly ResourceState[] {
  const { resource, device, connection, 'peer-device': peerDevice, path } = objectsIn(text);
  const found = resource.map(
    ({ name, role, suspended }): ResourceState => ({
      ...{ name, role, suspended },
      volumes: device
        .filter((each) => each.name === name)
        .map(({ volume, minor, disk, size, written, backing_dev: backing }) => ({
          ...{ volume, minor, disk },
          ...(size === undefined || size === 0 ? {} : { size }),
          ...present({ written }),
          ...(backing === undefined || backing === 'none' ? {} : { backing }),
        }))
        .sort((a, b) => a.volume - b.volume),
      connections: connection
        .filter((each) => each.name === name)
        .map((each): Connection => {
          const { 'peer-node-id': nodeId, 'conn-name': peer = unnamedPeer, connection: state } = each;
          const ofIt = (one: { readonly name: string; readonly 'peer-node-id': number }): boolean =>
            one.name === name && one['peer-node-id'] === nodeId;
          return {
            ...{ peer, nodeId, state, role: each.role },
            paths: path.filter(ofIt).map((one) => ({ local: one.local, peer: one.peer })),
            volumes: peerDevice
              .filter(ofIt)
              .map(({ volume, replication, 'peer-disk': disk, ...rest }) => ({
                ...{ volume, replication, disk, paused: rest['resync-suspended'] },
                ...(rest['out-of-sync'] === undefined ? {} : { outOfSync: rest['out-of-sync'] }),
              }))
              .sort((a, b) => a.volume - b.volume),
          };
        }),
    }),
  );
  refuseStrays([resource, device, connection, peerDevice, path], found);
  return found.sort((a, b) => (a.name < b.name ? -1 : 1));
}

function objectsIn(text: string): Objects {
  const lines = text.split('\n');
  if (lines.pop() !== '' || lines.pop() !== 'exists -')
    throw new ParseError('the output does not end with "exists -"');
  const said = lines.map(factsIn);
  return {
    resource: readAs('resource', said),
    device: readAs('device', said),
    connection: readAs('connection', said),
    'peer-device': readAs('peer-device', said),
    path: readAs('path', said),
  };
}

/** The objects of a kind; an unknown value is an error that shows its line. */
function readAs<K extends keyof Objects>(kind: K, said: readonly Said[]): Objects[K] {
  const read = said.flatMap(({ object, facts, text }) => {
    if (object !== kind) return [];
    const { success, data, error } = eventSchemas[kind].safeParse(facts);
    if (success) return [data];
    const field = String(error.issues[0]?.path[0] ?? 'line');
    const value = facts[field] === undefined ? 'is missing' : `is ${JSON.stringify(facts[field])}`;
    throw new ParseError(`its ${field} ${value}, in the line ${JSON.stringify(text)}`);
  });
  return read as unknown as Objects[K];
}

interface Said {
  readonly text: string;
  readonly object: string;
  readonly facts: Readonly<Record<string, string>>;
}

function factsIn(text: string): Said {
  const { object, facts } = line.exec(text)?.groups ?? {};
  if (object === undefined || facts === undefined)
    throw new ParseError(`cannot read the line ${JSON.stringify(text)}`);
  const words = [...facts.matchAll(fact)].map(
    ({ groups }) => [groups?.key ?? '', groups?.value ?? ''] as const,
  );
  const known = Object.fromEntries(words);
  if (Object.keys(known).length < words.length)
    throw new ParseError(`the line ${JSON.stringify(text)} has a key twice`);
  return { text, object, facts: known };
}

/** Every object must have been used exactly once, and each connection must have every volume. */
function refuseStrays(said: readonly (readonly unknown[])[], found: readonly ResourceState[]): void {
  const count = said.reduce((sum, { length }) => sum + length, 0);
  const placed = found.flatMap(({ volumes, connections }) => [
    1 + volumes.length,
    ...connections.map(({ paths, volumes: peers }) => 1 + paths.length + peers.length),
  ]);
  const names = new Set(found.map(({ name }) => name));
  if (names.size < found.length || placed.reduce((sum, each) => sum + each, 0) !== count)
    throw new ParseError(
      'it lists an object that belongs to no resource or connection, or lists an object twice',
    );
  for (const { name, volumes, connections } of found)
    for (const { peer, volumes: peers } of connections)
      if (numbers(peers) !== numbers(volumes))
        throw new ParseError(
          `${name} has the volumes ${numbers(volumes)}, but its connection to ${peer} has the volumes ${numbers(peers)}`,
        );
}

function numbers(volumes: readonly { readonly volume: number }[]): string {
  return volumes.map(({ volume }) => volume).join(', ');
}
