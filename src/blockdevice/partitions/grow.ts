import * as z from 'zod/mini';
import { operation } from '../../atomic/operation.ts';
import type { ReadHost } from '../../command/index.ts';
import { type Holder, RefusedError } from '../../core/errors.ts';
import { formatSize } from '../../core/units.ts';
import { holdersOfWhole } from '../holders/index.ts';
import { inUse, refuseHeld } from '../in-use.ts';
import { usersBeyond } from '../reach.ts';
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
import { setPartitionSize, tellKernel } from './commands.ts';
import { mostOf } from './layout.ts';
import { restoreRegions } from './regions.ts';
import type { Partition } from './schema.ts';

const args = z.strictObject({
  /** The whole disk. */
  device: z.string().check(z.minLength(1)),
  /** Number of the partition: 2 for `/dev/sdb2`. */
  number: z.int().check(z.positive()),
  /** In bytes, rounded up to whole MiB; `max`: up to the next partition, or the end of the disk. */
  size: z.union([z.int().check(z.positive()), z.literal('max')], 'must be bytes, or max'),
});

/** Grows a partition in place, also while it is in use. Its content keeps its size. */
export const growPartition = operation({
  ...tableChange,
  kind: 'block.partition.grow',
  args,
  prepare: async ({ args: { device, number, size: asked }, host }) => {
    const { table, size: room } = await partitioned(host, device);
    await refuseHeld(host, device, await holdersOfWhole(host, device));
    const old = entryOf(table, number);
    if (old === undefined)
      throw new RefusedError(`${device} has no partition ${String(number)}`, {
        remedy: `see its partitions: bofh block partitions ${device}`,
      });
    const most = mostOf(table, number, room);
    const size = asked === 'max' ? most : Math.ceil(asked / 1024 ** 2) * 1024 ** 2;
    if (size <= old.size)
      throw new RefusedError(
        asked === 'max'
          ? `there is no free space after ${old.path}, which has ${formatSize(old.size)}`
          : `${old.path} already has ${formatSize(old.size)}: bofh can only enlarge a partition`,
        {
          code: asked === 'max' ? 'no-space' : 'invalid',
          remedy: `see the free space: sfdisk --list-free ${device}`,
        },
      );
    if (size > most)
      throw new RefusedError(
        `${old.path} can have at most ${formatSize(most)}, but ${formatSize(size)} was requested`,
        { code: 'no-space', remedy: 'use a smaller size, or max' },
      );
    const partitions = table.partitions.map((each) => (each === old ? { ...old, size } : each));
    const gets = { from: old.start + old.size, to: old.start + size };
    return undoOf(host, { device, old: table, table: { ...table, partitions }, number, gets });
  },
  claims: async ({ undo: { device, number, table }, on }) => {
    const { key, beneath } = await on(device);
    return { changes: [key, `${key}-part${String(number)}`, `table:${table.id}`], needs: beneath };
  },
  run: async ({ undo: of, host }) => {
    const [found, [old, entry]] = [await findChange(host, of), entriesOf(of)];
    if (!isUntouched(found) || !kernelHas(found.kernel, of, old))
      throw new RefusedError(`${of.device} has changed; nothing was written`, {
        remedy: `see its partitions: bofh block partitions ${of.device}; then run the command again`,
      });
    const { path } = found.node;
    await host.run(setPartitionSize(path, of.table.sectorSize, entry));
    await host.run(tellKernel(path, entry.number));
    await untilKernelHas(host, found.node, of, entry);
    return null;
  },
  value: ({ undo: of }) => {
    const [old, { number, path, size }] = entriesOf(of);
    return { number, path, was: old.size, size };
  },
  look: async ({ undo: of, host }) => {
    const found = await findChange(host, of);
    if (found === undefined) return { state: 'gone' };
    return lookAt(host, of, { found, hurt: () => beyond(host, found, of) });
  },
  content: {
    lost: 'undone',
    of: 'device',
    changed: async ({ undo: of, touched, host }) =>
      // If the sequence has written here (and later shrank the layer above), old bytes remain, so
      // these are not compared.
      touched ? undefined : partChanged(host, of, entriesOf(of)[0].size),
  },
  revert: async ({ undo: of, host }) => {
    const found = await findChange(host, of);
    if (found === undefined || (found.bytes !== 'unchanged' && found.table === 'unrelated')) return;
    const who = await beyond(host, found, of);
    const part = pathOf(found.node.path, of.number ?? 0);
    if (who.length > 0) throw inUse(part, who);
    const { path } = found.node;
    const [old] = entriesOf(of);
    // Keeps what other programs have changed in the table meanwhile.
    if (found.table === 'changed, new entry')
      await host.run(setPartitionSize(path, of.table.sectorSize, old));
    else if (found.table !== 'changed, old entry') await restoreRegions(host, path, of.saved);
    if (!kernelHas(found.kernel, of, old)) await host.run(tellKernel(found.node.path, old.number));
    await untilKernelHas(host, found.node, of, old);
  },
});

/**
 * Returns the holders of the space that the undo removes. Empty if the kernel still has the old
 * size.
 */
async function beyond(host: ReadHost, { kernel, node }: Found, of: ChangeUndo): Promise<readonly Holder[]> {
  const [old] = entriesOf(of);
  const now = kernel.find(({ number }) => number === of.number);
  if (now === undefined || now.size <= old.size) return [];
  return usersBeyond(host, pathOf(node.path, old.number), old.size);
}

function entriesOf(of: ChangeUndo): readonly [old: Partition, entry: Partition] {
  const [old, entry] = [entryOf(of.old, of.number), entryOf(of.table, of.number)];
  if (old === undefined || entry === undefined) throw new TypeError('the partition is not in both tables');
  return [old, entry];
}
