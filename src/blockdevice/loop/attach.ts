import * as z from 'zod/mini';
import { type Look, operation } from '../../atomic/operation.ts';
import {
  type ChangeHost,
  inShell,
  kindInWords,
  namesIn,
  type ReadHost,
  refuseExposed,
} from '../../command/index.ts';
import { CommandError, IdentityTaken, NotDone, RefusedError, UsageError } from '../../core/errors.ts';
import { formatSize, parseSize } from '../../core/units.ts';
import { fileHolders, holders, inWords as holdersInWords, remedyFor } from '../holders/index.ts';
import { refuseHeld } from '../in-use.ts';
import { absolutePath } from '../path.ts';
import { inWords, lookAt } from './manual-recovery.ts';
import { attach } from './commands.ts';
import { detachAndWait, diskSequence, loopDevices, loopNumbered, showsSame } from './reads.ts';
import { type Attachment, attachment, type LoopDevice } from './schema.ts';
import { sizeOption, sizeOrZero, sizeOrZeroOption } from '../../core/request.ts';
import { option } from '../../core/option.ts';

const args = z.strictObject({
  /** A regular file; a symbolic link to one is refused. */
  file: absolutePath,
  /** Access mode (default: `rw`). */
  mode: z.exactOptional(z.enum(['ro', 'rw'])),
  /** Offset of the device in the file (default: 0). */
  offset: z.exactOptional(sizeOrZeroOption),
  /** How many bytes of the file to attach (default: up to its end). */
  size: z.exactOptional(sizeOption),
  /** `scanned`: its partitions become devices, such as `/dev/loop3p1`. */
  partitions: z.exactOptional(z.enum(['scanned', 'ignored'])),
  /** Size of its sectors, in bytes (default: 512). */
  sectorSize: z.exactOptional(z.literal([512, 1024, 2048, 4096])),
});

/** Null: this kernel does not count attachments. */
const result = z.strictObject({ diskSequence: z.nullable(z.string()) });

type Args = z.infer<typeof args>;
type Result = z.infer<typeof result>;

/**
 * `tx.block.attachLoop`: creates a loop device for a file, or for a part of it. The step chooses
 * its number before, and another one if that is taken meanwhile. Refused if an overlapping part of
 * the file is already attached, unless both are read-only: a caller that wants to use that device
 * finds it with `block.loops`, and has nothing to undo.
 *
 * The tag: number, inode and offset, and after the step the kernel's count of attachments, which
 * distinguishes the device from a later one with the same file and number.
 */
export const attachLoop = operation({
  kind: 'block.loop.attach',
  version: 1,
  args,
  undo: attachment,
  result,
  lives: 'boot',
  keepsContent: true,
  restores: 'state',
  prepare: async ({ args: asked, host, chosen }) => {
    const wanted = await partOf(host, asked);
    const loops = await loopDevices(host);
    refuseAttached(loops, wanted);
    await refuseUsedFile(host, wanted.file);
    const taken = new Set(loops.map(({ number }) => number));
    return { ...wanted, number: chosen?.number ?? (await lowestFree(host, taken)) };
  },
  claims: ({ undo: { file, inode, filesystem } }) => ({
    makes: [`dev:loop:${filesystem}:${inode}`],
    needs: [`file:${file}`],
  }),
  run: async ({ undo: wanted, host }) => {
    try {
      await host.run(attach(wanted));
    } catch (error) {
      // While another losetup creates the same number, its node is missing for a moment.
      if (!(error instanceof CommandError) || !['busy', 'not-found'].includes(error.reason)) throw error;
      await refuseTaken(host, wanted, error);
    }
    const made = await loopNumbered(host, wanted.number);
    // If the file is not writable, losetup attaches it read-only and exits with 0.
    if (made !== undefined && made.mode !== wanted.mode)
      throw new RefusedError(`${wanted.file} could only be attached read-only`, {
        remedy: `attach it read-only: ${option('--read-only', "mode: 'ro'")}; or see why it cannot be written: lsattr ${wanted.file}`,
      });
    return { diskSequence: await diskSequence(host, wanted.number) };
  },
  again: async ({ undo: made, host }) => {
    const { inode, device: filesystem } = (await host.stat(made.file)) ?? {};
    if (inode !== made.inode || filesystem !== made.filesystem)
      throw new RefusedError(`${made.file} is another file now`, {
        code: 'not-found',
        remedy: `restore the file with the inode ${made.inode} at its path`,
      });
    const loops = await loopDevices(host);
    refuseAttached(loops, made);
    await refuseUsedFile(host, made.file);
    return { ...made, number: await lowestFree(host, new Set(loops.map(({ number }) => number))) };
  },
  value: ({ undo: { number } }) => ({ device: `/dev/loop${number}`, number }),
  look: async ({ undo: made, result: known, restored, host }) =>
    (await find(host, made, restored ? undefined : known)).look,
  revert: async ({ undo: made, result: known, restored, host }) => {
    const { loop, look } = await find(host, made, restored ? undefined : known);
    if (loop === undefined) return;
    await refuseHeld(host, loop.device, look.holders ?? []);
    await refusePartitions(host, loop, 'then: bofh recover');
    await detachAndWait(host, loop);
  },
  describe: ({ undo: made }) => ({
    what: inWords(made),
    look: lookAt(made),
    clear: [['losetup', '--detach', `/dev/loop${made.number}`]],
  }),
});

async function find(
  host: ReadHost,
  made: Attachment,
  known: Result | undefined,
): Promise<{ readonly loop?: LoopDevice; readonly look: Look }> {
  const loop = await loopNumbered(host, made.number);
  if (loop === undefined) return { look: { state: 'gone' } };
  const found = `${loop.device} is attached to ${loop.file} (inode ${loop.inode}) by another process`;
  if (!showsSame(loop, made)) return { look: { state: 'not-ours', found } };
  const now = await diskSequence(host, made.number);
  if (known !== undefined && known.diskSequence !== now) return { look: { state: 'not-ours', found } };
  return { loop, look: { state: 'ours', holders: await holders(host, loop.device) } };
}

async function partOf(host: ReadHost, asked: Args): Promise<Omit<Attachment, 'number'>> {
  const { file } = asked;
  const stat = await host.stat(file);
  if (stat === undefined)
    throw new RefusedError(`there is no file ${file}`, {
      code: 'not-found',
      remedy: `create it: ${option(`bofh block image create ${inShell(file)} SIZE`, 'block.createImage')}`,
    });
  if (stat.kind !== 'file')
    throw new RefusedError(`${file} is not a regular file but ${kindInWords(stat)}`, {
      remedy: stat.kind === 'symlink' ? `name the file that it points to: readlink -f ${file}` : undefined,
    });
  await refuseExposed(host, file, 'there');
  const offset = sizeOrZero(asked.offset ?? 0);
  const limit = asked.size === undefined ? 0 : parseSize(asked.size);
  const sectorSize = asked.sectorSize ?? 512;
  const left = stat.size - offset;
  if (limit > left)
    throw new UsageError(
      `${file} has ${formatSize(stat.size)}: less than ${formatSize(limit)} after byte ${offset}`,
    );
  const used = limit === 0 ? left : limit;
  if (used < sectorSize)
    throw new UsageError(
      `${file}: ${Math.max(0, used)} bytes from byte ${offset} on are less than one sector of ${sectorSize} bytes`,
    );
  return {
    ...{ file, inode: stat.inode, filesystem: stat.device, offset, limit, sectorSize, direct: false },
    mode: asked.mode ?? 'rw',
    partitions: asked.partitions ?? 'ignored',
  };
}

/**
 * Returns the devices over the same bytes, one of which can be written: they have separate page
 * caches, so writes through one are invisible to the other.
 */
export function conflicting(
  loops: readonly LoopDevice[],
  wanted: Omit<Attachment, 'number'>,
): readonly LoopDevice[] {
  return loops.filter(
    (loop) =>
      loop.inode === wanted.inode &&
      loop.filesystem === wanted.filesystem &&
      (loop.mode === 'rw' || wanted.mode === 'rw') &&
      overlap(loop, wanted),
  );
}

function refuseAttached(loops: readonly LoopDevice[], wanted: Omit<Attachment, 'number'>): void {
  const [other] = conflicting(loops, wanted);
  if (other === undefined) return;
  throw new RefusedError(`${wanted.file} is attached already, as ${other.device} (${other.mode})`, {
    code: 'exists',
    remedy: `use ${other.device}, or detach it first: bofh block loop detach ${other.device}`,
  });
}

type Part = Pick<Attachment, 'offset' | 'limit'>;

/** Whether two parts of a file share bytes. */
export function overlap(one: Part, other: Part): boolean {
  const end = ({ offset, limit }: Part): number => (limit === 0 ? Number.POSITIVE_INFINITY : offset + limit);
  return one.offset < end(other) && other.offset < end(one);
}

/** RefusedError for a file that is mounted, or used as swap. */
export async function refuseUsedFile(host: ReadHost, file: string): Promise<void> {
  const who = await fileHolders(host, file);
  if (who.length === 0) return;
  throw new RefusedError(`${file} is in use: ${holdersInWords(who)}`, {
    remedy: remedyFor(who),
    holders: who,
  });
}

async function lowestFree(host: ReadHost, taken: ReadonlySet<number>): Promise<number> {
  let number = 0;
  while (taken.has(number) || (await hasPartitions(host, number))) number += 1;
  return number;
}

/** Whether the kernel has partitions of a loop device, also of one without a file. */
async function hasPartitions(host: ReadHost, number: number): Promise<boolean> {
  const name = `loop${String(number)}`;
  return (await namesIn(host, `/sys/block/${name}`)).some((each) => each.startsWith(`${name}p`));
}

/**
 * Refuses to detach a device with partitions that partx has told the kernel: the kernel keeps them,
 * and they would show bytes of the next file that gets this number (6.1).
 */
export async function refusePartitions(
  host: ReadHost,
  { device, number, partitions }: LoopDevice,
  then: string,
): Promise<void> {
  if (partitions === 'scanned' || !(await hasPartitions(host, number))) return;
  throw new RefusedError(`${device} has partitions in the kernel, which would stay after the detach`, {
    remedy: `remove them from the kernel, not from the file: partx --delete ${device}; ${then}`,
  });
}

/**
 * Refuses a number that the kernel gave to another process first. If the device of that process has
 * the same file, it would look like that of this sequence.
 */
async function refuseTaken(host: ChangeHost, wanted: Attachment, cause: unknown): Promise<never> {
  const there = await loopNumbered(host, wanted.number);
  if (there === undefined || !showsSame(there, wanted))
    throw new IdentityTaken(`/dev/loop${wanted.number} was taken meanwhile`, { cause });
  const found = `${there.device}, which another process attached to ${wanted.file}`;
  throw new NotDone(`${wanted.file} was attached by another process at the same time, as ${there.device}`, {
    ...{ found, cause },
    remedy: `use ${there.device}, or detach it first: bofh block loop detach ${there.device}`,
  });
}
