import * as vm from '../../../../api/vm.ts';
import { withBofh } from '../../../../bofh.ts';
import { formatSize } from '../../../../core/units.ts';
import { give } from '../../../output/answer.ts';
import type { VmDiskList } from '../../../output/answers/index.ts';
import { stated } from '../../../output/style.ts';
import { printable } from '../../../output/text.ts';
import { openSession } from '../../../runtime/session.ts';
import { verb } from '../../../runtime/verb.ts';

export default verb({
  changes: false,
  answers: 'vm disk list',
  table: true,
  args: { name: ['<name>', 'name of the guest'] },
  examples: ['vm disk list web1', '--json vm disk list web1'],
  run: async (runtime, { name }) => {
    const { bofh } = await openSession(runtime, { site: 'used', root: 'needed' });
    const found = await withBofh(bofh, () => vm.disks(name));
    const data: VmDiskList = found.map(({ size = null, content = null, ...disk }) => ({
      ...disk,
      size,
      content,
    }));
    give(runtime, {
      data,
      head: ['DISK', 'DEVICE', 'ACCESS', 'SIZE', 'CONTENT', 'STATE'],
      rows: data.map(({ disk, device, access, size, content, state }) => [
        ...[disk, device === '' ? 'empty' : device, access],
        ...[size === null ? '-' : formatSize(size), content ?? '-', stated(state)],
      ]),
      none: `${printable(name)} has no disk`,
    });
    return 0;
  },
});
