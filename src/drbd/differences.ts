import type { ReadHost } from '../command/index.ts';
import type { Resource } from './reads.ts';
import type { ResourceState } from './state.ts';
import { drbdAdjustments } from './volume-commands.ts';

/** `drbdsetup-84 connect web1 …`: commands that connect a resource to its peers, or disconnect it. */
const connecting = /^\S+ (?:connect|disconnect|(?:new|del)-(?:peer|path)) /;
const parting = /^\S+ (?:disconnect|del-peer|del-path) /;
const attaching = /^\S+ attach /;

/**
 * Where the kernel differs from the configuration, as the commands that `drbdadm adjust` would run;
 * empty for a resource that is down or not configured. A missing disk or peer is not included:
 * `findings` reports it.
 */
export async function differences(
  host: ReadHost,
  { name, configured, here, state }: Resource,
): Promise<readonly string[]> {
  if (configured === undefined || here === undefined || state === undefined) return [];
  const isAlone = state.connections.some((each) => each.state === 'StandAlone');
  const isBare = state.volumes.some(({ disk }) => disk === 'Diskless');
  return (await host.run(drbdAdjustments(name))).filter(
    (line) => !(isAlone && connecting.test(line) && !parting.test(line)) && !(isBare && attaching.test(line)),
  );
}

/** The differences in the addresses of the connections, for a resource that is connecting or connected. */
export async function otherAddresses(
  host: ReadHost,
  { name, connections }: ResourceState,
): Promise<readonly string[]> {
  if (connections.every(({ state }) => state === 'StandAlone')) return [];
  return (await host.run(drbdAdjustments(name))).filter((line) => parting.test(line));
}
