import * as btrfs from '../../../../btrfs/index.ts';
import { formatSize } from '../../../../core/units.ts';
import { give } from '../../../output/answer.ts';
import type { BtrfsQuota } from '../../../output/answers/index.ts';
import { openSession } from '../../../runtime/session.ts';
import { verb } from '../../../runtime/verb.ts';
import { limitInWords } from './limit-in-words.ts';

export default verb({
  changes: false,
  answers: 'btrfs quota show',
  table: true,
  args: { path: ['<path>', 'directory on the filesystem'] },
  examples: ['btrfs quota show /srv'],
  run: async (runtime, { path }) => {
    const { bofh } = await openSession(runtime, { site: 'unused', root: 'needed' });
    const found = await btrfs.quota(bofh.host, path);
    const groups = found.mode === 'off' ? [] : found.groups;
    const data: BtrfsQuota = {
      mode: found.mode,
      state: found.mode === 'off' ? null : found.state,
      groups: groups.map(({ id, referenced, exclusive, maxReferenced, maxExclusive }) => ({
        ...{ id, referenced, exclusive },
        maxReferenced: maxReferenced ?? null,
        maxExclusive: maxExclusive ?? null,
      })),
    };
    give(runtime, {
      data,
      head: ['GROUP', 'REFERENCED', 'LIMIT', 'EXCLUSIVE', 'EXCLUSIVE LIMIT'],
      rows: data.groups.map((each) => [
        each.id,
        formatSize(each.referenced),
        limitInWords(each.maxReferenced),
        formatSize(each.exclusive),
        limitInWords(each.maxExclusive),
      ]),
      none: 'quota accounting is disabled',
    });
    if (data.state !== null && data.state !== 'exact' && runtime.settings.answer !== 'json')
      runtime.terminal.line(doubts[data.state]);
    return 0;
  },
});

const doubts = {
  counting: 'these numbers are not complete: they are still being counted',
  inconsistent: 'do not trust these numbers until they are counted again: btrfs quota rescan',
  stale: 'do not trust these numbers: quota accounting was disabled after they were counted',
} as const;
