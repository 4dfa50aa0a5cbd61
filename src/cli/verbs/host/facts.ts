import { factsOf } from '../../../provision/facts.ts';
import { formatSize } from '../../../core/units.ts';
import { give } from '../../output/answer.ts';
import { printable } from '../../output/text.ts';
import { openSession } from '../../runtime/session.ts';
import { verb } from '../../runtime/verb.ts';

export default verb({
  changes: false,
  answers: 'host facts',
  examples: ['host facts', '--json host facts'],
  run: async (runtime) => {
    const { bofh } = await openSession(runtime, { site: 'used', root: 'not-needed' });
    const data = await factsOf(bofh.host);
    const { hostname, os, kernel, memory, xen, addresses } = data;
    give(runtime, {
      data,
      lines: [
        `host name  ${hostname}`,
        `system     ${os === null ? 'unknown: there is no /etc/os-release' : (os.name ?? os.id)}`,
        `kernel     ${kernel}`,
        `memory     ${formatSize(memory)}`,
        `Xen        ${xen}`,
        ...(addresses ?? []).map((one) => `address    ${one.interface} ${one.address}/${String(one.prefix)}`),
        ...(addresses === null ? ['address    unknown: ip is not installed'] : []),
      ].map(printable),
    });
    return 0;
  },
});
