import * as block from '../../../../api/block.ts';
import { withBofh } from '../../../../bofh.ts';
import { formatSize } from '../../../../core/units.ts';
import { give } from '../../../output/answer.ts';
import type { BlockLoopList } from '../../../output/answers/index.ts';
import { printable } from '../../../output/text.ts';
import { openSession } from '../../../runtime/session.ts';
import { verb } from '../../../runtime/verb.ts';

export default verb({
  changes: false,
  answers: 'block loop list',
  table: true,
  examples: ['block loop list'],
  run: async (runtime) => {
    const { bofh } = await openSession(runtime, { site: 'unused', root: 'not-needed' });
    const found = await withBofh(bofh, () => block.loops());
    const data: BlockLoopList = found.map(({ device, file, inode, offset, limit, ...how }) => ({
      ...{ device, file, inode, offset, size: limit === 0 ? null : limit },
      ...{ mode: how.mode, partitions: how.partitions, autoclear: how.autoclear },
    }));
    give(runtime, {
      data,
      head: ['DEVICE', 'FILE', 'OFFSET', 'SIZE', 'MODE', 'PARTITIONS', 'STAYS'],
      rows: data.map((each) => [
        each.device,
        printable(each.file),
        String(each.offset),
        each.size === null ? 'whole' : formatSize(each.size),
        each.mode,
        each.partitions,
        each.autoclear ? 'until unused' : 'yes',
      ]),
      none: 'no loop device has a file',
    });
    return 0;
  },
});
