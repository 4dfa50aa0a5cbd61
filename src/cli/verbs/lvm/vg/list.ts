import { formatSize } from '../../../../core/units.ts';
import { vgs } from '../../../../lvm/index.ts';
import { give } from '../../../output/answer.ts';
import type { LvmVgList } from '../../../output/answers/index.ts';
import { fullness, percentOf } from '../../../output/fullness.ts';
import { type Cell, stated } from '../../../output/style.ts';
import { openSession } from '../../../runtime/session.ts';
import { verb } from '../../../runtime/verb.ts';

/** Also lists groups that cannot be used. */
export default verb({
  changes: false,
  answers: 'lvm vg list',
  table: true,
  examples: ['lvm vg list'],
  run: async (runtime) => {
    const { bofh } = await openSession(runtime, { site: 'unused', root: 'not-needed' });
    const data: LvmVgList = (await vgs(bofh.host)).map((vg) => ({
      ...{ group: vg.name, uuid: vg.uuid, size: vg.size, free: vg.free, extentSize: vg.extentSize },
      ...{ writable: vg.writable, exported: vg.exported, partial: vg.partial, tags: [...vg.tags] },
    }));
    give(runtime, {
      data,
      head: ['GROUP', 'SIZE', 'FREE', 'EXTENT', 'STATE', 'TAGS'],
      rows: data.map((vg) => [
        vg.group,
        formatSize(vg.size),
        stated(formatSize(vg.free), fullness(percentOf(vg.size - vg.free, vg.size))),
        formatSize(vg.extentSize),
        stateOf(vg),
        vg.tags.join(','),
      ]),
      none: 'there is no volume group on this host',
    });
    return 0;
  },
});

function stateOf(vg: LvmVgList[number]): Cell {
  const words = [
    vg.exported ? 'exported' : '',
    vg.partial ? 'a device is missing' : '',
    vg.writable ? '' : 'read-only',
  ].filter((word) => word !== '');
  return words.length === 0 ? stated('ok') : stated(words.join(', '), vg.partial ? 'bad' : 'warning');
}
