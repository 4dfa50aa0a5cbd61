import * as filesystem from '../../../api/filesystem.ts';
import type { Answer } from '../../output/answer.ts';
import type { FilesystemTrim } from '../../output/answers/index.ts';
import { printable } from '../../output/text.ts';
import { change } from '../../runtime/change.ts';
import { verb } from '../../runtime/verb.ts';
import { sizeInWords } from './size-in-words.ts';

export default verb({
  changes: true,
  answers: 'filesystem trim',
  args: { path: ['<path|device>', 'path on a mounted filesystem, or its device'] },
  examples: ['filesystem trim /srv', 'filesystem trim /dev/vg0/web1'],
  run: (runtime, { path }) =>
    change(runtime, {
      act: () => filesystem.trim({ path }),
      answer: (data): Answer<FilesystemTrim> => ({
        data,
        lines: [
          `trimmed ${sizeInWords(data.trimmed)} of ${printable(data.device)}, mounted on ${printable(data.mounted)}`,
        ],
      }),
    }),
});
