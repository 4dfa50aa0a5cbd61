import * as z from 'zod/mini';
import { operation } from '../../atomic/operation.ts';
import { RefusedError, UsageError } from '../../core/errors.ts';
import { option } from '../../core/option.ts';
import { holders, holdersOfWhole, namingHolders } from '../holders/index.ts';
import { refuseHeld } from '../in-use.ts';
import {
  type ChangeUndo,
  entryOf,
  findChange,
  type Found,
  isUntouched,
  kernelHas,
  lookAt,
  partChanged,
  pathOf,
  tableChange,
  undoOf,
  untilKernelHas,
} from './change.ts';
import { partitioned } from './disk.ts';
import { appendPartition, deletePartition, forgetPartition, tellKernel } from './commands.ts';
import { placeFor } from './layout.ts';
import { restoreRegions } from './regions.ts';
import type { Partition, PartitionTable } from './schema.ts';
import { typeIn } from './types.ts';
import { randomUuid } from '../../core/random.ts';

const args = z.strictObject({
  /** The whole disk, which has a partition table: `/dev/sdb`. */
  device: z.string().check(z.minLength(1)),
  /** In bytes, rounded up to whole MiB; `max`: the largest free run. */
  size: z.union([z.int().check(z.positive()), z.literal('max')], 'must be bytes, or max'),
  /**
   * `linux` (the default), `swap`, `lvm`, `raid`, `esp`, `bios-boot`, a GUID, or for dos a number.
   */
  type: z.exactOptional(z.string()),
  /** Only for gpt. */
  name: z.exactOptional(
    z.string().check(z.regex(/^[\w .+:@=-]{1,36}$/, 'a name of letters, digits and . + : @ = _ -, up to 36')),
  ),
  /** Only for gpt, in lower case (default: chosen by bofh). */
  uuid: z.exactOptional(
    z.string().check(z.regex(/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, 'a UUID in lower case')),
  ),
});

/** Adds a partition to a disk and to the kernel; other partitions of the disk may be in use. */
export const addPartition = operation({
  ...tableChange,
  kind: 'block.partition.add',
  args,
  prepare: async ({ args: asked, host, chosen }) => {
    const { device } = asked;
    const disk = await partitioned(host, device);
    await refuseHeld(host, device, await holdersOfWhole(host, device));
    const { type, table, node, size: room } = disk;
    if (type === 'dos' && (asked.name ?? asked.uuid) !== undefined)
      throw new UsageError('a partition of a dos table has neither a name nor a uuid');
    const number = freeNumber(device, table);
    const known = entryOf(chosen?.table ?? null, number)?.uuid;
    const entry: Partition = {
      ...{ number, path: pathOf(node.path, number) },
      ...placeFor(table, { device, room, size: asked.size }),
      type: typeIn(type, asked.type ?? 'linux'),
      uuid: type === 'dos' ? null : (known ?? asked.uuid ?? randomUuid()),
      ...{ name: asked.name ?? null, bootable: false, attributes: null },
    };
    if (table.partitions.some(({ uuid }) => uuid !== null && uuid === entry.uuid))
      throw new RefusedError(`${device} has a partition with the uuid ${entry.uuid ?? ''} already`, {
        remedy: `leave out ${option('--uuid', 'uuid')}: bofh then chooses one`,
      });
    const next = { ...table, partitions: [...table.partitions, entry] };
    return undoOf(host, {
      device,
      old: table,
      table: next,
      number,
      gets: { from: entry.start, to: entry.start + entry.size },
    });
  },
  claims: async ({ undo: { device, number, table }, on }) => {
    const { key, beneath } = await on(device);
    return { makes: [partKey(key, number)], changes: [key, `table:${table.id}`], needs: beneath };
  },
  contains: ({ undo: { key, number } }) => partKey(key, number),
  run: async ({ undo: of, host }) => {
    const [found, entry] = [await findChange(host, of), entryOf(of.table, of.number)];
    if (!isUntouched(found) || entry === undefined || !kernelHas(found.kernel, of, undefined))
      throw new RefusedError(`${of.device} has changed; nothing was written`, {
        remedy: `see its partitions: bofh block partitions ${of.device}; then run the command again`,
      });
    const { path } = found.node;
    await host.run(appendPartition(path, of.table.sectorSize, entry));
    await host.run(tellKernel(path, entry.number));
    await untilKernelHas(host, found.node, of, entry);
    return null;
  },
  value: ({ undo: { table, number } }) => valueOf(entryOf(table, number)),
  look: async ({ undo: of, host }) => {
    const found = await findChange(host, of);
    if (found === undefined) return { state: 'gone' };
    return lookAt(host, of, {
      found,
      hurt: async () => (hasPart(found, of) ? holders(host, partOf(found, of)) : []),
    });
  },
  content: {
    lost: 'undone',
    of: 'device',
    changed: async ({ undo: of, filled, host }) =>
      // Undone content leaves bytes behind.
      filled === 'never' ? partChanged(host, of, 0) : undefined,
  },
  revert: async ({ undo: of, host }) => {
    const found = await findChange(host, of);
    if (found === undefined || (found.bytes !== 'unchanged' && found.table === 'unrelated')) return;
    const { path } = found.node;
    if (hasPart(found, of)) {
      const part = partOf(found, of);
      await refuseHeld(host, part, await holders(host, part));
      await namingHolders(host, part, () => host.run(forgetPartition(path, of.number ?? 0)));
      await untilKernelHas(host, found.node, of, undefined);
    }
    // Changes that other programs have made meanwhile stay.
    if (found.table === 'changed, new entry') await host.run(deletePartition(path, of.number ?? 0));
    else if (found.table !== 'changed, old entry') await restoreRegions(host, path, of.saved);
  },
});

/** sfdisk uses the lowest free number. */
function freeNumber(device: string, { type, partitions }: PartitionTable): number {
  const taken = partitions.map(({ number }) => number);
  const most = type === 'gpt' ? 128 : 4;
  const free = Array.from({ length: most }, (_, at) => at + 1).find((number) => !taken.includes(number));
  if (free !== undefined) return free;
  throw new RefusedError(
    `${device} has ${String(most)} partitions, and a ${type} table has no space for more`,
    { code: 'no-space', remedy: 'enlarge one of them, or use another disk' },
  );
}

/** Returns the key of a partition, as in `keysOf`. */
function partKey(disk: string, number: number | null): string {
  return `${disk}-part${String(number)}`;
}

function hasPart({ kernel }: Found, of: ChangeUndo): boolean {
  return kernel.some(({ number }) => number === of.number);
}

function partOf({ node }: Found, of: ChangeUndo): string {
  return pathOf(node.path, of.number ?? 0);
}

function valueOf(entry: Partition | undefined) {
  if (entry === undefined) throw new TypeError('the new table does not have the partition that is added');
  const { number, path, start, size, uuid } = entry;
  return { number, path, start, size, uuid };
}
