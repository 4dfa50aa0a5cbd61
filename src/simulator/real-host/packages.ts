import { type Command } from '../../command/index.ts';
import type { Overlay, World } from '../world/world.ts';
import { ask } from './ask.ts';
import { UnknownInPlan } from './unknown.ts';

/**
 * Prepares a command about packages: until the plan changes a package, the real dpkg and apt
 * answer. What apt would choose after that is unknown.
 */
export async function preparePackages<T>(
  overlay: Overlay,
  world: World,
  command: Command<T>,
): Promise<(() => Promise<T>) | undefined> {
  const { argv } = command;
  const isOfStore = argv.some((word) => word.startsWith('/var/lib/bofh/packages-'));
  if (
    argv.includes('--search') ||
    (command.access === 'read' && !isOfStore && world.packages.isChanged !== true)
  )
    return ask(overlay, command);
  // The question of an undo, which names no repository: what apt would remove does not depend on
  // them.
  const isWithoutRepositories = argv.includes('Dir::Etc::sourcelist=/dev/null');
  if (command.tool === 'apt-cache' || (argv.includes('--simulate') && !isOfStore && !isWithoutRepositories))
    throw new UnknownInPlan('cannot tell what apt would do after another change of packages', {
      remedy: 'plan the first change, run that, then plan the rest',
    });
  if (world.packages.status === '') {
    const text = async (path: string): Promise<string> =>
      (await overlay.real.stat(path)) === undefined
        ? ''
        : new TextDecoder().decode(await overlay.real.readFile(path));
    world.packages.status = await text('/var/lib/dpkg/status');
    world.packages.marks = await text('/var/lib/apt/extended_states');
  }
  return undefined;
}
