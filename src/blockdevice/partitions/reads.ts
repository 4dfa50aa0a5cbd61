import type { ReadHost } from '../../command/index.ts';
import { RefusedError } from '../../core/errors.ts';
import { type Bytes, formatSize } from '../../core/units.ts';
import { deviceNode, sizeOf } from '../node.ts';
import { probe } from '../probe.ts';
import type { Signature } from '../schema.ts';
import { type Partition, type PartitionTable, readTable } from './commands.ts';
import { isSameView, kernelPartitions } from './kernel.ts';
import { freeRooms } from './layout.ts';

/** Whether blkid sees a partition table, alone or besides a filesystem. */
export function hasTable(found: Signature | undefined): boolean {
  return found !== undefined && (found.usage === 'partition-table' || found.ptType !== undefined);
}

/**
 * Returns the partition table on a device; undefined if blkid finds none, because sfdisk mistakes
 * the start of a vfat for an empty table (2.38).
 */
export async function tableOf(
  host: ReadHost,
  { device, found }: { readonly device: string; readonly found: Signature | undefined },
): Promise<PartitionTable | undefined> {
  if (!hasTable(found)) return undefined;
  return host.run(readTable((await deviceNode(host, device)).path));
}

/** A table, and for each of its partitions whether the kernel has the same one. */
export interface PartitionsOf extends Omit<PartitionTable, 'partitions' | 'usable'> {
  readonly device: string;
  readonly partitions: readonly (Partition & {
    /** `other`: the kernel has it with another start or size. */
    readonly kernel: 'same' | 'other' | 'missing';
  })[];
  /** Numbers of partitions that only the kernel has, not the table. */
  readonly stale: readonly number[];
  /** Free runs of whole MiB; null for a type that bofh does not change. */
  readonly free: readonly { readonly start: Bytes; readonly size: Bytes }[] | null;
}

/** Returns the table on a device, and the kernel's partitions. RefusedError if it has no table. */
export async function partitionsOf(host: ReadHost, device: string): Promise<PartitionsOf> {
  const node = await deviceNode(host, device);
  const found = await probe(host, device);
  const table = await tableOf(host, { device, found });
  if (table === undefined)
    throw new RefusedError(`${device} has no partition table`, {
      remedy: `see what it holds: bofh block tree ${device}`,
    });
  const kernel = await kernelPartitions(host, node);
  const { type, id, sectorSize, partitions } = table;
  const isChanged = type === 'gpt' || type === 'dos';
  const rooms = isChanged ? freeRooms(table, await sizeOf(host, node)) : null;
  return {
    ...{ device, type, id, sectorSize },
    partitions: partitions.map((each) => {
      const now = kernel.find(({ number }) => number === each.number);
      const state = now === undefined ? 'missing' : isSameView([now], [each]) ? 'same' : 'other';
      return { ...each, kernel: state };
    }),
    stale: kernel
      .filter(({ number }) => !partitions.some((each) => each.number === number))
      .map(({ number }) => number),
    free: rooms?.map(({ from, to }) => ({ start: from, size: to - from })) ?? null,
  };
}

/** Describes a table: `gpt, with the partitions /dev/vdb1 (16 MiB) and /dev/vdb2 (8 MiB)`. */
export function tableInWords({ type, partitions }: PartitionTable): string {
  if (partitions.length === 0) return `${type}, without a partition`;
  const each = partitions.map(({ path, size }) => `${path} (${formatSize(size)})`);
  const last = each.at(-1) ?? '';
  if (each.length === 1) return `${type}, with the partition ${last}`;
  return `${type}, with the partitions ${each.slice(0, -1).join(', ')} and ${last}`;
}

/**
 * RefusedError that lists the partitions of a device, if it has any: they cannot be overwritten,
 * even if named.
 */
export async function refusePartitioned(
  host: ReadHost,
  { device, found }: { readonly device: string; readonly found: Signature | undefined },
): Promise<void> {
  const table = await tableOf(host, { device, found });
  if (table === undefined || table.partitions.length === 0) return;
  throw new RefusedError(`${device} has a partition table (${tableInWords(table)}); nothing was written`, {
    remedy: `name one of its partitions; or see their content: bofh block tree ${device}; then delete those that are not needed: sfdisk --delete ${device} NUMBER`,
  });
}
