import * as z from 'zod/mini';
import { type Look, operation } from '../atomic/operation.ts';
import type { ReadHost } from '../command/index.ts';
import { ParseError, RefusedError } from '../core/errors.ts';
import {
  canonicalModule,
  loadedModules,
  modprobe,
  moduleName,
  moduleParameters,
  neededModules,
  rmmod,
} from './module.ts';

const undo = z.strictObject({
  name: moduleName,
  /**
   * The modules that the step loads, in this order: those that the module needs and that are not
   * loaded, then the module itself.
   */
  loads: z.array(moduleName).check(z.minLength(1)),
  /** The network interfaces before the step. */
  interfaces: z.readonly(z.array(z.string())),
});

/** The network interfaces after the step: some modules create one. */
const loaded = z.strictObject({ interfaces: z.readonly(z.array(z.string())) });

type Undo = z.infer<typeof undo>;
type Loaded = z.infer<typeof loaded>;

/**
 * `tx.kernel.loadModule`: loads a kernel module and the modules that it needs, as modprobe(8) does,
 * until the next reboot. Undo unloads the modules that were not loaded before. It keeps and names
 * those that are in use. It keeps all of them if another network interface was created meanwhile,
 * or an interface of these modules is up: the kernel does not count that as use, and would remove
 * the interface with its module.
 */
export const loadModule = operation({
  kind: 'kernel.module',
  version: 1,
  args: z.strictObject({
    /**
     * Name of the module as lsmod(8) shows it: `br_netfilter`. RefusedError if it is loaded, or
     * built in.
     */
    name: moduleName,
    /** Parameters of the module (default: those of modprobe.d(5)). */
    parameters: z.exactOptional(moduleParameters),
  }),
  undo,
  result: loaded,
  lives: 'boot',
  // The boot reads the file in modules-load.d that a later step wrote.
  recurs: true,
  restores: 'state',
  keepsContent: true,
  prepare: async ({ args: { name: given }, host }): Promise<Undo> => {
    const name = canonicalModule(given);
    const [needed, loaded] = [await neededModules(host, name), await loadedModules(host)];
    if (needed.length === 0 || loaded.has(name))
      throw new RefusedError(
        `the kernel module ${name} is ${needed.length === 0 ? 'built in' : 'loaded already'}`,
        { code: 'exists', remedy: `see it: modinfo ${name}` },
      );
    return {
      name,
      loads: needed.filter((each) => !loaded.has(each)),
      interfaces: await interfacesOf(host),
    };
  },
  claims: ({ undo: { loads } }) => ({ changes: loads.map((each) => `module:${each}`) }),
  run: async ({ args: { parameters = {} }, undo: { name }, host }) => {
    await host.run(modprobe(name, parameters));
    if ((await loadedModules(host)).has(name)) return { interfaces: await interfacesOf(host) };
    // An install line in modprobe.d(5) can replace the loading by another command.
    throw new RefusedError(`modprobe succeeded, but the kernel module ${name} is not loaded`, {
      remedy: `see what modprobe does: modprobe --show-depends ${name}`,
    });
  },
  value: () => undefined,
  look: async ({ undo: of, result, host }): Promise<Look> => {
    const { own, used } = await left(host, of, result);
    const found = `in use, and stays loaded: ${used.join(', ')}`;
    if (own.length > 0) return { state: 'ours', ...(used.length > 0 ? { found } : {}) };
    return used.length > 0 ? { state: 'not-ours', found } : { state: 'gone' };
  },
  revert: async ({ undo: of, result, host }) => {
    for (const name of (await left(host, of, result)).own) await host.run(rmmod(name));
  },
  describe: ({ undo: { loads } }) => ({
    what: `kernel modules: ${loads.join(', ')}`,
    look: [['lsmod']],
    clear: loads.toReversed().map((name) => ['rmmod', name]),
  }),
});

/**
 * Returns the loaded modules in the order in which they can be unloaded, and those that are in use.
 */
async function left(
  host: ReadHost,
  { loads, interfaces }: Undo,
  result: Loaded | undefined,
): Promise<{ readonly own: readonly string[]; readonly used: readonly string[] }> {
  const loaded = await loadedModules(host);
  const own: string[] = [];
  const used: string[] = [];
  const others = await interfacesInUse(host, { before: interfaces, after: result?.interfaces });
  for (const name of loads.toReversed()) {
    const there = loaded.get(name);
    if (there === undefined) continue;
    const isOwn = there.uses === there.users.length && there.users.every((user) => own.includes(user));
    if (isOwn && others.length === 0) own.push(name);
    else used.push(isOwn ? `${name} (perhaps by ${others.join(', ')})` : name);
  }
  return { own, used };
}

/**
 * Network interfaces that may belong to the modules: those created after the step, and those of the
 * step that are up.
 */
async function interfacesInUse(
  host: ReadHost,
  { before, after }: { readonly before: readonly string[]; readonly after: readonly string[] | undefined },
): Promise<readonly string[]> {
  const used: string[] = [];
  for (const name of await interfacesOf(host))
    if (!(after ?? before).includes(name) || (!before.includes(name) && (await isUp(host, name))))
      used.push(name);
  return used;
}

/**
 * Lists the network interfaces. Leaves out `bonding_masters`, a file that the bonding module has in
 * this directory.
 */
async function interfacesOf(host: ReadHost): Promise<readonly string[]> {
  const all: string[] = [];
  for (const name of await host.readDir('/sys/class/net'))
    if ((await host.stat(`/sys/class/net/${name}`))?.kind !== 'file') all.push(name);
  return all;
}

/** Whether an interface is up (IFF_UP, netdevice(7)). */
async function isUp(host: ReadHost, name: string): Promise<boolean> {
  const flags = Buffer.from(await host.readFile(`/sys/class/net/${name}/flags`))
    .toString('latin1')
    .trim();
  if (!/^0x[\da-f]+$/.test(flags))
    throw new ParseError(`/sys/class/net/${name}/flags could not be parsed: ${flags}`);
  return (Number(flags) & 1) === 1;
}
