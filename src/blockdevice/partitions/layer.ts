import type { ReadHost } from '../../command/index.ts';
import { ParseError, RefusedError, ToolError } from '../../core/errors.ts';
import type { Bytes } from '../../core/units.ts';
import type { GraphDevice } from '../graph.ts';
import { nodeNamed } from '../holders/device.ts';
import { inWords, remedyFor, holdersOfWhole } from '../holders/index.ts';
import { fixed, type Layer, type Limits, type May } from '../layer.ts';
import { kernelText } from '../node.ts';
import { partitioned } from './disk.ts';
import { grain, mostOf } from './layout.ts';
import { present } from '../../core/present.ts';

/** The part of `tx` that resizes a partition. */
interface Resizing {
  readonly block: {
    readonly growPartition: (args: {
      readonly device: string;
      readonly number: number;
      readonly size: Bytes;
    }) => Promise<{ readonly size: Bytes }>;
  };
}

/** A partition, whatever the type of its table; with gpt and dos it can grow in place. */
export const partition: Layer<Resizing> = {
  name: 'partition',
  of: 'device',
  recognises: ({ device }) => device.kind === 'partition',
  tell: async ({ device }) => ({ size: device.size }),
  limits: async ({ host, device }) => {
    try {
      return await limitsOf(host, device);
    } catch (error) {
      // bofh cannot change this type of table, but the content can be resized within the partition.
      if (!(error instanceof RefusedError || error instanceof ToolError)) throw error;
      return fixedFor(device, error.message, error.remedy);
    }
  },
  resize: async (tx, { host, device }, { size }) => {
    const made = await tx.block.growPartition({ ...(await placeOf(host, device)), size });
    return { size: made.size, when: 'now' };
  },
};

async function limitsOf(host: ReadHost, device: GraphDevice): Promise<Limits> {
  const { device: disk, number } = await placeOf(host, device);
  const { table, size: room } = await partitioned(host, disk);
  const who = await holdersOfWhole(host, disk);
  if (who.length > 0) return fixedFor(device, `${disk} is in use: ${inWords(who)}`, remedyFor(who));
  const most = mostOf(table, number, room);
  if (most <= device.size)
    return fixedFor(
      device,
      'there is no free space after it',
      `see the free space: bofh block partitions ${disk}`,
    );
  return {
    ...{ size: device.size, granularity: grain, overhead: 0 },
    smallest: { size: device.size, why: neverSmaller },
    largest: { size: most, why: 'up to the next partition, or the end of the disk' },
    ...{ grow: { may: true }, shrink: { may: false, why: neverSmaller } },
  };
}

const neverSmaller = 'bofh can only enlarge a partition';

function fixedFor(device: GraphDevice, why: string, remedy: string | undefined): Limits {
  const grow: May = { may: false, why, ...present({ remedy }) };
  return { ...fixed(device.size, why), grow, shrink: { may: false, why: neverSmaller } };
}

/** Returns its disk and its number there, from the kernel. */
async function placeOf(
  host: ReadHost,
  { name, number, below }: GraphDevice,
): Promise<{ readonly device: string; readonly number: number }> {
  const [disk, ...more] = below;
  const own = (await kernelText(host, `/sys/dev/block/${number}/partition`)) ?? '';
  if (disk === undefined || more.length > 0 || !/^[1-9]\d*$/.test(own))
    throw new ParseError(`the kernel does not show the disk and the number of the partition ${name}`);
  return { device: nodeNamed(disk), number: Number(own) };
}
