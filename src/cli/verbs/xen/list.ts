import * as xen from '../../../api/xen.ts';
import { withBofh } from '../../../bofh.ts';
import { formatSize } from '../../../core/units.ts';
import { give } from '../../output/answer.ts';
import type { XenList } from '../../output/answers/index.ts';
import { stated } from '../../output/style.ts';
import { printable } from '../../output/text.ts';
import { openSession } from '../../runtime/session.ts';
import { verb } from '../../runtime/verb.ts';
import { diskAnswer } from './disk.ts';
import { stateInWords } from './state.ts';

/** Exit code 6 if a configuration file could not be read, because a guest may be missing then. */
export default verb({
  changes: false,
  answers: 'xen list',
  table: true,
  examples: ['xen list', '--json xen list'],
  run: async (runtime) => {
    const { bofh } = await openSession(runtime, { site: 'used', root: 'not-needed' });
    const { guests, problems } = await withBofh(bofh, () => xen.list());
    const data: XenList = guests.map((guest) => ({
      name: guest.name,
      state: guest.state,
      domid: guest.domid ?? null,
      uuid: guest.uuid ?? null,
      memory: guest.memory,
      vcpus: guest.vcpus,
      config: guest.config ?? null,
      disks: guest.disks?.map(diskAnswer) ?? null,
    }));
    give(runtime, {
      data,
      head: ['GUEST', 'STATE', 'DOMAIN', 'MEMORY', 'VCPUS', 'CONFIGURATION'],
      rows: data.map((row, index) => [
        row.name,
        stated(stateInWords(guests[index]?.state ?? 'off')),
        row.domid === null ? '-' : String(row.domid),
        formatSize(row.memory),
        String(row.vcpus),
        row.config ?? '-',
      ]),
      none: `no guest is configured in ${bofh.site.guestConfigDirs.join(', ')}, and none runs`,
    });
    for (const { message } of problems) runtime.terminal.line(`bofh: ${printable(message)}`);
    return problems.length === 0 ? 0 : 6;
  },
});
