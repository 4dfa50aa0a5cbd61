import * as mount from '../../../../api/mount.ts';
import { withBofh } from '../../../../bofh.ts';
import { give } from '../../../output/answer.ts';
import type { FstabList } from '../../../output/answers/index.ts';
import { openSession } from '../../../runtime/session.ts';
import { verb } from '../../../runtime/verb.ts';
import { showUnread } from '../unread-lines.ts';

export default verb({
  changes: false,
  answers: 'mount fstab list',
  table: true,
  examples: ['mount fstab list'],
  run: async (runtime) => {
    const { bofh } = await openSession(runtime, { site: 'unused', root: 'not-needed' });
    const { lines, unread } = await withBofh(bofh, () => mount.fstab());
    const read = lines.map(({ number, source, target, type, options, dump, pass, secret }) => ({
      ...{ line: number, device: source, path: target, type, dump, pass },
      ...{ options: secret ? options.map(withoutValue) : [...options], unreadable: null },
    }));
    const others = unread.map(({ number, why }) => ({
      ...{ line: number, device: null, path: null, type: null, dump: null, pass: null },
      ...{ options: [], unreadable: why },
    }));
    const data: FstabList = [...read, ...others].toSorted((one, other) => one.line - other.line);
    give(runtime, {
      data,
      head: ['LINE', 'DEVICE', 'PATH', 'TYPE', 'OPTIONS', 'DUMP', 'PASS'],
      rows: data.map((each) => [
        String(each.line),
        each.device ?? 'could not be parsed',
        each.path ?? '',
        each.type ?? '',
        each.options.join(','),
        each.dump?.toString() ?? '',
        each.pass?.toString() ?? '',
      ]),
      none: '/etc/fstab has no line',
    });
    showUnread(runtime, '/etc/fstab', unread);
    return 0;
  },
});

/** Hides the values of a line that contains a password. */
function withoutValue(option: string): string {
  return option.replace(/=.*$/s, '=…');
}
