import { until } from '../blockdevice/index.ts';
import { inWords, type ResourceState, resourceNamed, towards } from '../drbd/index.ts';
import { reconnect } from '../drbd/state.ts';
import { RefusedError } from '../core/errors.ts';
import { on } from '../core/refusals.ts';
import type { Member } from './hosts.ts';

/** The resource, and the time limit. */
interface Asked {
  readonly name: string;
  readonly signal: AbortSignal;
}

/**
 * Refuses a change of the primary unless both hosts are connected and up to date: the new primary would never
 * get writes that were made without a connection.
 */
export async function refuseApart(
  { name }: Pick<Asked, 'name'>,
  { from, to }: { readonly from: Member; readonly to: Member },
): Promise<void> {
  const state = await stateOn(from, name);
  const bad = towards(state).filter(
    ({ connection, disk, peerDisk }) =>
      connection !== 'Connected' || disk !== 'UpToDate' || peerDisk !== 'UpToDate',
  );
  if (state.connections.length === 0 || bad.length > 0) throw apart(from, to, state);
  // What the other host sees: that it sees a secondary later proves something only if it sees the primary
  // now.
  const there = await stateOn(to, name);
  if (!isConnectedAndUpToDate(there) || there.connections.some(({ role }) => role !== 'Primary'))
    throw apart(to, from, there);
}

/**
 * Waits until a host that will become primary sees its peer as a connected secondary: all writes of the peer
 * came over the same connection before that message. Throws RefusedError if the host loses the connection, or
 * does not see this within 10 seconds.
 */
export async function handedOver(
  to: Member,
  peer: Member | undefined,
  { name, signal, limitMs = 10_000 }: Asked & { readonly limitMs?: number },
): Promise<void> {
  let state: ResourceState | undefined;
  const check = async (): Promise<boolean> => {
    signal.throwIfAborted();
    state = await stateOn(to, name);
    if (!isConnectedAndUpToDate(state)) throw apart(to, peer, state);
    return state.connections.every(({ role }) => role === 'Secondary');
  };
  if (await until({ limitMs, check })) return;
  throw new RefusedError(
    `${to.name} did not see ${peer?.name ?? 'its peer'} as secondary of ${name} within ${String(limitMs / 1000)} s`,
    { remedy: `see its state on both hosts: bofh drbd status ${name}` },
  );
}

/** Whether the resource is connected, and the data of this host is up to date. */
export function isConnectedAndUpToDate({ volumes, connections }: ResourceState): boolean {
  return (
    connections.length > 0 &&
    connections.every(({ state }) => state === 'Connected') &&
    volumes.every(({ disk }) => disk === 'UpToDate')
  );
}

/**
 * The error if a host cannot become primary because the other one, which is not connected, may have newer
 * data.
 */
export function apart(at: Member, other: Member | undefined, state: ResourceState): RefusedError {
  const { name } = state;
  const how = towards(state).map(inWords).join('; ');
  return new RefusedError(
    `${name} on ${at.name} is not connected to ${other?.name ?? 'its peer'} with data up to date on both: ${how}`,
    {
      remedy: `see why, on both hosts: bofh drbd status ${name}; ${reconnect(name, state)}. Only if you know that ${at.name} has the newest data, make it primary there: bofh drbd primary ${name}`,
    },
  );
}

async function stateOn({ name: at, host }: Member, name: string): Promise<ResourceState> {
  return on(at, async () => {
    const { state } = await resourceNamed(host, name);
    if (state !== undefined) return state;
    throw new RefusedError(`${name} is no longer up`, { remedy: `bring it up: bofh drbd up ${name}` });
  });
}
