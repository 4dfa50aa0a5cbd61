import type { Command } from '../../command/index.ts';
import { nameDevice, pageIn } from './overlay.ts';
import { ask, textOf } from './ask.ts';
import { resolve } from '../world/resolve.ts';
import { freeMemoryMiB } from '../tools/xen/xl-list.ts';
import type { Overlay, World } from '../world/world.ts';

/**
 * Prepares a command of xl: reads the configuration, and finds the kernel and the disks that it
 * names.
 */
export async function prepareXl<T>(
  overlay: Overlay,
  world: World,
  command: Command<T>,
): Promise<(() => Promise<T>) | undefined> {
  if (overlay.missing.has('xen')) return ask(overlay, command);
  if (command.argv.join(' ') === 'info') {
    const text = await overlay.real.run(textOf('xl', ['info']));
    const free = `free_memory            : ${freeMemoryMiB(world)}`;
    return async () =>
      command.parse({ exitCode: 0, stdout: text.replace(/^free_memory .*$/m, free), stderr: '' });
  }
  const config = command.argv.find((word) => word.startsWith('/'));
  if (config === undefined) return undefined;
  await pageIn(world, config, 'content');
  const there = resolve(world, config, 'follow');
  if (!there.found) return undefined;
  // The kernel and the disks that it names.
  const text = new TextDecoder().decode(there.inode.content);
  for (const path of text.match(/\/[^\s"',]+/g) ?? []) await nameDevice(world, path);
  return undefined;
}
