import type { Bytes } from '../core/units.ts';
import type { ConnectionState, DiskState, ReplicationState, Role } from './schema.ts';

/** A resource in the kernel, as `drbdsetup events2` reports it. */
export interface ResourceState {
  readonly name: string;
  readonly role: Role;
  /** Why its I/O is suspended (user, no-data, fencing, quorum); empty if it is not. */
  readonly suspended: readonly string[];
  /** Volumes, ordered by number. */
  readonly volumes: readonly VolumeState[];
  readonly connections: readonly Connection[];
}

/** A volume of a resource on this host: /dev/drbdMINOR. */
export interface VolumeState {
  readonly volume: number;
  readonly minor: number;
  readonly disk: DiskState;
  /** Size of its device; undefined if the volume has neither a disk nor a peer. */
  readonly size?: Bytes;
  /** Bytes written to its disk since it was attached. */
  readonly written?: Bytes;
  /** The backing device, which only module 9 reports. */
  readonly backing?: string;
}

/** The name for a peer in 8.4, whose kernel module knows no names. */
export const unnamedPeer = 'peer';

/** The connection of a resource to one peer. */
export interface Connection {
  readonly peer: string;
  readonly nodeId: number;
  readonly state: ConnectionState;
  readonly role: Role;
  /** The two addresses, which only module 9 reports: `ipv4:10.1.1.1:7788`. */
  readonly paths: readonly { readonly local: string; readonly peer: string }[];
  readonly volumes: readonly PeerVolume[];
}

/** A volume in the state that the peer reports. */
export interface PeerVolume {
  readonly volume: number;
  readonly replication: ReplicationState;
  readonly disk: DiskState;
  /** Why the resync is paused (user, peer, dependency); empty if it is not paused. */
  readonly paused: readonly string[];
  /** The amount known to be out of sync. */
  readonly outOfSync?: Bytes;
}

/**
 * The commands that connect a resource again and wait. If this host is already connecting, the command to
 * connect is for the other host.
 */
export function reconnect(name: string, state: ResourceState | undefined): string {
  const wait = `bofh drbd wait-sync ${name}`;
  if (state === undefined) return `bring it up, and wait: bofh drbd up ${name}; ${wait}`;
  const { connections } = state;
  const isStandAlone = connections.some(({ state: now }) => now === 'StandAlone');
  if (connections.length > 0 && connections.every(({ state: now }) => now === 'Connected'))
    return `wait for the resync: ${wait}`;
  return isStandAlone || connections.length === 0
    ? `connect them, and wait: bofh drbd connect ${name}; ${wait}`
    : `connect the other host (there: bofh drbd connect ${name}), and wait here: ${wait}`;
}
