import * as mount from '../../../../api/mount.ts';
import { withBofh } from '../../../../bofh.ts';
import { give } from '../../../output/answer.ts';
import type { CrypttabList } from '../../../output/answers/index.ts';
import { openSession } from '../../../runtime/session.ts';
import { verb } from '../../../runtime/verb.ts';
import { showUnread } from '../unread-lines.ts';

export default verb({
  changes: false,
  answers: 'mount crypttab list',
  table: true,
  examples: ['mount crypttab list'],
  run: async (runtime) => {
    const { bofh } = await openSession(runtime, { site: 'unused', root: 'not-needed' });
    const { lines, unread } = await withBofh(bofh, () => mount.crypttab());
    const read = lines.map(({ number, name, device, key, options }) => ({
      ...{ line: number, name, device, key, options: [...options], unreadable: null },
    }));
    const others = unread.map(({ number, why }) => ({
      ...{ line: number, name: null, device: null, key: null, options: [], unreadable: why },
    }));
    const data: CrypttabList = [...read, ...others].toSorted((one, other) => one.line - other.line);
    give(runtime, {
      data,
      head: ['LINE', 'NAME', 'DEVICE', 'KEY', 'OPTIONS'],
      rows: data.map((each) => [
        ...[String(each.line), each.name ?? 'could not be parsed', each.device ?? '', each.key ?? ''],
        each.options.join(','),
      ]),
      none: '/etc/crypttab has no line, or does not exist',
    });
    showUnread(runtime, '/etc/crypttab', unread);
    return 0;
  },
});
