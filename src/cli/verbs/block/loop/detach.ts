import * as block from '../../../../api/block.ts';
import type { Answer } from '../../../output/answer.ts';
import type { BlockLoopDetach } from '../../../output/answers/index.ts';
import { printable } from '../../../output/text.ts';
import { change } from '../../../runtime/change.ts';
import { verb } from '../../../runtime/verb.ts';

export default verb({
  changes: true,
  answers: 'block loop detach',
  args: { device: ['<device>', 'loop device, for example /dev/loop0'] },
  examples: ['block loop detach /dev/loop0'],
  run: (runtime, { device }) =>
    change(runtime, {
      act: () => block.detachLoop({ device }),
      answer: (data): Answer<BlockLoopDetach> => ({
        data,
        lines: [`${data.device} is detached from ${printable(data.file)}`],
      }),
    }),
});
