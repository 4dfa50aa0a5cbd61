import { onBtrfs, type OnBtrfs, rootAt } from '../../world/btrfs.ts';
import { settle, type World } from '../../world/world.ts';
import { failed, type ToolModel } from '../answer.ts';

/** A transaction is committed: all that was done to the filesystem so far is on its disk. */
export function commit(world: World, { mount }: OnBtrfs): void {
  if (mount.storage !== undefined) settle(world, mount.storage);
}

/** What there is at a path that has to be the root of a subvolume; or how the tool fails. */
export function atRoot(world: World, path: string): OnBtrfs | ReturnType<ToolModel> {
  const at = onBtrfs(world, path);
  if (at === undefined) return error(`not a btrfs filesystem: ${path}`);
  return rootAt(at) === undefined ? error('Not a Btrfs subvolume: Invalid argument') : at;
}

/** As it fails: exit 1, with a word before the words. */
export function error(words: string): ReturnType<ToolModel> {
  return failed(1, `ERROR: ${words}`);
}
