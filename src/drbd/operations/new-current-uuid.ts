import { RefusedError } from '../../core/errors.ts';
import type { ResourceState } from '../state.ts';
import { drbdSkipInitialSync } from '../volume-commands.ts';
import { laterChange } from './later.ts';

/**
 * Skips the first resync of a resource whose metadata was just created on both hosts, after the commit: its
 * volumes are treated as identical, for example two that are all zeros. This is irreversible, and the module
 * refuses a resource that was in use before.
 */
export const newCurrentUuid = laterChange({
  kind: 'drbd.uuid.create',
  words: 'will be treated as identical on both hosts',
  verb: 'new-current-uuid',
  act: drbdSkipInitialSync,
  shows: 'stays',
  isDone: ({ volumes }, volume) => volumes.some((each) => each.volume === volume && each.disk === 'UpToDate'),
  check: refuseUsedBefore,
});

function refuseUsedBefore({ name, role, volumes, connections }: ResourceState, volume: number): void {
  const away = connections.find(({ state }) => state !== 'Connected');
  if (connections.length === 0 || away !== undefined)
    throw new RefusedError(
      `${name} is not connected${away === undefined ? '' : ` to ${away.peer} (${away.state})`}: the first resync cannot be skipped`,
      {
        remedy: `bring it up on the other host as well (there: bofh drbd up ${name}); then wait here: bofh drbd wait-connect ${name}`,
      },
    );
  const disks = [
    ...volumes.filter((each) => each.volume === volume),
    ...connections.flatMap(({ volumes: theirs }) => theirs.filter((each) => each.volume === volume)),
  ].map(({ disk }) => disk);
  const isNew = disks.every((disk) => disk === 'Inconsistent');
  if (isNew && role === 'Secondary' && connections.every((each) => each.role === 'Secondary')) return;
  throw new RefusedError(
    `volume ${String(volume)} of ${name} is not new on both hosts (it is ${disks.join(' and ')}): its first resync is over, or has started`,
    { remedy: `see what it is: bofh drbd status ${name}` },
  );
}
