import { posix } from 'node:path';
import type { Command } from '../../command/index.ts';
import { showUnit } from '../../service/unit.ts';
import { ask } from './ask.ts';
import { pageIn } from './overlay.ts';
import { isWritten } from '../tools/service/systemctl.ts';
import { resolve } from '../world/resolve.ts';
import { templateOf, unitPaths } from '../world/units.ts';
import type { Overlay, World } from '../world/world.ts';

/**
 * Prepares a command of systemctl: the real host answers about a unit that the plan has not
 * changed; the first change copies the unit to the model.
 */
export async function prepareSystemctl<T>(
  overlay: Overlay,
  world: World,
  command: Command<T>,
): Promise<(() => Promise<T>) | undefined> {
  const { argv, access } = command;
  if (argv[0] === 'daemon-reload') return undefined;
  const unit = posix.basename(argv.at(-1) ?? '');
  const isKnown = await knowFiles(world, unit);
  if (access === 'read' && !world.units.has(unit) && !isKnown) return ask(overlay, command);
  await knowUnit(overlay, world, unit);
  return undefined;
}

/** Whether the plan has written or removed a file or a link of the unit. */
async function knowFiles(world: World, unit: string): Promise<boolean> {
  let isChanged = false;
  const own = '/etc/systemd/system';
  await pageIn(world, own, 'names');
  const listed = resolve(world, own, 'follow');
  // The links that enable the unit.
  for (const name of listed.found ? (listed.inode.entries?.keys() ?? []) : [])
    if (/\.(?:wants|requires|upholds)$/.test(name)) await pageIn(world, posix.join(own, name), 'names');
  for (const name of new Set([unit, templateOf(unit)]))
    for (const directory of unitPaths) {
      const path = posix.join(directory, name);
      await pageIn(world, path, 'content');
      const there = resolve(world, path, 'keep');
      const isRemoved =
        world.overlay?.absent.has(path) === true && (await world.overlay.real.stat(path)) !== undefined;
      if (isRemoved || (there.found && isWritten(world, path))) isChanged = true;
    }
  return isChanged;
}

async function knowUnit({ real }: Overlay, world: World, unit: string): Promise<void> {
  if (world.units.has(unit)) return;
  const said = await real.run(showUnit(unit));
  const isUp = ['active', 'reloading', 'activating'].includes(said.ActiveState);
  const active = isUp ? 'active' : said.ActiveState === 'failed' ? 'failed' : 'inactive';
  world.units.set(unit, {
    active,
    invocation: said.InvocationID,
    changed: 1,
    text: '',
    read: '',
    real: said,
  });
  world.revision += 1;
}
