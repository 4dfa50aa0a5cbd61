import { formatSize } from '../../../../core/units.ts';
import { pvs } from '../../../../lvm/index.ts';
import { give } from '../../../output/answer.ts';
import type { LvmPvList } from '../../../output/answers/index.ts';
import { stated } from '../../../output/style.ts';
import { openSession } from '../../../runtime/session.ts';
import { verb } from '../../../runtime/verb.ts';

/** Lists all physical volumes, also those in no volume group and those whose device is missing. */
export default verb({
  changes: false,
  answers: 'lvm pv list',
  table: true,
  examples: ['lvm pv list'],
  run: async (runtime) => {
    const { bofh } = await openSession(runtime, { site: 'unused', root: 'not-needed' });
    const data: LvmPvList = (await pvs(bofh.host)).map((pv) => ({
      device: pv.path ?? null,
      uuid: pv.uuid,
      group: pv.vg?.name ?? null,
      size: pv.size,
      free: pv.free,
      allocatable: pv.allocatable,
      tags: [...pv.tags],
    }));
    give(runtime, {
      data,
      head: ['DEVICE', 'GROUP', 'SIZE', 'FREE', 'UUID', 'TAGS'],
      rows: data.map((pv) => [
        pv.device ?? stated('missing', 'bad'),
        pv.group ?? '',
        formatSize(pv.size),
        formatSize(pv.free),
        pv.uuid,
        pv.tags.join(','),
      ]),
      none: 'there is no physical volume on this host',
    });
    return 0;
  },
});
