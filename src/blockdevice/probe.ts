import type { ReadHost } from '../command/index.ts';
import { ParseError } from '../core/errors.ts';
import { blkidLabel, blkidProbe, dropCache, readsAsBlank } from './commands.ts';
import { built, loopsOver } from './holders/above.ts';
import { deviceByNumber } from './holders/device.ts';
import { factsOf } from './holders/facts.ts';
import { type DeviceNode, deviceNode, sizeOf } from './node.ts';
import type { Signature } from './schema.ts';

/**
 * The content of a device: a filesystem, swap, a partition table, a member of a volume group or an
 * array. Undefined: it was probed and is blank. CommandError `not-found` if there is no such
 * device.
 */
export async function probe(host: ReadHost, device: string): Promise<Signature | undefined> {
  const found = await recognise(host, device);
  if (found === undefined) await host.run(readsAsBlank((await deviceNode(host, device)).path));
  return found;
}

/**
 * The same, but undefined also for a device with nothing but I/O errors: for a second look at one
 * that `probe` found readable, or with `readsAsBlank` after it.
 */
export async function recognise(host: ReadHost, device: string): Promise<Signature | undefined> {
  const node = await deviceNode(host, device);
  if ((await sizeOf(host, node)) === 0)
    throw new ParseError(`${device} is a device of no size: cannot tell what it holds`);
  if (await isUsedBeneath(host, node)) await host.run(dropCache(node.path));
  return probeFile(host, node.path);
}

/** The content of an image file, or of a device whose cache is not stale. Undefined: blkid knows nothing there. */
export async function probeFile(host: ReadHost, path: string): Promise<Signature | undefined> {
  const found = await host.run(blkidProbe(path));
  if (found?.label === undefined || !/M-|\^/.test(found.label)) return found;
  const { label: _, ...rest } = found;
  const label = await host.run(blkidLabel(path));
  return label === undefined ? rest : { ...rest, label };
}

/**
 * Does DRBD, a mapping, an array, a loop device or a guest use it? They write past its page cache,
 * which exists as long as they have it open: a second read would return data from before they
 * wrote.
 */
async function isUsedBeneath(host: ReadHost, { number }: DeviceNode): Promise<boolean> {
  const facts = factsOf(host);
  const device = await deviceByNumber(host, number);
  if ((await built(facts, device)).length > 0 || (await loopsOver(facts, device)).length > 0) return true;
  return (await facts.guestDisks()).some((disk) => disk.device === number);
}
