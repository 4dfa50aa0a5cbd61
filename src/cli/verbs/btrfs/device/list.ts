import * as btrfs from '../../../../btrfs/index.ts';
import { formatSize } from '../../../../core/units.ts';
import { give } from '../../../output/answer.ts';
import type { BtrfsDevices } from '../../../output/answers/index.ts';
import { stated } from '../../../output/style.ts';
import { openSession } from '../../../runtime/session.ts';
import { verb } from '../../../runtime/verb.ts';

export default verb({
  changes: false,
  answers: 'btrfs device list',
  table: true,
  args: { path: ['<path>', 'directory on the filesystem'] },
  examples: ['btrfs device list /srv'],
  run: async (runtime, { path }) => {
    const { bofh } = await openSession(runtime, { site: 'unused', root: 'needed' });
    const found = await btrfs.devices(bofh.host, path);
    const data: BtrfsDevices = found.map((each) => ({ ...each, path: each.path ?? null }));
    give(runtime, {
      data,
      head: ['NUMBER', 'DEVICE', 'SIZE', 'ALLOCATED'],
      rows: data.map(({ devid, path: device, size, allocated }) => [
        devid === 0 ? stated('replaces another', 'warning') : String(devid),
        device ?? stated('missing', 'bad'),
        formatSize(size),
        formatSize(allocated),
      ]),
      none: 'no device',
    });
    return 0;
  },
});
