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
    const data: VmBaseList = [...(await withBofh(bofh, () => vm.bases()))];
    give(runtime, {
      data,
      head: ['NAME', 'SUITE', 'INSTALLED', 'SIZE', 'FILE'],
      rows: data.map(({ name, suite, date, size, path }) => [name, suite, date, formatSize(size), path]),
      none: 'no Debian is installed for guests: bofh vm base create trixie',
    });
    return 0;
  },
});
