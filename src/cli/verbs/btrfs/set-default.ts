import * as api from '../../../api/btrfs.ts';
import type { Answer } from '../../output/answer.ts';
import type { BtrfsSet } from '../../output/answers/index.ts';
import { change } from '../../runtime/change.ts';
import { verb } from '../../runtime/verb.ts';

export default verb({
  changes: true,
  answers: 'btrfs set-default',
  args: { path: ['<path>', 'path of the subvolume'] },
  examples: ['btrfs set-default /srv/data'],
  run: (runtime, { path }) =>
    change(runtime, {
      act: () => api.setDefaultSubvolume({ path }),
      answer: ({ id, was }): Answer<BtrfsSet> => ({
        data: { path, now: String(id), was: String(was) },
        lines: [`the default is subvolume ${id}; it was ${was}`],
      }),
    }),
});
