import * as block from '../../../../api/block.ts';
import { UsageError } from '../../../../core/errors.ts';
import { formatSize } from '../../../../core/units.ts';
import type { Answer } from '../../../output/answer.ts';
import type { BlockPartitionGrow } from '../../../output/answers/index.ts';
import { printable } from '../../../output/text.ts';
import { change } from '../../../runtime/change.ts';
import { sizeOrMax } from '../../../runtime/sizes.ts';
import { verb } from '../../../runtime/verb.ts';

export default verb({
  changes: true,
  answers: 'block partition grow',
  args: {
    device: ['<device>', 'disk with the partition, for example /dev/sdb'],
    number: ['<number>', 'number of the partition, for example 1'],
    size: ['<size|max>', 'new size, for example 20g, or max: all free space after it'],
  },
  examples: ['block partition grow /dev/sdb 1 max'],
  run: (runtime, { device, number, size }) => {
    if (!/^[1-9]\d{0,2}$/.test(number)) throw new UsageError(`"${number}" is not a partition number`);
    const asked = { device, number: Number(number), size: sizeOrMax(size) };
    return change(runtime, {
      act: () => block.growPartition(asked),
      answer: (data): Answer<BlockPartitionGrow> => ({
        data,
        lines: [`${printable(data.path)} has ${formatSize(data.size)} now; it had ${formatSize(data.was)}`],
      }),
    });
  },
});
