import type { ReadHost } from '../command/index.ts';
import { type Holder, RefusedError } from '../core/errors.ts';
import { everyHolder, inWords, remedyFor } from './holders/index.ts';

/** RefusedError that names everybody who uses the device, once somebody is known to. */
export async function refuseHeld(host: ReadHost, device: string, who: readonly Holder[]): Promise<void> {
  if (who.length === 0) return;
  throw inUse(device, await everyHolder(host, device));
}

/**
 * RefusedError that names everybody who has the device, processes and guests too. It stands before every advice to repair
 * what is on a device: who follows that while a guest uses it writes beneath a mounted filesystem.
 */
export async function refuseUsers(host: ReadHost, device: string): Promise<void> {
  const who = (await everyHolder(host, device)).filter(({ kind }) => kind !== 'unknown');
  if (who.length > 0) throw inUse(device, who);
}

/** RefusedError that names these. */
export function inUse(device: string, who: readonly Holder[]): RefusedError {
  return new RefusedError(`${device} is in use: ${inWords(who)}`, {
    remedy: remedyFor(who) ?? 'end that use first, then give the command again',
    holders: who,
  });
}
