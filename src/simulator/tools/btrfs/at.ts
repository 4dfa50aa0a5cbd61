import { onBtrfs, type OnBtrfs, rootAt } from '../../world/btrfs.ts';
import { settle, type World } from '../../world/world.ts';
import { failed, type ToolModel } from '../answer.ts';

/** Commits a transaction: makes all changes of the filesystem so far durable. */
export function commit(world: World, { mount }: OnBtrfs): void {
  if (mount.storage !== undefined) settle(world, mount.storage);
}

/** Returns the subvolume whose root is a path, or the failure of the tool. */
export function atRoot(world: World, path: string): OnBtrfs | ReturnType<ToolModel> {
  const at = onBtrfs(world, path);
  if (at === undefined) return error(`not a btrfs filesystem: ${path}`);
  return rootAt(at) === undefined ? error('Not a Btrfs subvolume: Invalid argument') : at;
}

/** Returns the answer of a failure: exit code 1, with `ERROR: ` before the text. */
export function error(words: string): ReturnType<ToolModel> {
  return failed(1, `ERROR: ${words}`);
}
