import { posix } from 'node:path';
import { namesIn, type ReadHost } from '../command/index.ts';
import { type Holder, RefusedError } from '../core/errors.ts';
import { deviceByNumber, nodeNamed } from './holders/device.ts';
import { directly } from './holders/direct.ts';
import { factsOf } from './holders/facts.ts';
import { deviceNode, kernelText } from './node.ts';
import { everyHolder, inWords, remedyFor } from './holders/index.ts';

/** RefusedError that names every known holder of the device, if there is one. */
export async function refuseHeld(host: ReadHost, device: string, who: readonly Holder[]): Promise<void> {
  if (who.length === 0) return;
  const all = await everyHolder(host, device);
  // They may have ended meanwhile, but the check that found them has refused already.
  throw inUse(device, all.length > 0 ? all : who);
}

/**
 * RefusedError that names every holder of the device, including processes and guests. Call it
 * before every advice to repair the content of a device: a repair while a guest uses it would write
 * below a mounted filesystem.
 */
export async function refuseUsers(host: ReadHost, device: string): Promise<void> {
  const who = (await everyHolder(host, device)).filter(({ kind }) => kind !== 'unknown');
  if (who.length > 0) throw inUse(device, who);
}

/**
 * RefusedError if a guest uses the device, or one below it: the kernel would nevertheless let the
 * host mount it, and even a read-only mount writes to the journal of a filesystem in use. `ro`:
 * only if the guest may write to it.
 */
export async function refuseGuests(host: ReadHost, device: string, mode: 'ro' | 'rw'): Promise<void> {
  const facts = factsOf(host);
  const numbers = await beneath(host, (await deviceNode(host, device)).number);
  const used = (await facts.guestDisks()).find(
    (disk) => numbers.has(disk.device) && (mode === 'rw' || disk.mode === 'rw'),
  );
  if (used === undefined) return;
  const disk = await deviceByNumber(host, used.device);
  const found = await everyHolder(host, nodeNamed(disk.name));
  const guests = found.filter(({ kind }) => kind === 'guest');
  throw inUse(device, guests.length > 0 ? guests : (await directly(facts, disk)).guests);
}

/** Returns the numbers of a device and of all devices below it. */
async function beneath(host: ReadHost, number: string): Promise<ReadonlySet<string>> {
  const found = new Set([number]);
  for (const each of found) {
    const { sys } = await deviceByNumber(host, each);
    for (const name of await namesIn(host, `${sys}/slaves`)) {
      const lower = await kernelText(host, `${sys}/slaves/${name}/dev`);
      if (lower !== undefined) found.add(lower);
    }
    if ((await kernelText(host, `${sys}/partition`)) === undefined) continue;
    const disk = posix.dirname(posix.resolve('/sys/dev/block', await host.readLink(sys)));
    const whole = await kernelText(host, `${disk}/dev`);
    if (whole !== undefined) found.add(whole);
  }
  return found;
}

/** RefusedError that names these holders. */
export function inUse(device: string, who: readonly Holder[]): RefusedError {
  return new RefusedError(`${device} is in use: ${inWords(who)}`, {
    remedy: remedyFor(who) ?? 'end that use first, then run the command again',
    holders: who,
  });
}
