import * as api from '../../../api/btrfs.ts';
import type { Answer } from '../../output/answer.ts';
import type { BtrfsSet } from '../../output/answers/index.ts';
import { printable } from '../../output/text.ts';
import { change } from '../../runtime/change.ts';
import { oneOf, verb } from '../../runtime/verb.ts';

export default verb({
  changes: true,
  answers: 'btrfs set-mode',
  args: { path: ['<path>', 'path of the subvolume'], mode: ['<ro|rw>', 'ro: read-only; rw: writable'] },
  examples: ['btrfs set-mode /srv/data ro'],
  run: (runtime, { path, mode: typed }) => {
    const mode = oneOf('ro', 'rw')(typed, 'mode');
    return change(runtime, {
      act: () => api.setProperty({ path, mode }),
      answer: ({ mode: now, was }): Answer<BtrfsSet> => ({
        data: { path, now, was },
        lines: [`${printable(path)} is ${now}`],
      }),
    });
  },
});
