import type { ChangeHost, FileStat, ReadHost } from '../../command/index.ts';
import { ParseError, RefusedError } from '../../core/errors.ts';
import { everyHolder, inWords, remedyFor } from '../holders/index.ts';
import { kernelText, statIfVisible } from '../node.ts';
import { until } from '../wait.ts';
import { attachedLoops, detach, loopFiles } from './commands.ts';
import type { Attachment, LoopDevice } from './schema.ts';

/**
 * Returns every loop device with a backing file, by number; `lost` as for `attachedLoops`.
 * CommandError or ParseError without root.
 */
export async function loopDevices(
  host: ReadHost,
  lost?: Parameters<typeof attachedLoops>[0],
): Promise<readonly LoopDevice[]> {
  return [...(await settled(host, lost))].sort((one, other) => one.number - other.number);
}

/**
 * Reads again while a device is being detached: losetup may then show the file without an inode, as
 * it does without root.
 */
async function settled(
  host: ReadHost,
  lost?: Parameters<typeof attachedLoops>[0],
): Promise<readonly LoopDevice[]> {
  let all: readonly LoopDevice[] | undefined;
  const check = async (): Promise<boolean> => {
    all = await host.run(attachedLoops(lost)).catch((error: unknown) => {
      if (error instanceof ParseError) return undefined;
      throw error;
    });
    return all !== undefined;
  };
  await until({ check, limitMs: 1000 });
  return all ?? host.run(attachedLoops(lost));
}

/**
 * Returns the loop devices over a file. Without root, those whose path, as the kernel shows it,
 * leads to that file.
 */
export async function loopsBehind(host: ReadHost, own: FileStat): Promise<readonly string[]> {
  const found: string[] = [];
  for (const { device, file, inode, filesystem } of await host.run(loopFiles())) {
    const stat = inode === undefined ? await statIfVisible(host, file) : { inode, device: filesystem };
    if (stat?.inode === own.inode && stat.device === own.device) found.push(device);
  }
  return found;
}

/** Returns the device with that number, if it has a backing file. */
export async function loopNumbered(host: ReadHost, number: number): Promise<LoopDevice | undefined> {
  return (await loopDevices(host)).find((loop) => loop.number === number);
}

/**
 * Returns the loop device with exactly this part of a file and these settings, unless it is about
 * to be detached.
 */
export async function loopShowing(
  host: ReadHost,
  { file, ...how }: Pick<LoopDevice, 'file' | 'offset' | 'limit' | 'mode' | 'partitions'>,
): Promise<LoopDevice | undefined> {
  const stat = await host.stat(file);
  if (stat === undefined) return undefined;
  const asked = { ...how, inode: stat.inode, filesystem: stat.device, autoclear: false };
  const keys = ['inode', 'filesystem', 'offset', 'limit', 'mode', 'partitions', 'autoclear'] as const;
  return (await loopDevices(host)).find((loop) => keys.every((key) => loop[key] === asked[key]));
}

/**
 * Whether this part of this file is attached to the device. Ignores its settings (read-only, sector
 * size).
 */
export function showsSame(loop: LoopDevice, of: Omit<Attachment, 'number'>): boolean {
  const keys = ['inode', 'filesystem', 'offset', 'limit'] as const;
  return keys.every((key) => loop[key] === of[key]);
}

/**
 * Returns what distinguishes one attachment from the next at the same number (Linux 5.15 and newer
 * count them per boot); null if the kernel does not count.
 */
export async function diskSequence(host: ReadHost, number: number): Promise<string | null> {
  return (await kernelText(host, `/sys/block/loop${number}/diskseq`)) ?? null;
}

/**
 * Detaches, and waits until the kernel has done so: if the device is open, losetup 2.38 only
 * requests it, and the kernel detaches at the last close. RefusedError with the holders.
 */
export async function detachAndWait(host: ChangeHost, loop: LoopDevice): Promise<void> {
  const { device, number } = loop;
  const isGone = async (): Promise<boolean> => {
    const now = await loopNumbered(host, number);
    return now === undefined || !showsSame(now, loop);
  };
  if (!loop.autoclear) await host.run(detach(device));
  if (await until({ check: isGone, limitMs: 5_000 })) return;
  const who = await everyHolder(host, device);
  const why = who.length === 0 ? 'a process that could not be found has it open' : inWords(who);
  throw new RefusedError(`${device} will be detached by the kernel at the last close: ${why}`, {
    remedy: remedyFor(who),
    holders: who,
  });
}
