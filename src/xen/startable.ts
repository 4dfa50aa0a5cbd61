import { follow, type ReadHost } from '../command/index.ts';
import { RefusedError } from '../core/errors.ts';
import { missingBridge } from './bridge.ts';
import type { GuestConfig } from './config/guest.ts';
import type { Domain } from './domains.ts';
import { moreMemoryRefusal } from './memory.ts';

/** What a guest needs to start, and this host does not have: its kernel, disks and bridges. */
export async function missingFor(
  host: ReadHost,
  { kernel, ramdisk, disks, vifs }: GuestConfig,
): Promise<readonly string[]> {
  const refusals: string[] = [];
  for (const file of [kernel, ramdisk])
    if (file !== undefined && (await follow(host, file)).stat === undefined)
      refusals.push(`there is no ${file}`);
  for (const { path } of disks)
    if (path !== undefined && (await follow(host, path)).stat === undefined)
      refusals.push(`there is no disk ${path}`);
  for (const vif of vifs) {
    const missing = await missingBridge(host, vif);
    if (missing !== undefined) refusals.push(missing);
  }
  return refusals;
}

/**
 * Throws RefusedError if a running guest could not be started again after its end, because its configuration was
 * changed, or something that it names was removed.
 */
export async function refuseUnrestartable(host: ReadHost, guest: GuestConfig, domain: Domain): Promise<void> {
  const memory = await moreMemoryRefusal(host, guest, domain.memoryMiB);
  const refusals = [...(await missingFor(host, guest)), ...(memory === undefined ? [] : [memory])];
  if (refusals.length === 0) return;
  throw new RefusedError(
    `${guest.name} is not shut down, because it could not be started again: ${refusals.join('; ')}`,
    { remedy: `correct ${guest.file}, or what is missing; then run the command again` },
  );
}
