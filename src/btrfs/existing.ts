import { inShell } from '../command/index.ts';
import { ensurable } from '../atomic/ensure.ts';
import * as operations from './operations.ts';
import { refuseName } from './operations/new-subvolume.ts';
import { keysAround, placeFor, subvolumeKey } from './place.ts';
import { subvolumeAt } from './reads.ts';

/** Creates a subvolume, or does nothing if the path is a subvolume already. */
export const createSubvolume = ensurable(operations.createSubvolume, async (host, { path }) => {
  refuseName(path);
  const place = await placeFor(host, path);
  const stat = await host.stat(place.path);
  if (stat === undefined) return undefined;
  const found = await subvolumeAt(host, place.path);
  const uuid = found?.uuid;
  return {
    what: place.path,
    keys: [subvolumeKey(place), ...keysAround(place)],
    compared: { kind: ['subvolume', uuid === undefined ? stat.kind : 'subvolume'] },
    value:
      found === undefined || uuid === undefined
        ? undefined
        : { id: found.id, uuid, path: place.path, filesystem: place.fs },
    show: uuid === undefined ? `ls -ld ${inShell(place.path)}` : `bofh btrfs show ${inShell(place.path)}`,
  };
});
