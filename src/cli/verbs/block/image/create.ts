import * as block from '../../../../api/block.ts';
import { formatSize } from '../../../../core/units.ts';
import type { Answer } from '../../../output/answer.ts';
import type { BlockImageCreate } from '../../../output/answers/index.ts';
import { printable } from '../../../output/text.ts';
import { change } from '../../../runtime/change.ts';
import { pathOn } from '../../../runtime/session.ts';
import { flag, verb } from '../../../runtime/verb.ts';

export default verb({
  changes: true,
  args: { file: '<file>', size: '<size>' },
  options: { allocate: flag('allocate all of its space now') },
  examples: ['block image create /srv/disk.img 10g'],
  run: (runtime, { file, size, allocate }) => {
    const room = allocate ? 'allocated' : 'sparse';
    return change(runtime, {
      act: () => block.createImage({ file: pathOn(runtime, file), size, room }),
      answer: (made): Answer<BlockImageCreate> => ({
        data: { ...made, room },
        lines: [`created ${printable(made.file)}: ${formatSize(made.size)}, ${room}`],
      }),
    });
  },
});
