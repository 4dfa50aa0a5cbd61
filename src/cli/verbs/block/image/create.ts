import * as block from '../../../../api/block.ts';
import { ensure } from '../../../../api/ensure.ts';
import { formatSize } from '../../../../core/units.ts';
import type { Answer } from '../../../output/answer.ts';
import type { BlockImageCreate } from '../../../output/answers/index.ts';
import { printable } from '../../../output/text.ts';
import { changeOrEnsure, ensureFlag } from '../../../runtime/ensure.ts';
import { pathOn } from '../../../runtime/session.ts';
import { flag, verb } from '../../../runtime/verb.ts';

export default verb({
  changes: true,
  args: { file: '<file>', size: '<size>' },
  options: { allocate: flag('allocate all of its space now'), ensure: ensureFlag('allocate') },
  examples: ['block image create /srv/disk.img 10g'],
  run: (runtime, { file, size, allocate, ensure: isEnsured }) => {
    const room = allocate ? 'allocated' : 'sparse';
    const asked = { file: pathOn(runtime, file), size };
    return changeOrEnsure(runtime, isEnsured, {
      root: 'not-needed',
      create: () => block.createImage({ ...asked, room }),
      ensure: () => ensure.block.createImage(asked),
      answer: (made, changed): Answer<BlockImageCreate> => ({
        // How much of an existing one is allocated is not read.
        data: { ...made, room: changed ? room : null },
        lines: [
          changed
            ? `created ${printable(made.file)}: ${formatSize(made.size)}, ${room}`
            : `${printable(made.file)}: ${formatSize(made.size)}`,
        ],
      }),
    });
  },
});
