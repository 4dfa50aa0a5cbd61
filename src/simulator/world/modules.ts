import type { World } from './world.ts';

/** A kernel module that is loaded. */
export interface Module {
  /** Other uses than those by modules. */
  readonly opens: number;
}

/** Modules that modprobe finds, and what they need. `loop` is built in. */
const available: Readonly<Record<string, readonly string[]>> = {
  dummy: [],
  br_netfilter: ['llc', 'stp', 'bridge'],
  bridge: ['llc', 'stp'],
  stp: ['llc'],
  llc: [],
  xen_netback: [],
};

/** What modprobe loads for a module, it last. Undefined: there is none. */
export function needed(name: string): readonly string[] | undefined {
  const needs = available[name];
  return needs === undefined ? undefined : [...needs, name];
}

/** How many use a loaded module, and which of them are modules. */
export function usesOf(
  { modules }: World,
  name: string,
): { readonly uses: number; readonly users: string[] } {
  const users = [...modules.keys()].filter((each) => available[each]?.includes(name) === true);
  return { uses: users.length + (modules.get(name)?.opens ?? 0), users };
}

/** /proc/modules: the newest first. */
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
