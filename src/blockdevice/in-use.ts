import type { ReadHost } from '../command/index.ts';
import { type Holder, RefusedError } from '../core/errors.ts';
import { everyHolder, inWords, remedyFor } from './holders/index.ts';

/** RefusedError that names every known holder of the device, if there is one. */
export async function refuseHeld(host: ReadHost, device: string, who: readonly Holder[]): Promise<void> {
  if (who.length === 0) return;
  throw inUse(device, await everyHolder(host, device));
}

/**
 * RefusedError that names every holder of the device, processes and guests too. It precedes every
 * advice to repair the content of a device: a repair while a guest uses it would write below a
 * mounted filesystem.
 */
export async function refuseUsers(host: ReadHost, device: string): Promise<void> {
  const who = (await everyHolder(host, device)).filter(({ kind }) => kind !== 'unknown');
  if (who.length > 0) throw inUse(device, who);
}

/** RefusedError that names these holders. */
export function inUse(device: string, who: readonly Holder[]): RefusedError {
  return new RefusedError(`${device} is in use: ${inWords(who)}`, {
    remedy: remedyFor(who) ?? 'end that use first, then give the command again',
    holders: who,
  });
}
