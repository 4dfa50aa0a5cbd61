import { posix } from 'node:path';
import * as z from 'zod/mini';
import { type Look, operation } from '../../atomic/operation.ts';
import { type ChangeHost, inShell, moveAway, type ReadHost } from '../../command/index.ts';
import { RefusedError } from '../../core/errors.ts';
import { moveNew } from '../../file/move-new.ts';
import { reach, subvolumeKey } from '../place.ts';
import { beside, called, holdersOf } from '../reads.ts';
import type { Subvolume } from '../schema.ts';
import {
  askedSubvolume,
  findKnown,
  knownClaims,
  knownSubvolume,
  stillKnown,
  subvolumeNamed,
} from './known-subvolume.ts';
import { syncFilesystem } from './new-subvolume.ts';
import { deleteById, refuseHeld } from './remove-subvolume.ts';

const undo = z.extend(knownSubvolume, {
  /**
   * Path from the top level, from the rename until the commit. In the same directory, because btrfs
   * cannot move a read-only subvolume to another one.
   */
  gone: z.string(),
});

type Undo = z.infer<typeof undo>;

/**
 * `tx.btrfs.removeSubvolume`: renames a subvolume at once, and deletes it by its id after the
 * commit. Refused while it contains another one, while it is mounted in any mount namespace, and
 * for the default subvolume.
 */
export const removeSubvolume = operation({
  kind: 'btrfs.subvolume.remove',
  version: 1,
  args: askedSubvolume,
  undo,
  result: z.null(),
  lives: 'disk',
  restores: 'state',
  prepare: async ({ args, mark, host }) => {
    const { place, subvolume, known } = await subvolumeNamed(host, args);
    await refuseHeld(host, { fs: place.fs, subvolume });
    const gone = beside(place.inside, `gone-${mark}`);
    const at = posix.join(posix.dirname(place.path), posix.basename(gone));
    if ((await host.stat(at)) !== undefined)
      throw new RefusedError(`${at} exists already`, {
        code: 'exists',
        remedy: moveAway(at),
      });
    return { ...known, gone };
  },
  claims: async ({ undo: of, on }) => ({
    ...(await knownClaims(of, on)),
    makes: [subvolumeKey({ fs: of.fs, inside: of.gone })],
  }),
  run: async ({ undo: of, host }) => {
    const subvolume = await stillKnown(host, of);
    if (at(subvolume) !== of.inside)
      throw new RefusedError(`${called(subvolume)} is not at ${of.path} any more; nothing was done`, {
        remedy: `see where it is: bofh btrfs list ${of.mounted}; then run the command again`,
      });
    await refuseHeld(host, { fs: of.fs, subvolume });
    await move(host, of, { from: of.inside, to: of.gone });
    return null;
  },
  value: () => undefined,
  look: async ({ undo: of, host }) => lookAt(host, of, await findKnown(host, of)),
  revert: async ({ undo: of, host }) => {
    const subvolume = await findKnown(host, of);
    if (subvolume !== undefined && isGone(of, subvolume))
      await move(host, of, { from: at(subvolume), to: namesake(subvolume, of.inside) });
  },
  sync: ({ undo: of, host }) => syncFilesystem(host, of),
  afterCommit: async ({ undo: of, host }) => {
    const subvolume = await findKnown(host, of);
    if (subvolume === undefined) return;
    if (at(subvolume) !== of.gone)
      throw new RefusedError(`${called(subvolume)} was renamed meanwhile: it is not removed`, {
        remedy: `to remove it: btrfs subvolume delete --subvolid ${String(of.id)} ${of.mounted}; then: bofh recover`,
      });
    await deleteById(host, { fs: of.fs, subvolume });
  },
  content: {
    lost: 'finished',
    of: 'files',
    witness: async ({ undo: of, host }) => {
      const found = await findKnown(host, of);
      return found === undefined ? undefined : String(found.generation);
    },
    changed: async ({ undo: of, witness, host }) => {
      // Writes are counted when they are committed to disk.
      await syncFilesystem(host, of);
      const found = await findKnown(host, of);
      if (found === undefined || witness === undefined || String(found.generation) === witness)
        return undefined;
      return {
        found: `others wrote to ${called(found)}`,
        holders: await holdersOf(host, { fs: of.fs, subvolume: found }),
      };
    },
  },
  describe: ({ undo: of, way }) => {
    const gone = posix.join(posix.dirname(of.path), posix.basename(of.gone));
    const removal = [
      'btrfs',
      'subvolume',
      'delete',
      '--commit-each',
      '--subvolid',
      String(of.id),
      of.mounted,
    ];
    return {
      what: `the subvolume ${of.path} (id ${of.id}, uuid ${of.uuid}) of the btrfs ${of.fs}, called ${gone} until it is deleted`,
      look: [['btrfs', 'subvolume', 'show', '--rootid', String(of.id), of.mounted]],
      clear: [way === 'back' ? ['mv', '--no-clobber', '--no-target-directory', gone, of.path] : removal],
    };
  },
});

async function lookAt(host: ReadHost, of: Undo, subvolume: Subvolume | undefined): Promise<Look> {
  if (subvolume === undefined || at(subvolume) === of.inside) return { state: 'gone' };
  if (!isGone(of, subvolume)) return { state: 'not-ours', found: `it was moved: ${called(subvolume)}` };
  const moved =
    at(subvolume) === of.gone ? {} : { movedTo: subvolumeKey({ fs: of.fs, inside: at(subvolume) }) };
  return { state: 'ours', holders: await holdersOf(host, { fs: of.fs, subvolume }), ...moved };
}

/** Whether it has the name of the tombstone: others may have renamed a directory above it. */
function isGone({ gone }: Undo, subvolume: Subvolume): boolean {
  return posix.basename(at(subvolume)) === posix.basename(gone);
}

/** Returns a path with the name of another one, in the directory that contains the subvolume now. */
function namesake(subvolume: Subvolume, path: string): string {
  return posix.join(posix.dirname(at(subvolume)), posix.basename(path));
}

/**
 * Renames the subvolume, forward or back. mv exits with 0 even if it refuses, so this checks by id
 * which subvolume was moved.
 */
async function move(
  host: ChangeHost,
  of: Undo,
  { from, to }: { readonly from: string; readonly to: string },
): Promise<void> {
  const [old, wanted] = [
    await reach(host, { ...of, inside: from }),
    await reach(host, { ...of, inside: to }),
  ];
  await host.run(moveNew(old, wanted));
  const after = await stillKnown(host, of);
  if (at(after) === to) return;
  throw new RefusedError(
    `${called(after)} could not be renamed to ${wanted}: that name is in use, or ${old} is another object now`,
    {
      remedy: `look at both: ls -ld ${inShell(old)} ${inShell(wanted)}; move the wrong one away; then: bofh recover`,
    },
  );
}

function at({ path }: Subvolume): string {
  return `/${path ?? ''}`;
}
