import { RefusedError } from '../../core/errors.ts';
import type { ResourceState } from '../state.ts';
import { type Here, isStandAlone, minorsOf, undoOf } from './known-resource.ts';

/** Refuses a primary, which must be demoted first, and a host with the only good copy of the data. */
export function refuseNeeded({ name, role, connections }: ResourceState): void {
  if (role === 'Primary')
    throw new RefusedError(`${name} is primary on this host`, {
      remedy: `make it secondary first: bofh drbd secondary ${name}`,
    });
  for (const { peer, role: theirs, volumes } of connections)
    for (const { volume, disk } of volumes)
      if (theirs === 'Primary' && disk !== 'UpToDate')
        throw new RefusedError(
          `${peer} is primary of ${name}, but its own disk of volume ${String(volume)} is ${disk}: it uses the data of this host`,
          { remedy: `wait until its disk is up to date: bofh drbd status ${name}` },
        );
}

/**
 * Refuses a state that the undo could not restore exactly: `up` attaches every disk, and connects
 * to every peer.
 */
export function refuseUnlikeConfigured(of: Here & { readonly state: ResourceState }): void {
  const { name, state } = of;
  if (minorsOf(state).join() !== undoOf(of, 'down').minors.join())
    throw new RefusedError(`${name} is up with other devices than its configuration has`, {
      remedy: `compare them: bofh drbd show ${name}`,
    });
  const bare = state.volumes.find(
    ({ disk }) => disk === 'Diskless' || disk === 'Detaching' || disk === 'Failed',
  );
  if (bare !== undefined)
    throw new RefusedError(
      `volume ${String(bare.volume)} of ${name} is ${bare.disk}: an undo could not restore that, because drbdadm up attaches every disk`,
      {
        remedy: `attach it first: bofh drbd attach ${name}; or, if its disk is lost: drbdadm down ${name}; then run the command again`,
      },
    );
  const alone = state.connections.find((each) => each.state === 'StandAlone');
  if (alone !== undefined && !isStandAlone(state))
    throw new RefusedError(
      `${name} is StandAlone only towards the peer ${alone.peer}: an undo could not restore that, because it connects all peers`,
      { remedy: `see why: bofh drbd status ${name}; or bring it down by hand: drbdadm down ${name}` },
    );
}
