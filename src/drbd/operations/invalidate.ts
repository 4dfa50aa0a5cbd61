import { RefusedError } from '../../core/errors.ts';
import type { ReplicationState } from '../schema.ts';
import type { PeerVolume, ResourceState } from '../state.ts';
import { drbdInvalidate, drbdInvalidateRemote } from '../volume-commands.ts';
import { laterChange } from './later.ts';

/**
 * After the commit, discards the data of this host and resyncs all of it from the peer, which must be up to
 * date.
 */
export const invalidate = laterChange({
  kind: 'drbd.invalidate',
  words: 'will be resynced completely from the peer, and the data of this host will be lost',
  verb: 'invalidate',
  act: drbdInvalidate,
  shows: 'passes',
  // Between StartingSyncT and SyncTarget it waits for the UUID of the peer (abw_start_sync, 8.4).
  isDone: (state, volume) =>
    isIn(state, volume, ['StartingSyncT', 'WFSyncUUID', 'WFBitMapT', 'SyncTarget', 'PausedSyncT']),
  check: (state, volume) => {
    const { name, role } = state;
    if (role === 'Primary')
      throw new RefusedError(`${name} is primary on this host: its data is not discarded`, {
        remedy: `make it secondary first: bofh drbd secondary ${name}`,
      });
    if (!theirsOf(state, volume).some(({ disk }) => disk === 'UpToDate')) throw nothingToFetch(state, volume);
  },
});

/** Discards the data of the peer and resyncs all of it from this host, after the commit. */
export const invalidateRemote = laterChange({
  kind: 'drbd.invalidate.remote',
  words: 'will be resynced completely to the peer, and the data there will be lost',
  verb: 'invalidate-remote',
  act: drbdInvalidateRemote,
  shows: 'passes',
  isDone: (state, volume) => isIn(state, volume, ['WFBitMapS', 'SyncSource', 'PausedSyncS', 'StartingSyncS']),
  check: (state, volume) => {
    const { name, connections, volumes } = state;
    const busy = connections.find(({ role }) => role === 'Primary');
    if (busy !== undefined)
      throw new RefusedError(`${busy.peer} is primary of ${name}: its data is not discarded`, {
        remedy: `make it secondary first, on ${busy.peer}: bofh drbd secondary ${name}`,
      });
    if (theirsOf(state, volume).length === 0)
      throw new RefusedError(`${name} is not connected to a peer, so its data cannot be sent`, {
        remedy: `see why: bofh drbd status ${name}`,
      });
    const own = volumes.find((each) => each.volume === volume)?.disk ?? 'Diskless';
    if (own !== 'UpToDate')
      throw new RefusedError(
        `volume ${String(volume)} of ${name} is ${own} on this host: there is no up-to-date data to send`,
        { remedy: `see which host has up-to-date data: bofh drbd status ${name}` },
      );
  },
});

/** Returns the state of the volume on each connected peer. */
function theirsOf({ connections }: ResourceState, volume: number): readonly PeerVolume[] {
  return connections
    .filter(({ state }) => state === 'Connected')
    .flatMap(({ volumes }) => volumes.filter((each) => each.volume === volume));
}

function isIn(state: ResourceState, volume: number, states: readonly ReplicationState[]): boolean {
  return theirsOf(state, volume).some(({ replication }) => states.includes(replication));
}

/** The error if no connected peer has the data. Without a connection the state of a peer is unknown. */
function nothingToFetch(state: ResourceState, volume: number): RefusedError {
  const { name, volumes } = state;
  const own = volumes.find((each) => each.volume === volume)?.disk ?? 'Diskless';
  const theirs = theirsOf(state, volume).map(({ disk }) => disk);
  const peer =
    theirs.length === 0
      ? 'the peer is not connected, so the state there is unknown'
      : `${theirs.join(', ')} on the peer`;
  const here =
    own === 'UpToDate' ? 'UpToDate on this host, which may be the last good copy' : `${own} on this host`;
  return new RefusedError(
    `no peer is known to have up-to-date data of volume ${String(volume)} of ${name}: the volume is ${here}, and ${peer}`,
    { remedy: `see which host has up-to-date data: bofh drbd status ${name}` },
  );
}
