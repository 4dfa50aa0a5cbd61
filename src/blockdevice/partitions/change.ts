import * as z from 'zod/mini';
import type { Changed, Look } from '../../atomic/operation.ts';
import type { ChangeHost, ReadHost } from '../../command/index.ts';
import { type ManualRecovery, type Holder, RefusedError } from '../../core/errors.ts';
import { type Bytes, formatSize } from '../../core/units.ts';
import { partWitness } from '../content/head.ts';
import { identityOf, movedFrom } from '../keys.ts';
import { locate, syncDevice } from '../locate.ts';
import { type DeviceNode, deviceNode, sizeOf } from '../node.ts';
import { recognise } from '../probe.ts';
import { until } from '../wait.ts';
import { magicsOn } from '../wipe/commands.ts';
import { readTable } from './commands.ts';
import { isSameView, type KernelPartition, kernelPartitions } from './kernel.ts';
import { guidBytes, readRegions, regionsOf, savedRegion, saveRegions } from './regions.ts';
import { isSameTable, type Partition, type PartitionTable, tableSchema } from './schema.ts';

/** What the undo of every change of a table needs. */
export const changeUndo = z.strictObject({
  device: z.string(),
  /** Identity of the device, because its path may belong to another device later. */
  identity: z.string(),
  key: z.string(),
  /** Key of the object whose destruction destroys all of it. */
  container: z.string(),
  size: z.int().check(z.positive()),
  /** The previous table; null: the disk was blank. */
  old: z.nullable(tableSchema),
  /** The new table: every value in it is chosen before. */
  table: tableSchema,
  /** Number of the partition that is added or grown. */
  number: z.nullable(z.int().check(z.positive())),
  /** A witness of the content where the partition will be, or into which it will grow. */
  before: z.exactOptional(z.string()),
  /** The bytes of the old table, and those where the new one will be. */
  saved: z.array(savedRegion).check(z.minLength(1)),
});

export type ChangeUndo = z.infer<typeof changeUndo>;

/** What all changes of a table have in common. */
export const tableChange = {
  version: 1,
  undo: changeUndo,
  result: z.null(),
  lives: 'disk',
  restores: 'state',
  within: ({ undo: { container } }: { readonly undo: ChangeUndo }) => container,
  sync: ({ undo: of, host }: { readonly undo: ChangeUndo; readonly host: ChangeHost }) =>
    syncDevice(host, of),
  describe: ({ undo: of }: { readonly undo: ChangeUndo }) => changedRecovery(of),
} as const;

/** Returns all that the undo needs. */
export async function undoOf(
  host: ReadHost,
  of: {
    readonly device: string;
    readonly old: PartitionTable | null;
    readonly table: PartitionTable;
    readonly number: number | null;
    /** The range of the partition, in bytes of the device. */
    readonly gets?: { readonly from: Bytes; readonly to: Bytes };
  },
): Promise<ChangeUndo> {
  const { device, old, table, number, gets } = of;
  const node = await deviceNode(host, device);
  const size = await sizeOf(host, node);
  const { key, container, identity } = await identityOf(host, device);
  const type = table.type === 'dos' ? 'dos' : 'gpt';
  const regions = regionsOf({ type, sectorSize: table.sectorSize, size, old: old ?? undefined });
  const saved = await saveRegions(host, node.path, regions);
  const before = gets === undefined ? {} : { before: await partWitness(host, node.path, gets) };
  return { device, identity, key, container, size, old, table, number, ...before, saved: [...saved] };
}

/** The current state of a change. */
export interface Found {
  readonly node: DeviceNode;
  readonly bytes: 'unchanged' | 'changed';
  /**
   * `new`: as this change wrote it. `half-written`: this change has written only a part of it. If
   * other programs have changed the table since: `changed, new entry` has the entry of this change,
   * `changed, old entry` the one from before, `unrelated` neither.
   */
  readonly table: 'new' | 'half-written' | 'changed, new entry' | 'changed, old entry' | 'unrelated';
  /** Why the table is unrelated: content of others in its bytes, or a smaller device. */
  readonly other?: string;
  /** The device is larger than before the step, so that a table has its second copy elsewhere. */
  readonly grown: boolean;
  readonly kernel: readonly KernelPartition[];
}

/** Returns the state of a change. Undefined: the device is gone for good. */
export async function findChange(host: ReadHost, of: ChangeUndo): Promise<Found | undefined> {
  const path = await locate(host, { path: of.device, identity: of.identity });
  if (path === undefined) return undefined;
  const node = await deviceNode(host, path);
  const kernel = await kernelPartitions(host, node);
  const size = await sizeOf(host, node);
  const grown = size > of.size;
  if (size < of.size)
    return { node, kernel, grown, bytes: 'changed', table: 'unrelated', other: 'is smaller' };
  const regions = await readRegions(host, node.path, of.saved);
  const bytes = regions.every(({ now, was }) => now.equals(was)) ? 'unchanged' : 'changed';
  const other = bytes === 'unchanged' ? undefined : await otherContent(host, node.path, { of, regions });
  if (other !== undefined) return { node, kernel, grown, bytes, table: 'unrelated', other: `has ${other}` };
  const now = await host.run(readTable(node.path));
  // The former bytes would not restore a table whose second copy is at the new end of the device.
  if (grown && (await hasTableElsewhere(host, node.path, of)))
    return { node, kernel, grown, bytes, table: inChangedTable(now, of) };
  if (isSameTable(now, of.table)) return { node, kernel, grown, bytes, table: 'new' };
  const isBegun =
    of.old === null
      ? now === undefined && (await isPartOfNew(host, node.path, { of, regions }))
      : isSameTable(now, of.old);
  return { node, kernel, grown, bytes, table: isBegun ? 'half-written' : inChangedTable(now, of) };
}

/** Whether the step may act: nothing has changed since its intent. */
export function isUntouched(found: Found | undefined): found is Found {
  return found?.bytes === 'unchanged' && !found.grown;
}

/** Whether a copy of a table is outside of the saved bytes. */
async function hasTableElsewhere(host: ReadHost, device: string, { saved }: ChangeUndo): Promise<boolean> {
  // The magic of a dos table, at the end of the first sector, is saved.
  return (await host.run(magicsOn(device))).some(
    ({ usage, offset: at }) =>
      usage === 'partition-table' &&
      !saved.some(({ offset, length }) => at >= offset && at < offset + length),
  );
}

/**
 * Returns the type of content that others have created since in the bytes of the table: swap
 * destroys only the first copy of a gpt, metadata at the end of the device only the second one.
 */
async function otherContent(
  host: ReadHost,
  device: string,
  { of, regions }: { readonly of: ChangeUndo; readonly regions: Awaited<ReturnType<typeof readRegions>> },
): Promise<string | undefined> {
  const magics = await host.run(magicsOn(device));
  return magics.find(({ usage, offset, length }) => {
    if (usage === 'partition-table') return false;
    return of.saved.some((region, at) => {
      const from = offset - region.offset;
      if (from < 0 || from >= region.length) return false;
      const { now, was } = regions[at] ?? {};
      return now?.subarray(from, from + length).equals(was?.subarray(from, from + length) ?? now) === false;
    });
  })?.type;
}

/**
 * Whether an interrupted step has written a part of a new gpt: one copy is written after the other,
 * and its id, which only this sequence knows, shows whose it is. If the device has other content,
 * another program has formatted it since and has left the second copy. A dos table is one sector,
 * which is written completely or not at all.
 */
async function isPartOfNew(
  host: ReadHost,
  device: string,
  { of, regions }: { readonly of: ChangeUndo; readonly regions: Awaited<ReturnType<typeof readRegions>> },
): Promise<boolean> {
  if (of.table.type !== 'gpt') return false;
  if (!regions.some(({ now }) => now.includes(guidBytes(of.table.id)))) return false;
  const found = await recognise(host, device);
  return found === undefined || found.usage === 'partition-table';
}

function inChangedTable(now: PartitionTable | undefined, of: ChangeUndo): Found['table'] {
  if (of.number === null || now === undefined || now.type !== of.table.type || now.id !== of.table.id)
    return 'unrelated';
  const isAs = (table: PartitionTable | null): boolean => {
    const alone = (entry: Partition | undefined) => (entry === undefined ? [] : [entry]);
    const [one, other] = [entryOf(now, of.number), entryOf(table, of.number)];
    return isSameTable({ ...now, partitions: alone(one) }, { ...now, partitions: alone(other) });
  };
  if (isAs(of.table)) return 'changed, new entry';
  return isAs(of.old) ? 'changed, old entry' : 'unrelated';
}

/**
 * Whether other programs wrote to the partition after its first `from` bytes. Undefined if the
 * kernel does not have the partition.
 */
export async function partChanged(host: ReadHost, of: ChangeUndo, from: Bytes): Promise<Changed | undefined> {
  const [found, entry] = [await findChange(host, of), entryOf(of.table, of.number)];
  if (of.before === undefined || found === undefined || entry === undefined) return undefined;
  if (!kernelHas(found.kernel, of, entry)) return undefined;
  const part = pathOf(found.node.path, entry.number);
  if ((await partWitness(host, part, { from, to: entry.size })) === of.before) return undefined;
  const behind = from === 0 ? '' : ` after its first ${formatSize(from)}`;
  return { found: `others wrote to ${part}${behind}` };
}

/** Returns the entry of the changed partition in a table. */
export function entryOf(table: PartitionTable | null, number: number | null): Partition | undefined {
  return table?.partitions.find((each) => each.number === number);
}

/** Returns the path of a partition: with a `p` if the name of the disk ends in a digit. */
export function pathOf(disk: string, number: number): string {
  return `${disk}${/\d$/.test(disk) ? 'p' : ''}${String(number)}`;
}

/**
 * Whether the kernel has exactly that partition, or, if none is given, no partition with that
 * number.
 */
export function kernelHas(
  kernel: readonly KernelPartition[],
  of: ChangeUndo,
  entry: Partition | undefined,
): boolean {
  const now = kernel.filter(({ number }) => number === of.number);
  return isSameView(now, entry === undefined ? [] : [entry]);
}

/** Returns the state of a change; `hurt`: the holders that the undo would disturb. */
export async function lookAt(
  host: ReadHost,
  of: ChangeUndo,
  { found, hurt }: { readonly found: Found; readonly hurt: () => Promise<readonly Holder[]> },
): Promise<Look> {
  const { node, bytes, table, other, kernel } = found;
  const isBack = bytes === 'unchanged' || table === 'changed, old entry';
  if (isBack && kernelHas(kernel, of, entryOf(of.old, of.number))) return { state: 'gone' };
  if (bytes !== 'unchanged' && table === 'unrelated')
    return { state: 'not-ours', found: `${node.path} now ${other ?? 'has another partition table'}` };
  const moved = await movedFrom(host, node.path, of.key);
  return { state: 'ours', holders: await hurt(), ...moved };
}

/**
 * Waits until the kernel shows the partition, with its node: the kernel changes both at once, udev
 * follows. RefusedError on timeout.
 */
export async function untilKernelHas(
  host: ChangeHost,
  node: DeviceNode,
  of: ChangeUndo,
  entry: Partition | undefined,
): Promise<void> {
  const check = async (): Promise<boolean> => {
    if (!kernelHas(await kernelPartitions(host, node), of, entry)) return false;
    return entry === undefined || (await host.stat(pathOf(node.path, entry.number))) !== undefined;
  };
  if (await until({ check, limitMs: 2_000 })) return;
  throw new RefusedError(
    `the kernel has another partition ${String(of.number)} of ${node.path} than the table`,
    {
      remedy: `compare them: lsblk ${node.path}; sfdisk --list ${node.path}`,
    },
  );
}

/**
 * Returns the commands that show the changes to a partition table and restore the old one: byte for
 * byte, from the journal.
 */
function changedRecovery({ device, old, table, number, saved }: ChangeUndo): ManualRecovery {
  const part = table.partitions.find((each) => each.number === number);
  const before = old?.partitions.find((each) => each.number === number);
  const change =
    part === undefined
      ? `the empty ${table.type} table of id ${table.id}, on what was blank`
      : `partition ${String(number)} from byte ${String(part.start)}, ${String(part.size)} bytes long, which ${before === undefined ? 'was not there' : `had ${String(before.size)}`}`;
  const program = `printf '%s' "$1" | base64 --decode | perl -MCompress::Zlib -0777 -ne 'print uncompress($_)' | dd "of=$2" oflag=seek_bytes "seek=$3" conv=nocreat,notrunc,fsync`;
  return {
    what: `${change}, on ${device}`,
    look: [
      ['sfdisk', '--list', device],
      ['lsblk', device],
    ],
    clear: [
      ...(number === null || before !== undefined
        ? []
        : [['partx', '--delete', '--nr', String(number), device]]),
      ...saved.map(({ offset, content }) => ['sh', '-c', program, 'sh', content, device, String(offset)]),
      ...(before === undefined ? [] : [['partx', '--update', '--nr', String(number), device]]),
    ],
  };
}
