import * as z from 'zod/mini';
import { type Answer, type Command, nothing, type ReadCommand, type ReadHost } from '../command/index.ts';
import { CommandError, ParseError, RefusedError } from '../core/errors.ts';

/** The name of a kernel module, as in lsmod(8) and modprobe(8). */
export const moduleName = z
  .string()
  .check(z.regex(/^[a-zA-Z0-9][\w-]{0,54}$/, 'must be the name of a kernel module: br_netfilter'));

/** Parameters of a module: `{ numdummies: 2 }`. */
export const moduleParameters = z.record(
  z.string().check(z.regex(/^\w+$/, 'must be the name of a parameter')),
  z.union([z.int(), z.string().check(z.regex(/^[\w.,:+/-]+$/, 'must be a value without spaces and quotes'))]),
);

export type ModuleParameters = z.infer<typeof moduleParameters>;

/** Spells a module name as the kernel does, with `_`; modprobe(8) also accepts `-`. */
export function canonicalModule(name: string): string {
  return name.replaceAll('-', '_');
}

/** Formats parameters for modprobe.d(5) and modprobe(8). */
export function parameterWords(parameters: ModuleParameters): readonly string[] {
  return Object.entries(parameters).map(([key, value]) => `${key}=${String(value)}`);
}

/** A loaded module. */
export interface LoadedModule {
  /** Number of its users, modules and others. */
  readonly uses: number;
  /** The modules that use it. `[permanent]`: the kernel never unloads it. */
  readonly users: readonly string[];
}

/**
 * Returns the modules of the running kernel, from /proc/modules. Built-in modules are not listed
 * there.
 */
export async function loadedModules(host: ReadHost): Promise<ReadonlyMap<string, LoadedModule>> {
  const text = new TextDecoder().decode(await host.readFile('/proc/modules'));
  return new Map(
    text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => {
        // kernel/module/procfs.c: a kernel that cannot unload modules prints no numbers.
        const { name, uses, users } =
          /^(?<name>\S+) \d+ (?<uses>\d+) (?<users>\S+) (?:Live|Loading|Unloading) 0x[\da-f]+(?: \(\S+\))?$/.exec(
            line,
          )?.groups ?? {};
        if (name === undefined || users === undefined)
          throw new ParseError(`/proc/modules: this line could not be parsed: ${line}`);
        const all = users === '-' ? [] : users.split(',').filter((each) => each !== '');
        return [name, { uses: Number(uses), users: all }] as const;
      }),
  );
}

/**
 * Lists the modules that modprobe(8) would load for a module, the module itself last. An empty
 * list: it is built in.
 */
function showDepends(name: string): ReadCommand<readonly string[]> {
  return {
    tool: 'modprobe',
    argv: ['--show-depends', '--', name],
    access: 'read',
    parse: ({ stdout }) =>
      stdout
        .trimEnd()
        .split('\n')
        .flatMap((line) => {
          if (line.startsWith('install '))
            throw new RefusedError(
              `modprobe would not load the kernel module ${name}, but run a command instead: ${line.trim()}`,
              {
                remedy:
                  "remove that line from modprobe.d(5); see it: modprobe --showconfig | grep '^install '",
              },
            );
          const { file, builtIn } =
            /^(?:insmod \/\S*\/(?<file>[\w-]+)\.ko(?:\.\w+)?(?: .*)?|builtin (?<builtIn>\S+))\s*$/.exec(line)
              ?.groups ?? {};
          if (file === undefined && builtIn === undefined)
            throw new ParseError(`modprobe: this line could not be parsed: ${line}`);
          return file === undefined ? [] : [canonicalModule(file)];
        }),
    classify,
  };
}

/** Loads a module and the modules that it needs. */
export function modprobe(name: string, parameters: ModuleParameters): Command<void, 'change'> {
  const argv = ['--', name, ...parameterWords(parameters)];
  return { tool: 'modprobe', argv, access: 'change', parse: nothing, classify };
}

/** Unloads only this module. */
export function rmmod(name: string): Command<void, 'change'> {
  return { tool: 'rmmod', argv: ['--', name], access: 'change', parse: nothing, classify };
}

function classify({ stderr }: Answer): 'not-found' | 'denied' | 'busy' | 'unknown' {
  if (/not found in directory|not currently loaded/.test(stderr)) return 'not-found';
  if (/Operation not permitted/.test(stderr)) return 'denied';
  return /is in use/.test(stderr) ? 'busy' : 'unknown';
}

/**
 * Lists the modules that loading a module loads, the module itself last. Empty: it is built in.
 * RefusedError if this kernel does not have it.
 */
export async function neededModules(host: ReadHost, name: string): Promise<readonly string[]> {
  try {
    const all = await host.run(showDepends(name));
    const last = all.at(-1);
    if (last === undefined || last === canonicalModule(name)) return all;
    throw new RefusedError(`${name} is an alias of the kernel module ${last}`, {
      remedy: `use the name ${last}`,
    });
  } catch (error) {
    if (!(error instanceof CommandError) || error.reason !== 'not-found') throw error;
    throw new RefusedError(`the running kernel has no module ${name}: modprobe does not find it`, {
      code: 'not-found',
      cause: error,
      remedy:
        'correct its name, install its package, or reboot if the kernel was upgraded; a container loads no modules',
    });
  }
}
