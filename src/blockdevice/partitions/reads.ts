import type { ReadHost } from '../../command/index.ts';
import { formatSize } from '../../units.ts';
import { deviceNode } from '../node.ts';
import type { Signature } from '../schema.ts';
import { type PartitionTable, readTable } from './commands.ts';

/** Does blkid see a partition table there, alone or beside a filesystem? */
export function hasTable(found: Signature | undefined): boolean {
  return found !== undefined && (found.usage === 'partition-table' || found.ptType !== undefined);
}

/**
 * The partition table on a device; undefined where blkid has found none: sfdisk takes the start of a vfat for an empty one
 * (2.38).
 */
export async function tableOf(
  host: ReadHost,
  { device, found }: { readonly device: string; readonly found: Signature | undefined },
): Promise<PartitionTable | undefined> {
  if (!hasTable(found)) return undefined;
  return host.run(readTable((await deviceNode(host, device)).path));
}

/** In words: `gpt, with the partitions /dev/vdb1 (16 MiB) and /dev/vdb2 (8 MiB)`. */
export function tableInWords({ type, partitions }: PartitionTable): string {
  if (partitions.length === 0) return `${type}, without a partition`;
  const each = partitions.map(({ path, size }) => `${path} (${formatSize(size)})`);
  const last = each.at(-1) ?? '';
  if (each.length === 1) return `${type}, with the partition ${last}`;
  return `${type}, with the partitions ${each.slice(0, -1).join(', ')} and ${last}`;
}
