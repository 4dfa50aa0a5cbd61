import * as z from 'zod/mini';
import { operation } from '../../atomic/operation.ts';
import { type ChangeHost, inShell } from '../../command/index.ts';
import { RefusedError } from '../../core/errors.ts';
import { filesystemSync, setDefault } from '../commands.ts';
import { anyRoot, keysAround, nameSubvolume, placeOf, subvolumeKey } from '../place.ts';
import { defaultOf, subvolumeAt, subvolumeById } from '../reads.ts';
import { topLevelId, uuid } from '../schema.ts';
import { askedSubvolume } from './known-subvolume.ts';
import { syncFilesystem } from './new-subvolume.ts';
import { concurrentChange } from './concurrent-change.ts';

const undo = z.strictObject({
  fs: uuid,
  device: z.string(),
  mounted: z.string(),
  /** The new default: its path and id. */
  inside: z.string(),
  id: z.int(),
  /** The previous default. */
  was: z.int(),
});

type Undo = z.infer<typeof undo>;

/**
 * `tx.btrfs.setDefault`: sets the subvolume to mount by default. For the top level, pass its mount
 * point. Existing mounts do not change; the next mount does.
 */
export const setDefaultSubvolume = operation({
  kind: 'btrfs.default.set',
  version: 1,
  args: askedSubvolume,
  undo,
  result: z.null(),
  lives: 'disk',
  restores: 'state',
  prepare: async ({ args: { path, uuid: expected }, host }) => {
    const { fs, inside, mount, path: real } = await placeOf(host, path, nameSubvolume);
    const subvolume = await subvolumeAt(host, real);
    if (subvolume === undefined)
      throw new RefusedError(`${path} is not a subvolume`, {
        remedy: `the subvolumes of its filesystem: bofh btrfs list ${inShell(mount.path)}`,
      });
    if (expected !== undefined && subvolume.uuid !== expected)
      throw new RefusedError(`another subvolume is at ${path} now: its uuid is ${subvolume.uuid ?? 'none'}`, {
        remedy: `look at it: bofh btrfs show ${inShell(path)}; then name the right one`,
      });
    const was = await defaultOf(host, fs);
    if (was === subvolume.id)
      throw new RefusedError(`${path} is already the default subvolume of its filesystem`, {
        remedy: `there is nothing to do; see: bofh btrfs show ${inShell(path)}`,
      });
    return { fs, device: mount.source, mounted: mount.path, inside, id: subvolume.id, was };
  },
  claims: async ({ undo: of, on }) => {
    const { key, beneath } = await on(of.device);
    const own = of.inside === '/' ? [] : [subvolumeKey(of)];
    return {
      changes: [`subvol-default:${of.fs}`],
      needs: [...new Set([...keysAround(of), ...own, key, ...beneath])],
    };
  },
  run: async ({ undo: of, host }) => {
    const now = await defaultOf(host, of.fs);
    if (now !== of.was) throw concurrentChange(`the default of ${of.fs} is the subvolume ${now}`);
    await set(host, of, of.id);
    return null;
  },
  value: ({ undo: { fs, id, was } }) => ({ filesystem: fs, id, was }),
  look: async ({ undo: of, host }) => {
    const now = await defaultOf(host, of.fs);
    if (now === of.was) return { state: 'gone' };
    if (now === of.id) return { state: 'ours' };
    return { state: 'not-ours', found: `the default of ${of.fs} is the subvolume ${now}` };
  },
  revert: async ({ undo: of, host }) => {
    if ((await defaultOf(host, of.fs)) === of.id) await set(host, of, of.was);
  },
  sync: ({ undo: of, host }) => syncFilesystem(host, of),
  describe: ({ undo: of }) => ({
    what: `the default subvolume of the btrfs ${of.fs}: ${of.was} before, ${of.id} now`,
    look: [['btrfs', 'subvolume', 'get-default', of.mounted]],
    clear: [['btrfs', 'subvolume', 'set-default', String(of.was), of.mounted]],
  }),
});

/** Sets the new default, or, as the undo, the previous one. */
async function set(host: ChangeHost, of: Undo, id: number): Promise<void> {
  const { fs } = of;
  const root = await anyRoot(host, fs);
  if (id !== topLevelId && (await subvolumeById(host, { fs, id })) === undefined)
    throw new RefusedError(`the subvolume ${id} of ${fs} is gone: it cannot be the default`, {
      remedy:
        id === of.id
          ? 'choose another one: bofh btrfs set-default PATH'
          : `set another default: btrfs subvolume set-default ID ${root}; then: bofh recover`,
    });
  await host.run(setDefault({ id, path: root }));
  // The kernel does not commit this at once, unlike a new subvolume or its flags
  // (fs/btrfs/ioctl.c).
  await host.run(filesystemSync(root));
  const now = await defaultOf(host, fs);
  if (now !== id)
    throw new RefusedError(`btrfs did not make the subvolume ${id} the default: the default is ${now}`, {
      remedy: `to see the reason, set it yourself: btrfs subvolume set-default ${id} ${root}; then: bofh recover`,
    });
}
