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
 * Returns the current holders of a device, fast and only from the kernel's data: mounts (of bofh's
 * mount namespace), swap, devices on top of it, loop devices over it, guests that use it, targets
 * that serve it to other hosts, and the same for its partitions. An empty list does not prove that
 * the device is unused: `everyHolder` also looks at processes and other mount namespaces.
 */
export async function holders(host: ReadHost, device: string): Promise<readonly Holder[]> {
  return holdersOf(factsOf(host), await deviceByNumber(host, (await deviceNode(host, device)).number));
}

/** Returns the holders of a disk as a whole, without its partitions. */
export async function holdersOfWhole(host: ReadHost, device: string): Promise<readonly Holder[]> {
  return wholeOf(factsOf(host), await deviceByNumber(host, (await deviceNode(host, device)).number));
}

async function wholeOf(facts: Facts, device: Device): Promise<readonly Holder[]> {
  // At the same time: over ssh each answer takes a round trip.
  const [{ mounts, swaps, guests, targets }, ...above] = await Promise.all([
    directly(facts, device),
    built(facts, device),
    loopsOver(facts, device),
  ]);
  return [...mounts, ...swaps, ...above.flat().map(({ holder }) => holder), ...guests, ...targets];
}

async function holdersOf(facts: Facts, device: Device): Promise<readonly Holder[]> {
  const [whole, parts] = await Promise.all([wholeOf(facts, device), partitions(facts, device)]);
  const found = [...whole];
  for (const part of parts)
    for (const each of await holdersOf(facts, part))
      found.push({ ...each, words: `its partition ${part.name}: ${each.words}` });
  return found;
}

/**
 * Returns every holder that prevents the removal of a device, with the command that ends each, in
 * the order in which to end them. Looks at every process and mount namespace, so call it after a
 * failure. What it could not examine is an entry too, as text. Never fails, because that would hide
 * the original failure.
 */
export async function everyHolder(host: ReadHost, device: string): Promise<readonly Holder[]> {
  return await orWhatIsKnown(
    () => holdersEverywhere(host, device),
    () => holders(host, device),
  );
}

/** Like `everyHolder`, for one mount: what prevents its unmount. */
export async function mountHolders(host: ReadHost, mount: MountEntry): Promise<readonly Holder[]> {
  return await orWhatIsKnown(
    () => mountHoldersEverywhere(host, mount),
    async () =>
      (await mountEntries(host))
        .filter(({ parent, id }) => parent === mount.id && id !== mount.id)
        .map((entry) => describeMount(entry)),
  );
}

/**
 * Returns the mounts of every other mount namespace of a process, including those shared with
 * bofh's own.
 */
export async function mountsElsewhere(host: ReadHost): Promise<OtherMounts> {
  return otherNamespaces(host, await host.run(processUses([])));
}

/**
 * Returns what prevents the removal of a file's name: mounts on it, and swap, whose files the
 * kernel protects.
 */
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
      failures.push(`could not examine every possible holder: ${short(error)}`);
    }
  }
  return failures.map((words) => ({ kind: 'unknown', words }));
}

/** Returns the message without the long command line of the search. */
function short(error: BofhError): string {
  if (error instanceof CommandError) return `${error.tool}: ${error.stderr.trim() || error.reason}`;
  return error.message.slice(0, 200);
}

/**
 * Returns the failure, after its retries, with every holder: in its message, its remedy and as
 * data.
 */
export function busyWith(
  error: CommandError,
  of: { readonly what: string; readonly holders: readonly Holder[] },
): CommandError {
  const { tool, argv, exitCode, stdout, stderr } = error;
  const { holders: who } = of;
  const why = who.length === 0 ? 'by a holder that could not be found' : inWords(who);
  const what = `${of.what} is in use: ${why}`;
  const remedy = remedyFor(who);
  return new CommandError({
    ...{ tool, argv, reason: 'busy', exitCode, stdout, stderr, what, remedy, holders: who },
    cause: error,
  });
}

/**
 * Runs a teardown of a device; if the device is still busy after all retries, the error names every
 * holder.
 */
export async function namingHolders<T>(host: ReadHost, device: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (!(error instanceof CommandError) || error.reason !== 'busy') throw error;
    throw busyWith(error, { what: device, holders: await everyHolder(host, device) });
  }
}
