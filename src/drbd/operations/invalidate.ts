import { RefusedError } from '../../core/errors.ts';
import type { ReplicationState } from '../schema.ts';
import type { PeerVolume, ResourceState } from '../state.ts';
import { drbdInvalidate, drbdInvalidateRemote } from '../volume-commands.ts';
import { laterChange } from './later.ts';

/**
 * Discards the data of this host and resyncs all of it from the peer, which must have it, after the
 * commit.
 */
export const invalidate = laterChange({
  kind: 'drbd.invalidate',
  words: 'is to be fetched whole from the peer, and what this host has of it is lost',
  verb: 'bofh drbd invalidate',
  act: drbdInvalidate,
  shows: 'passes',
  isDone: (state, volume) => isIn(state, volume, ['WFBitMapT', 'SyncTarget', 'PausedSyncT', 'StartingSyncT']),
  check: (state, volume) => {
    const { name, role } = state;
    if (role === 'Primary')
      throw new RefusedError(`${name} is primary on this host: its data is not discarded`, {
        remedy: `make it secondary first: bofh drbd secondary ${name}`,
      });
    if (!theirsOf(state, volume).some(({ disk }) => disk === 'UpToDate'))
      throw lastCopy(state, volume, 'this host');
  },
});

/** Discards the data of the peer and resyncs all of it from this host, after the commit. */
export const invalidateRemote = laterChange({
  kind: 'drbd.invalidate.remote',
  words: 'is to be sent whole to the peer, and what that has of it is lost',
  verb: 'bofh drbd invalidate-remote',
  act: drbdInvalidateRemote,
  shows: 'passes',
  isDone: (state, volume) => isIn(state, volume, ['WFBitMapS', 'SyncSource', 'PausedSyncS', 'StartingSyncS']),
  check: (state, volume) => {
    const { name, connections, volumes } = state;
    const busy = connections.find(({ role }) => role === 'Primary');
    if (busy !== undefined)
      throw new RefusedError(`${busy.peer} is primary of ${name}: its data is not discarded`, {
        remedy: `make it secondary there first: bofh drbd secondary ${name}`,
      });
    if (!volumes.some((each) => each.volume === volume && each.disk === 'UpToDate'))
      throw lastCopy(state, volume, 'the peer');
    if (theirsOf(state, volume).length === 0)
      throw new RefusedError(`${name} is connected to no peer: there is no data to resync from`, {
        remedy: `see why: bofh drbd status ${name}`,
      });
  },
});

/** The state that the connected peers have. */
function theirsOf({ connections }: ResourceState, volume: number): readonly PeerVolume[] {
  return connections
    .filter(({ state }) => state === 'Connected')
    .flatMap(({ volumes }) => volumes.filter((each) => each.volume === volume));
}

function isIn(state: ResourceState, volume: number, states: readonly ReplicationState[]): boolean {
  return theirsOf(state, volume).some(({ replication }) => states.includes(replication));
}

function lastCopy({ name }: ResourceState, volume: number, whose: string): RefusedError {
  return new RefusedError(
    `no other host has volume ${String(volume)} of ${name} up to date: the data of ${whose} is the last good copy`,
    { remedy: `see where they are: bofh drbd status ${name}` },
  );
}
