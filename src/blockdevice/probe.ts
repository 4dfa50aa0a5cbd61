import { inShell, namesIn, type ReadHost } from '../command/index.ts';
import { BofhError, CommandError, ParseError, RefusedError } from '../core/errors.ts';
import type { Bytes } from '../core/units.ts';
import { blkidLabel, blkidProbe, dropCache } from './commands.ts';
import { readStarts, refuseUnread } from './content/unseen.ts';
import { built, loopsOver } from './holders/above.ts';
import { deviceByNumber } from './holders/device.ts';
import { factsOf } from './holders/facts.ts';
import { type DeviceNode, deviceNode, kernelText, sizeOf } from './node.ts';
import { blkidProbes, withoutSignature } from './many-commands.ts';
import { onceIn } from './one-look.ts';
import type { Signature } from './schema.ts';

/**
 * Returns the content of a device: a filesystem, swap, a partition table, a member of a volume
 * group or an array. Undefined: it was probed and is blank. CommandError `not-found` if there is no
 * such device.
 */
export async function probe(host: ReadHost, device: string): Promise<Signature | undefined> {
  const found = await recognise(host, device);
  if (found === undefined) await refuseUnread(host, device);
  return found;
}

/**
 * Like `probe`, but also undefined for a device with only I/O errors: for a second look at a device
 * that `probe` could read, or with `refuseUnread` after it.
 *
 * @param size - Look only at this many bytes, from the first one (default: the whole device).
 */
export async function recognise(
  host: ReadHost,
  device: string,
  size?: Bytes,
): Promise<Signature | undefined> {
  const node = await deviceNode(host, device);
  if ((await sizeOf(host, node)) === 0) throw noMedium(device, node.path);
  const known = probedTogether(host);
  if (known.has(node.path) && size === undefined) return known.get(node.path);
  await refuseSuspended(host, device, `/sys/dev/block/${node.number}`);
  await refresh(host, node);
  return probeFile(host, node.path, size);
}

/**
 * Returns the content of an image file, or of a device whose cache is not stale. Undefined: blkid
 * recognises nothing.
 */
export async function probeFile(host: ReadHost, path: string, size?: Bytes): Promise<Signature | undefined> {
  const found = await host.run(blkidProbe(path, size)).catch((error: unknown) => {
    // For some drives the kernel keeps the size of the last medium (ENOMEDIUM). The host wraps the
    // error of the parser, and keeps it as the cause.
    const said = error instanceof ParseError && error.cause instanceof ParseError ? error.cause : error;
    throw said instanceof ParseError && said.message.endsWith(': No medium found')
      ? noMedium(path, path, 'as blkid says')
      : error;
  });
  if (!isLabelUnclear(found)) return found;
  const { label: _, ...rest } = found;
  const label = await host.run(blkidLabel(path, size));
  return label === undefined ? rest : { ...rest, label };
}

/** Number of devices for one blkid, because the length of a command line is limited. */
const together = 500;

/**
 * Probes many devices with few programs, for calls of `recognise` in the same look. `recognise`
 * itself probes a device again that cannot be probed this way, and reports the error.
 */
export async function probeTogether(host: ReadHost, devices: readonly string[]): Promise<void> {
  const found = probedTogether(host);
  const nodes = await Promise.all(
    devices.map(async (device) => {
      try {
        const node = await deviceNode(host, device);
        if ((await sizeOf(host, node)) === 0) return [];
        await refuseSuspended(host, device, `/sys/dev/block/${node.number}`);
        await refresh(host, node);
        return [node.path];
      } catch (error) {
        if (error instanceof BofhError) return [];
        throw error;
      }
    }),
  );
  const paths = [...new Set(nodes.flat())];
  const blank = paths.length > 1 ? await blankOnes(host, paths) : [];
  // blkid would fail too.
  if (blank === undefined) return;
  for (const path of blank) found.set(path, undefined);
  let left = paths.filter((path) => !found.has(path));
  while (left.length > 1) {
    const asked = left.slice(0, together);
    const answers = await orUndefined(host.run(blkidProbes(asked)));
    if (answers === undefined) return;
    for (const [path, signature] of answers) if (!isLabelUnclear(signature)) found.set(path, signature);
    // blkid stops at a device that it cannot identify.
    const last = asked.findLastIndex((path) => answers.has(path));
    left = left.slice(last === asked.length - 1 ? asked.length : Math.max(last, 0) + 1);
  }
}

/**
 * Returns the devices without any signature whose start can be read: blkid would stop at each of
 * them. Undefined: wipefs fails.
 */
async function blankOnes(host: ReadHost, paths: readonly string[]): Promise<readonly string[] | undefined> {
  const blank: string[] = [];
  for (let from = 0; from < paths.length; from += together) {
    const unsigned = await orUndefined(host.run(withoutSignature(paths.slice(from, from + together))));
    if (unsigned === undefined) return undefined;
    if (unsigned.length > 0) blank.push(...((await orUndefined(readStarts(host, unsigned))) ?? []));
  }
  return blank;
}

/**
 * Returns undefined after an error: the caller that needs the answer asks again, and gets the
 * error.
 */
async function orUndefined<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof BofhError) return undefined;
    throw error;
  }
}

/**
 * RefusedError if device-mapper has suspended a device, or one below it: a program that reads it
 * waits until it is resumed, and cannot be killed meanwhile.
 */
async function refuseSuspended(host: ReadHost, device: string, sys: string): Promise<void> {
  const name = await kernelText(host, `${sys}/dm/name`);
  if (name !== undefined && (await kernelText(host, `${sys}/dm/suspended`)) === '1') {
    const isLuks = (await kernelText(host, `${sys}/dm/uuid`))?.startsWith('CRYPT-LUKS') === true;
    const resume = `${isLuks ? 'cryptsetup luksResume' : 'dmsetup resume'} ${inShell(name)}`;
    throw new RefusedError(`${device} cannot be read: the device-mapper device ${name} is suspended`, {
      code: 'in-use',
      remedy: `wait for the program that has suspended it, or resume it: ${resume}; then run the command again`,
    });
  }
  for (const lower of await namesIn(host, `${sys}/slaves`))
    await refuseSuspended(host, device, `${sys}/slaves/${lower}`);
}

/** Drops a page cache that may be stale. */
async function refresh(host: ReadHost, node: DeviceNode): Promise<void> {
  if (await isUsedBeneath(host, node)) await host.run(dropCache(node.path));
}

function probedTogether(host: ReadHost): Map<string, Signature | undefined> {
  return onceIn(host, 'probed', () => new Map<string, Signature | undefined>());
}

/** Whether blkid may have escaped something in the label. */
function isLabelUnclear(found: Signature | undefined): found is Signature {
  return found?.label !== undefined && /M-|\^/.test(found.label);
}

/**
 * Whether DRBD, a mapping, an array, a loop device, a guest or a target uses the device. They write
 * past its page cache, which exists as long as they have the device open: a second read would
 * return data from before their writes.
 */
async function isUsedBeneath(host: ReadHost, { number }: DeviceNode): Promise<boolean> {
  const facts = factsOf(host);
  const device = await deviceByNumber(host, number);
  if ((await built(facts, device)).length > 0 || (await loopsOver(facts, device)).length > 0) return true;
  if ((await facts.served()).some((each) => each.number === number)) return true;
  return (await facts.guestDisks()).some((disk) => disk.device === number);
}

/**
 * Returns the size of a device in bytes. CommandError if it has none: a drive without a medium, a
 * loop device without a file.
 */
export async function sizeOfMedium(host: ReadHost, device: string): Promise<Bytes> {
  const node = await deviceNode(host, device);
  const size = await sizeOf(host, node);
  if (size === 0) throw noMedium(device, node.path);
  return size;
}

function noMedium(device: string, path: string, seen = 'it has no size'): CommandError {
  const { tool, argv } = blkidProbe(path);
  const isLoop = /^\/dev\/loop\d+$/.test(path);
  return new CommandError({
    ...{ tool, argv, reason: 'unknown' },
    what: isLoop
      ? `${device} has no file attached: nothing can be on it`
      : `${device} has no medium (${seen}): nothing can be on it`,
    remedy: isLoop
      ? 'attach one: bofh block loop attach FILE'
      : 'insert one, or name another device; see them: bofh block tree',
  });
}

/** Whether the error means that no medium is inserted, or no file attached. */
export function isWithoutMedium(error: unknown): boolean {
  return error instanceof CommandError && / has no (?:medium \(|file attached)/.test(error.message);
}
