import { ParseError } from '../core/errors.ts';
import type { ProcDevice, ProcStatus } from './proc.ts';
import type { Resource } from './reads.ts';
import { connectionState, replicationState } from './schema.ts';
import type { Connection, PeerVolume } from './state.ts';

/**
 * Each device of an 8.4 module as a resource with one volume, named after its device: /proc/drbd
 * has no names, and does not show which volumes belong to one resource.
 */
export function resourcesIn({ devices }: ProcStatus): readonly Resource[] {
  return devices.map((device) => {
    const name = `/dev/drbd${String(device.minor)}`;
    if (!('role' in device)) return { name };
    const { minor, role, disk } = device;
    return {
      name,
      state: {
        ...{ name, role, suspended: [], volumes: [{ volume: 0, minor, disk }] },
        connections: [connectionOf(device)],
      },
    };
  });
}

function connectionOf({
  state: words,
  peerRole: role,
  peerDisk: disk,
  outOfSync,
}: Extract<ProcDevice, { readonly role: unknown }>): Connection {
  const { state, replication } = inNine(words);
  return {
    ...{ peer: 'peer', nodeId: 0, state, role, paths: [] },
    volumes: [{ volume: 0, replication, disk, paused: [], outOfSync }],
  };
}

/**
 * Maps the connection state of 8.4, one word, to the two words of 9: the states after Connected are states of
 * the replication (enum drbd_conns of linux/drbd.h, 8.4).
 */
function inNine(words: string): {
  readonly state: Connection['state'];
  readonly replication: PeerVolume['replication'];
} {
  if (words === 'Connected') return { state: 'Connected', replication: 'Established' };
  if (words === 'WFConnection' || words === 'WFReportParams')
    return { state: 'Connecting', replication: 'Off' };
  const replication = replicationState.safeParse(words);
  if (replication.success) return { state: 'Connected', replication: replication.data };
  const state = connectionState.safeParse(words);
  if (state.success) return { state: state.data, replication: 'Off' };
  throw new ParseError(`/proc/drbd: the state "${words}" is not known`);
}
