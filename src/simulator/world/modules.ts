import type { World } from './world.ts';

/** A loaded kernel module. */
export interface Module {
  /** Number of uses, without those by modules. */
  readonly opens: number;
}

/** Modules that modprobe finds, and the modules that they need. `loop` is built in. */
const available: Readonly<Record<string, readonly string[]>> = {
  dummy: [],
  br_netfilter: ['llc', 'stp', 'bridge'],
  bridge: ['llc', 'stp'],
  stp: ['llc'],
  llc: [],
  xen_netback: [],
};

/**
 * Returns what modprobe loads for a module, the module itself last. Undefined: it does not exist.
 */
export function needed(name: string): readonly string[] | undefined {
  const needs = available[name];
  return needs === undefined ? undefined : [...needs, name];
}

/** Returns the use count of a loaded module, and the modules among the users. */
export function usesOf(
  { modules }: World,
  name: string,
): { readonly uses: number; readonly users: string[] } {
  const users = [...modules.keys()].filter((each) => available[each]?.includes(name) === true);
  return { uses: users.length + (modules.get(name)?.opens ?? 0), users };
}

/** Returns /proc/modules, with the newest module first. */
export function procModules(world: World): string {
  return [...world.modules.keys()]
    .toReversed()
    .map((name) => {
      const { uses, users } = usesOf(world, name);
      const by = users.length === 0 ? '-' : `${users.join(',')},`;
      return `${name} 16384 ${String(uses)} ${by} Live 0xffffffffc0600000\n`;
    })
    .join('');
}
