import * as network from '../../../api/network.ts';
import { withBofh } from '../../../bofh.ts';
import { give } from '../../output/answer.ts';
import { stated } from '../../output/style.ts';
import { openSession } from '../../runtime/session.ts';
import { verb } from '../../runtime/verb.ts';
import { addressInWords, guestOf, withGuests } from './interfaces.ts';

export default verb({
  changes: false,
  answers: 'network list',
  table: true,
  examples: ['network list'],
  run: async (runtime) => {
    const { bofh } = await openSession(runtime, { site: 'unused', root: 'not-needed' });
    const all = await withBofh(bofh, () => network.interfaces());
    const data = await withGuests(bofh, all);
    give(runtime, {
      data,
      head: ['INTERFACE', 'KIND', 'STATE', 'MAC', 'MTU', 'ADDRESSES', 'ON', 'GUEST'],
      rows: data.map((each) => [
        each.name,
        each.kind,
        stated(each.up ? each.state : 'off'),
        each.mac ?? '-',
        String(each.mtu),
        each.addresses.map(addressInWords).join(' ') || '-',
        each.master ?? (each.ports.length > 0 ? `(ports: ${each.ports.join(', ')})` : '-'),
        guestOf(each),
      ]),
      none: 'this host has no network interface',
    });
    return 0;
  },
});
