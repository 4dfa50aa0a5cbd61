import * as block from '../../../../api/block.ts';
import { present } from '../../../../core/present.ts';
import type { Answer } from '../../../output/answer.ts';
import type { BlockPartitionTableCreate } from '../../../output/answers/index.ts';
import { printable } from '../../../output/text.ts';
import { change } from '../../../runtime/change.ts';
import { oneOf, value, verb } from '../../../runtime/verb.ts';

export default verb({
  changes: true,
  answers: 'block partition-table create',
  args: { device: ['<device>', 'blank disk, for example /dev/sdb'] },
  options: {
    type: value('<TYPE>', 'gpt or dos (default: gpt)', { read: oneOf('gpt', 'dos') }),
    id: value(
      '<ID>',
      'identifier of the table: a UUID for gpt, 0x and eight hex digits for dos (default: random)',
    ),
  },
  examples: ['block partition-table create /dev/sdb'],
  run: (runtime, { device, type = 'gpt', id }) =>
    change(runtime, {
      act: () => block.createPartitionTable({ device, type, ...present({ id }) }),
      answer: (data): Answer<BlockPartitionTableCreate> => ({
        data,
        lines: [`${printable(device)} has a ${data.type} table now, id ${data.id}`],
      }),
    }),
});
