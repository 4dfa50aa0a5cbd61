import { type Module, needed } from './modules.ts';
import { resolve } from './resolve.ts';
import type { World } from './world.ts';

/** Returns the modules that the boot loads, from the files of modules-load.d(5). */
export function bootModules(world: World): Map<string, Module> {
  const all = new Map<string, Module>([['xen_netback', { opens: 0 }]]);
  const there = resolve(world, '/etc/modules-load.d', 'follow');
  for (const name of there.found ? [...(there.inode.entries?.keys() ?? [])].sort() : []) {
    const file = resolve(world, `/etc/modules-load.d/${name}`, 'follow');
    if (!name.endsWith('.conf') || !file.found) continue;
    for (const line of new TextDecoder().decode(file.inode.content).split('\n'))
      for (const each of needed(line) ?? []) all.set(each, { opens: 0 });
  }
  return all;
}
