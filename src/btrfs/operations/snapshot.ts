import * as z from 'zod/mini';
import { operation } from '../../atomic/operation.ts';
import { inShell, type ReadHost } from '../../command/index.ts';
import { RefusedError } from '../../core/errors.ts';
import { subvolumeSnapshot } from '../commands.ts';
import { nameSubvolume, placeOf, reach, subvolumeKey } from '../place.ts';
import { subvolumeAt } from '../reads.ts';
import { type Subvolume, uuid } from '../schema.ts';
import { identified } from './known-subvolume.ts';
import {
  forget,
  lookAtNewSubvolume,
  type NewSubvolume,
  createInPlace,
  newSubvolumeRecovery,
  newSubvolumeClaims,
  newSubvolumeContent,
  newSubvolumeResult,
  newSubvolumeUndo,
  planFor,
  syncFilesystem,
  removeCreated,
} from './new-subvolume.ts';

const args = z.strictObject({
  /** Absolute path of the subvolume. */
  source: z.string(),
  /** Absolute path of the new snapshot, on the same filesystem. */
  path: z.string(),
  /** `ro`: a read-only snapshot, which can be sent. `rw`: a writable one. */
  mode: z.enum(['ro', 'rw']),
  /** UUID of the source. Refused if its path has another subvolume now. */
  uuid: z.exactOptional(uuid),
});

const undo = z.extend(newSubvolumeUndo, {
  /** The source: its path and identity. */
  source: z.string(),
  sourceId: z.int(),
  sourceUuid: uuid,
  mode: z.enum(['ro', 'rw']),
});

/**
 * `tx.btrfs.snapshot`: creates a read-only or writable snapshot of a subvolume in the same
 * filesystem. In the snapshot, a subvolume inside of the source is an empty directory. Undo deletes
 * the snapshot by its id.
 */
export const snapshot = operation({
  kind: 'btrfs.snapshot',
  version: 1,
  args,
  undo,
  result: newSubvolumeResult,
  lives: 'disk',
  restores: 'state',
  prepare: async ({ args: { source, path, mode, uuid: expected }, mark, host }) => {
    const from = await placeOf(host, source, nameSubvolume);
    const subvolume = await theSource(host, from.path, expected);
    const wanted = await planFor(host, path, mark);
    if (wanted.fs !== from.fs)
      throw new RefusedError(
        `${path} is on another filesystem than ${source}: a snapshot must be on the filesystem of its source`,
        {
          remedy:
            'choose a path on the same filesystem; or, for a read-only snapshot: bofh btrfs send SNAPSHOT --to DIR',
        },
      );
    return { ...wanted, source: from.inside, sourceId: subvolume.id, sourceUuid: subvolume.uuid, mode };
  },
  claims: async ({ undo: of, on }) => {
    const { makes, needs } = await newSubvolumeClaims(of, on);
    const source = subvolumeKey({ fs: of.fs, inside: of.source });
    return { makes, needs: [...new Set([...needs, ...(of.source === '/' ? [] : [source])])] };
  },
  contains: ({ undo: of }) => subvolumeKey(of),
  within: ({ undo: { fs } }) => `fs:${fs}`,
  run: async ({ undo: of, host }) => {
    const source = await reach(host, { fs: of.fs, inside: of.source });
    await theSource(host, source, of.sourceUuid);
    return createInPlace(host, of, {
      make: (path) => host.run(subvolumeSnapshot({ source, path, mode: of.mode })),
      check: (made) => {
        if (made.parentUuid !== of.sourceUuid) return 'it is a snapshot of another subvolume';
        return made.mode === of.mode ? undefined : `it is ${made.mode}`;
      },
    });
  },
  value: ({ undo: { fs, path }, result }): NewSubvolume => ({ ...result, path, filesystem: fs }),
  look: ({ undo: of, result, host }) => lookAtNewSubvolume(host, of, result),
  revert: ({ undo: of, result, host }) => removeCreated(host, of, result),
  sync: ({ undo: of, host }) => syncFilesystem(host, of),
  content: newSubvolumeContent,
  afterCommit: ({ undo: of, result, host }) => forget(host, of, result),
  describe: ({ way, ...of }) => newSubvolumeRecovery(`the snapshot of ${of.undo.source}`, of, way),
});

async function theSource(
  host: ReadHost,
  path: string,
  expected: string | undefined,
): Promise<Subvolume & { readonly uuid: string }> {
  const found = await subvolumeAt(host, path);
  if (found === undefined)
    throw new RefusedError(`${path} is not a subvolume: only a subvolume can have a snapshot`, {
      remedy: `the subvolumes of its filesystem: bofh btrfs list ${inShell(path)}`,
    });
  return identified(found, { path, expected });
}
