import * as api from '../../../../api/btrfs.ts';
import { parseSize } from '../../../../core/units.ts';
import type { Answer } from '../../../output/answer.ts';
import type { BtrfsLimited } from '../../../output/answers/index.ts';
import { printable } from '../../../output/text.ts';
import { change } from '../../../runtime/change.ts';
import { flag, verb } from '../../../runtime/verb.ts';
import { limitInWords } from './limit-in-words.ts';

export default verb({
  changes: true,
  answers: 'btrfs quota limit',
  args: {
    path: ['<subvolume>', 'path of the subvolume'],
    size: ['<size|none>', 'largest size, for example 10g, or none: no limit'],
  },
  options: { exclusive: flag('limit only the data that no other subvolume shares') },
  examples: ['btrfs quota limit /srv/data 100g', 'btrfs quota limit /srv/data none'],
  run: (runtime, { path, size, exclusive }) => {
    const what = exclusive ? 'exclusive' : 'referenced';
    const limit = size === 'none' ? null : parseSize(size);
    return change(runtime, {
      act: () => api.limitSubvolume({ path, what, limit }),
      answer: (data): Answer<BtrfsLimited> => ({
        data,
        lines: [
          `the limit of ${exclusive ? 'the exclusive data of ' : ''}${printable(path)} is ${limitInWords(data.limit)}; it was ${limitInWords(data.was)}`,
        ],
      }),
    });
  },
});
