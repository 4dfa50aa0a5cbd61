import * as block from '../../../../api/block.ts';
import { present } from '../../../../core/present.ts';
import { formatSize } from '../../../../core/units.ts';
import type { Answer } from '../../../output/answer.ts';
import type { BlockPartitionAdd } from '../../../output/answers/index.ts';
import { printable } from '../../../output/text.ts';
import { change } from '../../../runtime/change.ts';
import { sizeOrMax } from '../../../runtime/sizes.ts';
import { value, verb } from '../../../runtime/verb.ts';

export default verb({
  changes: true,
  answers: 'block partition add',
  args: {
    device: ['<device>', 'disk with a partition table, for example /dev/sdb'],
    size: ['<size|max>', 'size, for example 10g, or max: all of the largest free area'],
  },
  options: {
    type: value(
      '<TYPE>',
      'linux, swap, lvm, raid, esp, bios-boot, a GUID, or for dos a number (default: linux)',
    ),
    name: value('<NAME>', 'partition name; gpt only'),
    uuid: value('<UUID>', 'partition UUID; gpt only (default: random)'),
  },
  examples: ['block partition add /dev/sdb 10g', 'block partition add /dev/sdb max --type lvm'],
  run: (runtime, { size, ...typed }) => {
    const asked = { size: sizeOrMax(size), ...present(typed) };
    return change(runtime, {
      act: () => block.addPartition(asked),
      answer: (data): Answer<BlockPartitionAdd> => ({
        data,
        lines: [`created ${printable(data.path)}: ${formatSize(data.size)} at ${formatSize(data.start)}`],
      }),
    });
  },
});
