import * as block from '../../../api/block.ts';
import { withBofh } from '../../../bofh.ts';
import { formatSize } from '../../../core/units.ts';
import { give } from '../../output/answer.ts';
import type { BlockPartitions } from '../../output/answers/index.ts';
import { printable } from '../../output/text.ts';
import { openSession } from '../../runtime/session.ts';
import { verb } from '../../runtime/verb.ts';

export default verb({
  changes: false,
  answers: 'block partitions',
  args: { device: ['<device>', 'disk with a partition table, for example /dev/sdb'] },
  examples: ['block partitions /dev/sdb'],
  run: async (runtime, { device }) => {
    const { bofh } = await openSession(runtime, { site: 'unused', root: 'not-needed' });
    const data: BlockPartitions = await withBofh(bofh, () => block.partitions(device));
    give(runtime, { data, lines: inWords(data) });
    return 0;
  },
});

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
