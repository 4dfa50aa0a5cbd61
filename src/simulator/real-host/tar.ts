import type { Command } from '../../command/index.ts';
import { readArchive } from '../world/archive.ts';
import { pageIn } from './overlay.ts';
import { ask, textOf } from './ask.ts';
import { resolve } from '../world/resolve.ts';
import type { Overlay, World } from '../world/world.ts';

/** What an archive of the real host holds, as its own tar lists it. */
export async function prepareTar<T>(
  overlay: Overlay,
  world: World,
  command: Command<T>,
  source: string,
): Promise<(() => Promise<T>) | undefined> {
  await pageIn(world, source, 'stat');
  const there = resolve(world, source, 'follow');
  if (!there.found || (there.inode.content !== undefined && readArchive(there.inode.content) !== undefined))
    return undefined;
  if (command.access === 'read') return ask(overlay, command);
  const argv = [
    '--list',
    '--verbose',
    '--block-number',
    '--numeric-owner',
    '--full-time',
    '--quoting-style=c',
    '--absolute-names',
    '--force-local',
    `--file=${source}`,
  ];
  const listing = overlay.listings.get(source) ?? (await overlay.real.run(textOf('tar', argv)));
  overlay.listings.set(source, listing);
  return undefined;
}
