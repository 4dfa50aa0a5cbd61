import * as vm from '../../../../api/vm.ts';
import { withBofh } from '../../../../bofh.ts';
import { formatSize } from '../../../../core/units.ts';
import { give } from '../../../output/answer.ts';
import type { VmBaseList } from '../../../output/answers/index.ts';
import { openSession } from '../../../runtime/session.ts';
import { verb } from '../../../runtime/verb.ts';

export default verb({
  changes: false,
  answers: 'vm base list',
  table: true,
  examples: ['vm base list', '--json vm base list'],
  run: async (runtime) => {
    const { bofh } = await openSession(runtime, { site: 'unused', root: 'not-needed' });
    const bases = await withBofh(bofh, () => vm.bases());
    const data = bases.map(({ suite = null, date = null, ...base }): VmBaseList[number] => ({
      ...{ ...base, suite, date },
    }));
    give(runtime, {
      data,
      head: ['NAME', 'SUITE', 'INSTALLED', 'SIZE', 'FILE'],
      rows: data.map(({ name, suite, date, size, path }) => [
        name,
        suite ?? 'image',
        date ?? '',
        formatSize(size),
        path,
      ]),
      none: 'no Debian is installed for guests, and no image downloaded: bofh vm base create trixie',
    });
    return 0;
  },
});
