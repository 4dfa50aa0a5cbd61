import * as drbd from '../../../api/drbd.ts';
import { withBofh } from '../../../bofh.ts';
import { UsageError } from '../../../core/errors.ts';
import { present } from '../../../core/present.ts';
import { give } from '../../output/answer.ts';
import type { DrbdNext } from '../../output/answers/index.ts';
import { openSession } from '../../runtime/session.ts';
import { listRead, value, verb } from '../../runtime/verb.ts';
import { wordsIn } from './options.ts';

export default verb({
  changes: false,
  answers: 'drbd next',
  options: {
    on: value('<HOST,…>', 'hosts on which they must be free (default: this host)', {
      read: listRead(hostsIn),
    }),
  },
  examples: ['drbd next --on host1,host2'],
  run: async (runtime, { on }) => {
    // The site file has the connections to hosts that ssh does not know.
    const site = on === undefined ? 'unused' : 'used';
    const { bofh } = await openSession(runtime, { site, root: 'not-needed' });
    const data: DrbdNext = await withBofh(bofh, () => drbd.next(present({ on })));
    give(runtime, { data, lines: [`port ${String(data.port)}, minor ${String(data.minor)}`] });
    return 0;
  },
});

function hostsIn(text: string, name: string): readonly string[] {
  const hosts = wordsIn(text);
  if (hosts.length > 0) return hosts;
  throw new UsageError(`${name} ${text}: must name hosts, for example web1,web2`);
}
