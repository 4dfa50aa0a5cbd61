import * as block from '../../../api/block.ts';
import type { Answer } from '../../output/answer.ts';
import type { BlockWipe } from '../../output/answers/index.ts';
import { printable } from '../../output/text.ts';
import { change } from '../../runtime/change.ts';
import { commaList, value, verb } from '../../runtime/verb.ts';

export default verb({
  changes: true,
  answers: 'block wipe',
  args: { device: ['<device>', 'block device, for example /dev/sdb'] },
  options: {
    overwrite: value(
      '<UUID|TYPE,…>',
      'all content on the device: the UUID of each filesystem, partition table or header, or its type if nothing else there has that type',
      { read: commaList },
    ),
  },
  examples: ['block wipe /dev/sdb --overwrite ext4'],
  run: (runtime, { device, overwrite = [] }) => {
    const names = overwrite.map(printable).join(', ');
    const loss = `the signatures on ${printable(device)} will be erased, and its content can then no longer be found: ${names}`;
    return change(runtime, {
      destroys: overwrite.length === 0 ? [] : [loss],
      checksFirst: true,
      act: () => block.wipe({ device, overwrite }),
      answer: ({ erased }): Answer<BlockWipe> => {
        const types = [...new Set(erased.map(({ type }) => type))];
        return {
          data: { device, erased: [...erased] },
          lines: [`${printable(device)} is blank now; erased: ${types.join(', ')}`],
        };
      },
    });
  },
});
