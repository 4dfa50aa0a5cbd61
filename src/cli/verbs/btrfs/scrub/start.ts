import * as api from '../../../../api/btrfs.ts';
import { formatSize } from '../../../../core/units.ts';
import type { Answer } from '../../../output/answer.ts';
import type { BtrfsScrubbed } from '../../../output/answers/index.ts';
import { printable } from '../../../output/text.ts';
import { change } from '../../../runtime/change.ts';
import { verb } from '../../../runtime/verb.ts';

export default verb({
  changes: true,
  answers: 'btrfs scrub start',
  args: { path: ['<path>', 'directory on the filesystem'] },
  examples: ['btrfs scrub start /srv'],
  run: (runtime, { path }) =>
    change(runtime, {
      act: () => api.scrub({ path }),
      answer: (data): Answer<BtrfsScrubbed> => ({
        data,
        lines: [
          `no errors in ${formatSize(data.dataBytes)} of data and ${formatSize(data.metadataBytes)} of metadata of ${printable(path)}`,
        ],
      }),
    }),
});
