import { RefusedError } from '../../core/errors.ts';
import type { ResourceState } from '../state.ts';
import { drbdAttach, drbdDetach } from '../volume-commands.ts';
import { checkDisk, checkDisksAgain } from './disk.ts';
import { askedHere, holdersOf } from './known-resource.ts';
import { volumeChange } from './volumes.ts';

/** Attaches the configured disks of a resource that is up. The disks stay attached until the next boot. */
export const attach = volumeChange({
  kind: 'drbd.attach',
  words: 'has its disk',
  otherwise: 'still has no disk',
  isDone: hasDisk,
  ...{ act: drbdAttach, undoAct: drbdDetach, whenDown: 'gone' },
  check: async (host, { name, here }, volumes) => {
    for (const { volume, disk, metadata } of here.volumes)
      if (volumes.includes(volume) && disk !== undefined)
        await checkDisk(host, { name, disk, metadata, then: `bofh drbd attach ${name}` });
  },
  checkBack: (_, state, volumes) => {
    refuseLastCopy(state, volumes);
  },
  holders: (host, { minors }) => holdersOf(host, minors),
});

/**
 * Detaches the disks of a resource, which continues with the disks of its peers; no data is lost. Refused if
 * no peer has the data that this host uses. The undo attaches the disks, and the peer resyncs the changes.
 */
export const detach = volumeChange({
  kind: 'drbd.detach',
  words: 'has no disk',
  otherwise: 'still has its disk',
  isDone: (state, volume) => !hasDisk(state, volume),
  ...{ act: drbdDetach, undoAct: drbdAttach, whenDown: 'not-ours' },
  check: (_, { state }, volumes) => {
    refuseLastCopy(state, volumes);
  },
  checkBack: async (host, { name }, volumes) => checkDisksAgain(host, await askedHere(host, name), volumes),
});

function hasDisk({ volumes }: ResourceState, volume: number): boolean {
  return !volumes.some((each) => each.volume === volume && each.disk === 'Diskless');
}

/** Refuses to detach the disk of a primary, unless a connected peer has all data. */
function refuseLastCopy({ name, role, connections }: ResourceState, volumes: readonly number[]): void {
  if (role !== 'Primary') return;
  for (const volume of volumes) {
    const others = connections.filter(
      ({ state, volumes: theirs }) =>
        state === 'Connected' && theirs.some((each) => each.volume === volume && each.disk === 'UpToDate'),
    );
    if (others.length === 0)
      throw new RefusedError(
        `${name} is primary on this host, and no peer has volume ${String(volume)} up to date: without its disk there is no data`,
        {
          remedy: `make it secondary first: bofh drbd secondary ${name}; or wait for a peer: bofh drbd wait-sync ${name}`,
        },
      );
  }
}
