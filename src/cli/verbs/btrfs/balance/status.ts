import * as btrfs from '../../../../btrfs/index.ts';
import { give } from '../../../output/answer.ts';
import type { BtrfsBalance } from '../../../output/answers/index.ts';
import { printable } from '../../../output/text.ts';
import { openSession } from '../../../runtime/session.ts';
import { verb } from '../../../runtime/verb.ts';

export default verb({
  changes: false,
  answers: 'btrfs balance status',
  args: { path: ['<path>', 'directory on the filesystem'] },
  examples: ['btrfs balance status /srv'],
  run: async (runtime, { path }) => {
    const { bofh } = await openSession(runtime, { site: 'unused', root: 'needed' });
    const data: BtrfsBalance = await btrfs.balance(bofh.host, path);
    const lines =
      data.state === 'none'
        ? [`${printable(path)} has no balance`]
        : [
            data.leftPercent === null
              ? `the balance is ${data.state}; how much is left is unknown until it continues`
              : `the balance is ${data.state}: ${data.relocated} of about ${data.expected} block groups are relocated, ${data.leftPercent} % are left`,
          ];
    give(runtime, { data, lines });
    return 0;
  },
});
