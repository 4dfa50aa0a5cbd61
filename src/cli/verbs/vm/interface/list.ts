import * as vm from '../../../../api/vm.ts';
import { withBofh } from '../../../../bofh.ts';
import { give } from '../../../output/answer.ts';
import type { VmInterfaceList } from '../../../output/answers/index.ts';
import { stated } from '../../../output/style.ts';
import { printable } from '../../../output/text.ts';
import { openSession } from '../../../runtime/session.ts';
import { verb } from '../../../runtime/verb.ts';

export default verb({
  changes: false,
  answers: 'vm interface list',
  table: true,
  args: { name: ['<name>', 'name of the guest'] },
  examples: ['vm interface list web1'],
  run: async (runtime, { name }) => {
    const { bofh } = await openSession(runtime, { site: 'used', root: 'needed' });
    const found = await withBofh(bofh, () => vm.interfaces(name));
    const data: VmInterfaceList = found.map(({ mac = null, bridge = null, state }) => ({
      mac,
      bridge,
      state,
    }));
    give(runtime, {
      data,
      head: ['MAC', 'BRIDGE', 'STATE'],
      rows: data.map(({ mac, bridge, state }) => [
        ...[mac ?? 'a new one at each start', bridge ?? 'of xl.conf'],
        stated(state),
      ]),
      none: `${printable(name)} has no network interface`,
    });
    return 0;
  },
});
