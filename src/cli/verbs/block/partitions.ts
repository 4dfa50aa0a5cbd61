import * as block from '../../../api/block.ts';
import { withBofh } from '../../../bofh.ts';
import { UsageError } from '../../../core/errors.ts';
import { formatSize } from '../../../core/units.ts';
import { type Answer, give } from '../../output/answer.ts';
import type {
  BlockPartitionAdd,
  BlockPartitionGrow,
  BlockPartitions,
  BlockPartitionTableCreate,
} from '../../output/answers/index.ts';
import { change } from '../../runtime/change.ts';
import type { Options } from '../../runtime/options.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { openSession } from '../../runtime/session.ts';
import { sizeAmong } from '../../runtime/sizes.ts';
import { printable } from '../../output/text.ts';

/** `bofh block partitions DEVICE` */
export async function list(runtime: Runtime, device: string): Promise<number> {
  const { bofh } = await openSession(runtime, { site: 'unused', root: 'not-needed' });
  const data: BlockPartitions = await withBofh(bofh, () => block.partitions(device));
  give(runtime, { data, lines: inWords(data) });
  return 0;
}

function inWords({ device, type, id, partitions, stale, free }: BlockPartitions): readonly string[] {
  const known = { same: '', other: ' (the kernel has another one)', missing: ' (not in the kernel)' };
  const width = Math.max(0, ...partitions.map(({ path }) => path.length));
  return [
    `${printable(device)}: ${type} ${id}`,
    ...partitions.map(({ path, start, size, type: of, name, kernel }) => {
      const named = name === null ? '' : ` "${printable(name)}"`;
      return `${printable(path).padEnd(width)}  ${formatSize(size).padStart(10)} at ${formatSize(start)}, type ${of}${named}${known[kernel]}`;
    }),
    ...stale.map((number) => `the kernel still has partition ${String(number)}, which is not in the table`),
    ...(free ?? []).map(({ start, size }) => `free: ${formatSize(size)} at ${formatSize(start)}`),
  ];
}

/** `bofh block partition-table create DEVICE` */
export async function createTable(runtime: Runtime, device: string, options: Options): Promise<number> {
  const { type = 'gpt', id } = options;
  if (type !== 'gpt' && type !== 'dos')
    throw new UsageError(`--type ${String(type)}: bofh makes gpt and dos tables`);
  const asked = { device, type, ...(typeof id === 'string' ? { id } : {}) } as const;
  return change(runtime, {
    act: () => block.createPartitionTable(asked),
    answer: (data): Answer<BlockPartitionTableCreate> => ({
      data,
      lines: [`${printable(device)} has a ${data.type} table now, id ${data.id}`],
    }),
  });
}

/** `bofh block partition add DEVICE SIZE|max` */
export async function add(
  runtime: Runtime,
  [device = '', size = '']: readonly string[],
  options: Options,
): Promise<number> {
  const said = (key: string) => (typeof options[key] === 'string' ? { [key]: options[key] } : {});
  const more = { ...said('type'), ...said('name'), ...said('uuid') };
  const asked = { device, size: size === 'max' ? size : sizeAmong(size, '20g or max'), ...more } as const;
  return change(runtime, {
    act: () => block.addPartition(asked),
    answer: (data): Answer<BlockPartitionAdd> => ({
      data,
      lines: [`${printable(data.path)} is made: ${formatSize(data.size)} at ${formatSize(data.start)}`],
    }),
  });
}

/** `bofh block partition grow DEVICE NUMBER SIZE|max` */
export async function grow(
  runtime: Runtime,
  [device = '', which = '', size = '']: readonly string[],
): Promise<number> {
  if (!/^[1-9]\d{0,2}$/.test(which)) throw new UsageError(`"${which}" is no number of a partition`);
  const asked = {
    device,
    number: Number(which),
    size: size === 'max' ? size : sizeAmong(size, '20g or max'),
  } as const;
  return change(runtime, {
    act: () => block.growPartition(asked),
    answer: (data): Answer<BlockPartitionGrow> => ({
      data,
      lines: [`${printable(data.path)} has ${formatSize(data.size)} now; it had ${formatSize(data.was)}`],
    }),
  });
}
