import { posix } from 'node:path';
import * as z from 'zod/mini';
import { type Look, operation } from '../../atomic/operation.ts';
import { type ChangeHost, moveAway, type ReadHost } from '../../command/index.ts';
import { RefusedError } from '../../core/errors.ts';
import { subvolumeSnapshot } from '../commands.ts';
import { subvolumeKey } from '../place.ts';
import { subvolumeById } from '../reads.ts';
import { uuid } from '../schema.ts';
import {
  asideChanged,
  asideWitness,
  bringBack,
  contentOf,
  discard,
  lookAside,
  refuseUsed,
  setAside,
  straighten,
  topLevelOf,
} from '../top-level.ts';
import {
  forget,
  lookAtNewSubvolume,
  type NewSubvolume,
  createInPlace,
  newSubvolumeRecovery,
  newSubvolumeClaims,
  newSubvolumeContent,
  type NewSubvolumeResult,
  newSubvolumeResult,
  newSubvolumeUndo,
  planFor,
  syncFilesystem,
  removeCreated,
} from './new-subvolume.ts';

const undo = z.extend(newSubvolumeUndo, {
  /** Path of the top level on the host, and its uuid. */
  top: z.string(),
  topUuid: uuid,
  /**
   * The private directory with the old content until the commit, by path from the top level: proves
   * the step.
   */
  gone: z.string(),
});

type Undo = z.infer<typeof undo>;

/** Separates the witness of the new subvolume from that of the private directory. */
const separator = '; aside ';

/**
 * `tx.btrfs.moveTopLevel`: moves the content of a filesystem's top level into a new subvolume, at
 * once; the content must be unused meanwhile. Subvolumes in the top level stay there. The content
 * is renamed into a private directory, and the new subvolume is a snapshot; the renamed content is
 * removed after the commit. Undo renames it back.
 */
export const moveTopLevel = operation({
  kind: 'btrfs.toplevel.move',
  version: 1,
  args: z.strictObject({
    /** Absolute path of the new subvolume. */
    path: z.string(),
  }),
  undo,
  result: newSubvolumeResult,
  lives: 'disk',
  restores: 'state',
  prepare: async ({ args: { path }, mark, host }) => {
    const wanted = await planFor(host, path, mark);
    const { uuid: topUuid, at: top } = await topLevelOf(host, wanted.fs);
    const gone = `/.bofh-gone-${mark}`;
    const taken = (await host.stat(posix.join(top, gone)))?.kind;
    if (taken !== undefined)
      throw new RefusedError(`${posix.join(top, gone)} exists already`, {
        code: 'exists',
        remedy: moveAway(posix.join(top, gone)),
      });
    await refuseUsed(host, wanted.fs);
    await contentOf(host, wanted.fs);
    return { ...wanted, top, topUuid, gone };
  },
  claims: async ({ undo: of, on }) => {
    const { makes, needs } = await newSubvolumeClaims(of, on);
    const all = `fs:${of.fs}`;
    return { makes, changes: [all], needs: [...needs.filter((key) => key !== all), `mnt:${of.top}`] };
  },
  contains: ({ undo: of }) => subvolumeKey(of),
  within: ({ undo: { fs } }) => `fs:${fs}`,
  run: ({ undo: of, host }) =>
    createInPlace(host, of, {
      make: (path) => copyAside(host, of, path),
      check: ({ parentUuid }) =>
        parentUuid === of.topUuid ? undefined : 'it is a snapshot of another subvolume',
    }),
  value: ({ undo: { fs, path }, result }): NewSubvolume => ({ ...result, path, filesystem: fs }),
  look: async ({ undo: of, result, host }) => {
    const copy = await lookAtNewSubvolume(host, of, result);
    const aside = await lookAside(host, of);
    if (aside === 'absent' || copy.state === 'ours') return copy;
    if (aside === 'there') return { ...copy, state: 'ours' } satisfies Look;
    return { state: 'not-ours', found: aside.found };
  },
  // Restores the files first, because users need them most.
  revert: async ({ undo: of, result, host }) => {
    await bringBack(host, of);
    await removeCreated(host, of, result);
  },
  sync: ({ undo: of, host }) => syncFilesystem(host, of),
  content: {
    lost: 'either',
    of: 'files',
    witness: async (of) => {
      const made = await newSubvolumeContent.witness?.(of);
      const aside = made === undefined ? undefined : await asideWitness(of.host, of.undo);
      return aside === undefined ? made : `${made ?? ''}${separator}${aside}`;
    },
    changed: async ({ witness, ...of }) => {
      const [made, aside] = witness?.split(separator) ?? [];
      if (of.way === 'forward')
        return aside === undefined ? undefined : asideChanged(of.host, of.undo, aside);
      // Its final permissions are set after its files; before that, no other process writes to it.
      return made === undefined ? undefined : newSubvolumeContent.changed({ ...of, witness: made });
    },
  },
  afterCommit: async ({ undo: of, result, host }) => {
    if ((await lookAside(host, of)) !== 'absent') {
      await refuseLost(host, of, result);
      await discard(host, of);
      await syncFilesystem(host, of);
    }
    await forget(host, of, result);
  },
  describe: ({ way, ...of }) => {
    const { what, look, clear } = newSubvolumeRecovery('the subvolume', of, way);
    const { top, gone } = of.undo;
    const aside = posix.join(top, gone);
    const back = ['find', aside, '-mindepth', '1', '-maxdepth', '1', '-exec'];
    return {
      what: `${what}; the former content of the top level ${top} is in ${aside} until it is deleted`,
      look: [...look, ['ls', '-la', aside]],
      clear: [
        ...(way === 'back'
          ? [
              [...back, 'mv', '--no-clobber', `--target-directory=${top}`, '{}', '+'],
              ['rmdir', aside],
            ]
          : [['find', aside, '-xdev', '-delete']]),
        ...clear,
      ],
    };
  },
});

/**
 * Creates the copy. It is the same as the original only if the content is not open and can no
 * longer be found.
 */
async function copyAside(host: ChangeHost, of: Undo, path: string): Promise<void> {
  await refuseUsed(host, of.fs);
  await setAside(host, of);
  await refuseUsed(host, of.fs);
  const { at: source } = await topLevelOf(host, of.fs);
  await host.run(subvolumeSnapshot({ source, path, mode: 'rw' }));
  const [late] = await contentOf(host, of.fs);
  if (late !== undefined)
    throw new RefusedError(`another process created ${posix.join(source, late)} meanwhile`, {
      remedy: `find the process that writes there, and end it: fuser --verbose --mount ${source}; then run the command again`,
    });
  await straighten(host, path, of);
}

/** RefusedError if there is no copy: then the content that was set aside is the only one. */
async function refuseLost(host: ReadHost, of: Undo, result: NewSubvolumeResult | undefined): Promise<void> {
  const found = result === undefined ? undefined : await subvolumeById(host, { fs: of.fs, id: result.id });
  if (found !== undefined && found.uuid === result?.uuid) return;
  const aside = posix.join(of.top, of.gone);
  throw new RefusedError(
    `the subvolume ${of.path} is gone, so its original data in ${aside} is not deleted`,
    {
      remedy: `move what you need out of ${aside}, and remove that directory; then: bofh recover`,
    },
  );
}
