import type { Command } from '../../command/index.ts';
import { tarList } from '../../copy/commands.ts';
import { listTree } from '../../copy/tree.ts';
import { readArchive } from '../world/archive.ts';
import { pageIn } from './overlay.ts';
import { ask, textOf } from './ask.ts';
import { resolve } from '../world/resolve.ts';
import type { Overlay, World } from '../world/world.ts';

/** Prepares a command of tar: the tar of the real host lists its archives. */
export async function prepareTar<T>(
  overlay: Overlay,
  world: World,
  command: Command<T>,
  source: string,
): Promise<(() => Promise<T>) | undefined> {
  if (command.argv.includes('--file=-')) return undefined;
  await pageIn(world, source, 'stat');
  const there = resolve(world, source, 'follow');
  if (!there.found || (there.inode.content !== undefined && readArchive(there.inode.content) !== undefined))
    return undefined;
  if (command.access === 'read') return ask(overlay, command);
  const { argv } = tarList(source);
  const listing = overlay.listings.get(source) ?? (await overlay.real.run(textOf('tar', argv)));
  overlay.listings.set(source, listing);
  return undefined;
}

/**
 * Prepares a listing of the files below a directory: find of the real host lists its files, and the
 * model knows those of the plan.
 */
export async function prepareTree(overlay: Overlay, world: World, command: Command<unknown>): Promise<void> {
  const [path = ''] = command.argv;
  if (command.argv.join('\0') !== listTree(path).argv.join('\0')) return;
  await pageIn(world, path, 'stat');
  const there = resolve(world, path, 'follow');
  if (!there.found || there.inode.real === undefined) return;
  const { tool, argv } = listTree(path);
  overlay.listings.set(path, await overlay.real.run({ ...textOf(tool, argv), encoding: 'latin1' }));
}
