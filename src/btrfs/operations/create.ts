import * as z from 'zod/mini';
import { operation } from '../../atomic/operation.ts';
import { subvolumeCreate } from '../commands.ts';
import { subvolumeKey } from '../place.ts';
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

/**
 * `tx.btrfs.createSubvolume`: creates an empty subvolume. It appears complete or not at all, and
 * replaces nothing. Undo deletes it by its id, with its content. Undo is refused while it contains
 * a subvolume, or is mounted.
 */
export const createSubvolume = operation({
  kind: 'btrfs.subvolume.create',
  version: 1,
  args: z.strictObject({
    /** Absolute path of the new subvolume, in a mounted btrfs. */
    path: z.string(),
  }),
  undo: newSubvolumeUndo,
  result: newSubvolumeResult,
  lives: 'disk',
  restores: 'state',
  prepare: ({ args: { path }, mark, host }) => planFor(host, path, mark),
  claims: ({ undo, on }) => newSubvolumeClaims(undo, on),
  contains: ({ undo }) => subvolumeKey(undo),
  within: ({ undo: { fs } }) => `fs:${fs}`,
  run: ({ undo, host }) => createInPlace(host, undo, { make: (path) => host.run(subvolumeCreate(path)) }),
  value: ({ undo: { fs, path }, result }): NewSubvolume => ({ ...result, path, filesystem: fs }),
  look: ({ undo, result, host }) => lookAtNewSubvolume(host, undo, result),
  revert: ({ undo, result, host }) => removeCreated(host, undo, result),
  sync: ({ undo, host }) => syncFilesystem(host, undo),
  content: newSubvolumeContent,
  afterCommit: ({ undo, result, host }) => forget(host, undo, result),
  describe: ({ way, ...of }) => newSubvolumeRecovery('the subvolume', of, way),
});
