import type { ReadHost } from '../../command/index.ts';
import { RefusedError } from '../../core/errors.ts';
import { type DeviceNode, deviceNode, kernelText, sizeOf } from '../node.ts';
import { readTable } from './commands.ts';
import { isSameView, kernelPartitions } from './kernel.ts';
import type { PartitionTable } from './schema.ts';
import { isExtended } from './types.ts';

/** A disk with a table that bofh can change, and that matches the kernel's partitions. */
export interface Partitioned {
  readonly node: DeviceNode;
  readonly size: number;
  readonly type: 'gpt' | 'dos';
  readonly table: PartitionTable;
}

/** RefusedError for a device that cannot have partitions in the kernel. */
export async function refusePartless(host: ReadHost, { path, number }: DeviceNode): Promise<void> {
  const sys = `/sys/dev/block/${number}`;
  const why =
    (await kernelText(host, `${sys}/partition`)) !== undefined
      ? 'is itself a partition'
      : (await kernelText(host, `${sys}/dm/name`)) === undefined
        ? undefined
        : 'is a device-mapper device, on which the kernel creates no partitions';
  if (why !== undefined)
    throw new RefusedError(`${path} ${why}`, { remedy: 'name a whole disk; see them: lsblk' });
}

/** Returns the table of a disk, if it can be changed; the kernel's partitions must match it. */
export async function partitioned(host: ReadHost, device: string): Promise<Partitioned> {
  const node = await deviceNode(host, device);
  await refusePartless(host, node);
  const table = await host.run(readTable(node.path));
  if (table === undefined)
    throw new RefusedError(`${device} has no partition table`, {
      remedy: `create one first: bofh block partition-table create ${device}`,
    });
  const { type } = table;
  if (
    (type !== 'gpt' && type !== 'dos') ||
    table.partitions.some((each) => type === 'dos' && isExtended(each.type))
  )
    throw new RefusedError(
      `${device} has a ${type} table that bofh does not change: it supports gpt, and dos without an extended partition`,
      {
        remedy: `change it by hand: sfdisk ${device}`,
      },
    );
  if (table.usable !== null && table.usable.from < 2 * table.sectorSize + 128 * 128)
    throw new RefusedError(
      `${device} has a gpt with room for fewer than 128 partitions, which bofh does not change`,
      {
        remedy: `change it by hand: sfdisk ${device}`,
      },
    );
  const kernel = await kernelPartitions(host, node);
  if (!isSameView(kernel, table.partitions))
    throw new RefusedError(
      `the partitions of ${device} in the kernel differ from its partition table; nothing was changed`,
      {
        remedy: `compare them: lsblk ${device}; sfdisk --list ${device}; then tell the kernel: partx --update ${device}`,
      },
    );
  return { node, size: await sizeOf(host, node), type, table };
}
