import * as api from '../../../../api/btrfs.ts';
import { UsageError } from '../../../../core/errors.ts';
import { present } from '../../../../core/present.ts';
import type { Answer } from '../../../output/answer.ts';
import type { BtrfsBalanced } from '../../../output/answers/index.ts';
import { change } from '../../../runtime/change.ts';
import { value, verb } from '../../../runtime/verb.ts';

export default verb({
  changes: true,
  answers: 'btrfs balance start',
  args: { path: ['<path>', 'directory on the filesystem'] },
  options: {
    dataUsage: value('<PERCENT>', 'only data block groups used up to this percentage', { read: percent }),
    metadataUsage: value('<PERCENT>', 'only metadata block groups used up to this percentage', {
      read: percent,
    }),
  },
  examples: ['btrfs balance start /srv --data-usage 50'],
  run: (runtime, typed) =>
    change(runtime, {
      act: () => api.balance(present(typed)),
      answer: (data): Answer<BtrfsBalanced> => ({
        data,
        lines: [`${data.relocated} of ${data.chunks} block groups were rewritten`],
      }),
    }),
});

function percent(text: string, name: string): number {
  if (/^(?:100|\d{1,2})$/.test(text)) return Number(text);
  throw new UsageError(`${name} ${text}: must be a percentage from 0 to 100`);
}
