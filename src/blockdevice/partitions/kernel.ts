import { namesIn, type ReadHost } from '../../command/index.ts';
import { ParseError } from '../../core/errors.ts';
import type { Bytes } from '../../core/units.ts';
import { kernelText, type DeviceNode } from '../node.ts';
import type { Partition } from './commands.ts';

/** A partition in the kernel. */
export interface KernelPartition {
  readonly number: number;
  readonly start: Bytes;
  readonly size: Bytes;
}

/**
 * Returns the kernel's partition devices of a disk, by their number; sysfs counts in units of 512
 * bytes.
 */
export async function kernelPartitions(
  host: ReadHost,
  { number: node }: DeviceNode,
): Promise<readonly KernelPartition[]> {
  const found: KernelPartition[] = [];
  const sys = `/sys/dev/block/${node}`;
  for (const name of await namesIn(host, sys)) {
    const number = await kernelText(host, `${sys}/${name}/partition`);
    if (number === undefined) continue;
    const [start, size] = [
      await sectors(host, `${sys}/${name}/start`),
      await sectors(host, `${sys}/${name}/size`),
    ];
    found.push({ number: Number(number), start, size });
  }
  return found.toSorted((one, other) => one.number - other.number);
}

/** Whether the kernel has exactly the partitions of the table. */
export function isSameView(kernel: readonly KernelPartition[], table: readonly Partition[]): boolean {
  const line = ({ number, start, size }: KernelPartition): string => `${number} ${start} ${size}`;
  return kernel.map(line).sort().join() === table.map(line).sort().join();
}

async function sectors(host: ReadHost, file: string): Promise<Bytes> {
  const text = await kernelText(host, file);
  if (text === undefined || !/^\d+$/.test(text))
    throw new ParseError(`${file}: no number of sectors in ${JSON.stringify(text)}`);
  return Number(text) * 512;
}
