import type { ReadHost } from '../../command/index.ts';
import { BofhError, CommandError, type Holder } from '../../core/errors.ts';
import { type MountEntry, mountEntries } from '../mountinfo.ts';
import { deviceNode } from '../node.ts';
import { built, loopsOver, partitions } from './above.ts';
import { directly } from './direct.ts';
import { holdersEverywhere, mountHoldersEverywhere } from './every.ts';
import { type Device, deviceByNumber } from './device.ts';
import { type Facts, factsOf } from './facts.ts';
import { describeMount } from './mounts.ts';
import { type OtherMounts, otherNamespaces } from './namespaces.ts';
import { processUses } from './scan.ts';
import { inWords, remedyFor } from './words.ts';

export { describeMount } from './mounts.ts';
export { inWords, remedyFor } from './words.ts';

/**
 * Who uses a device now. The kernel's facts only, and cheap: mounts (of our mount namespace), swap, devices on top of
 * it, loop devices over it, guests that have it, and all that for its partitions too. An empty list does not
 * prove that nobody has it open: `everyHolder` looks at processes and other mount namespaces, too.
 */
export async function holders(host: ReadHost, device: string): Promise<readonly Holder[]> {
  return holdersOf(factsOf(host), await deviceByNumber(host, (await deviceNode(host, device)).number));
}

/** Who uses a disk as a whole: its partitions are left aside. */
export async function holdersOfWhole(host: ReadHost, device: string): Promise<readonly Holder[]> {
  return wholeOf(factsOf(host), await deviceByNumber(host, (await deviceNode(host, device)).number));
}

async function wholeOf(facts: Facts, device: Device): Promise<readonly Holder[]> {
  const { mounts, swaps, guests } = await directly(facts, device);
  const above = [...(await built(facts, device)), ...(await loopsOver(facts, device))];
  return [...mounts, ...swaps, ...above.map(({ holder }) => holder), ...guests];
}

async function holdersOf(facts: Facts, device: Device): Promise<readonly Holder[]> {
  const found = [...(await wholeOf(facts, device))];
  for (const part of await partitions(facts, device))
    for (const each of await holdersOf(facts, part))
      found.push({ ...each, words: `its partition ${part.name}: ${each.words}` });
  return found;
}

/**
 * Everybody who keeps a device from being taken away, with the command that ends each, in the order in which they are
 * to be ended. It looks at every process and mount namespace, so it is for the moment when something could not be done.
 * What it could not look at is one of them, in words: it never fails itself, or the failure at hand would be lost.
 */
export async function everyHolder(host: ReadHost, device: string): Promise<readonly Holder[]> {
  return await orWhatIsKnown(
    () => holdersEverywhere(host, device),
    () => holders(host, device),
  );
}

/** The same of one mount: what keeps it from being unmounted. */
export async function mountHolders(host: ReadHost, mount: MountEntry): Promise<readonly Holder[]> {
  return await orWhatIsKnown(
    () => mountHoldersEverywhere(host, mount),
    async () =>
      (await mountEntries(host))
        .filter(({ parent, id }) => parent === mount.id && id !== mount.id)
        .map((entry) => describeMount(entry)),
  );
}

/** The mounts of every other mount namespace that a process is in, those that it shares with ours included. */
export async function mountsElsewhere(host: ReadHost): Promise<OtherMounts> {
  return otherNamespaces(host, await host.run(processUses([])));
}

/** What keeps a file's name from being removed: mounts on it, and swap, whose files the kernel lets nobody remove. */
export async function fileHolders(host: ReadHost, path: string): Promise<readonly Holder[]> {
  const facts = factsOf(host);
  const mounts = (await facts.mounts()).filter((entry) => entry.path === path).toReversed();
  const { device, inode } = (await host.stat(path)) ?? {};
  const swaps = (await facts.swaps()).filter(
    ({ type, stat }) => type === 'file' && stat?.device === device && stat?.inode === inode,
  );
  return [
    ...mounts.map((entry) => describeMount(entry)),
    ...swaps.map(
      ({ path: at }): Holder => ({ kind: 'swap', path: at, words: 'in use as swap', free: ['swapoff', at] }),
    ),
  ];
}

async function orWhatIsKnown(
  everywhere: () => Promise<readonly Holder[]>,
  known: () => Promise<readonly Holder[]>,
): Promise<readonly Holder[]> {
  const failures: string[] = [];
  for (const ask of [everywhere, known]) {
    try {
      const found = await ask();
      return [...found, ...failures.map((words): Holder => ({ kind: 'unknown', words }))];
    } catch (error) {
      if (!(error instanceof BofhError)) throw error;
      failures.push(`could not look everywhere: ${short(error)}`);
    }
  }
  return failures.map((words) => ({ kind: 'unknown', words }));
}

/** Without the long command line of the search. */
function short(error: BofhError): string {
  if (error instanceof CommandError) return `${error.tool}: ${error.stderr.trim() || error.reason}`;
  return error.message.slice(0, 200);
}

/** The same failure, once its tries are over, with everybody who is behind it: in its words, its remedy and as data. */
export function busyWith(
  error: CommandError,
  of: { readonly what: string; readonly holders: readonly Holder[] },
): CommandError {
  const { tool, argv, exitCode, stdout, stderr } = error;
  const { holders: who } = of;
  const why = who.length === 0 ? 'by nobody that could be found' : inWords(who);
  const what = `${of.what} is in use: ${why}`;
  const remedy = remedyFor(who);
  return new CommandError({
    ...{ tool, argv, reason: 'busy', exitCode, stdout, stderr, what, remedy, holders: who },
    cause: error,
  });
}

/** Does this teardown of a device; when it is busy after all its tries, the error names everybody who has the device. */
export async function namingHolders<T>(host: ReadHost, device: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (!(error instanceof CommandError) || error.reason !== 'busy') throw error;
    throw busyWith(error, { what: device, holders: await everyHolder(host, device) });
  }
}
