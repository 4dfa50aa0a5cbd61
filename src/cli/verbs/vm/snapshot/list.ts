import * as vm from '../../../../api/vm.ts';
import { withBofh } from '../../../../bofh.ts';
import { present } from '../../../../core/present.ts';
import { give } from '../../../output/answer.ts';
import type { VmSnapshotList } from '../../../output/answers/index.ts';
import { stated } from '../../../output/style.ts';
import { printable } from '../../../output/text.ts';
import { openSession } from '../../../runtime/session.ts';
import { verb } from '../../../runtime/verb.ts';

/** Exit code 6 if a snapshot cannot be restored. */
export default verb({
  changes: false,
  answers: 'vm snapshot list',
  table: true,
  args: { name: ['[name]', 'only snapshots of this guest (default: of all guests)'] },
  examples: ['vm snapshot list', 'vm snapshot list web1'],
  run: async (runtime, { name }) => {
    const { bofh } = await openSession(runtime, { site: 'unused', root: 'not-needed' });
    const { snapshots, problems } = await withBofh(bofh, () => vm.snapshots(present({ name })));
    const data: VmSnapshotList = {
      snapshots: snapshots.map(({ guest, label, time, state, frozen = false, disks, why = null }) => ({
        ...{ name: guest, label, time, state, frozen, why },
        disks: disks.map(({ vdev, vg, volume, snapshot }) => ({
          ...{ vdev, volume: `${vg}/${volume}`, snapshot: `${vg}/${snapshot}` },
        })),
      })),
      problems: problems.map((each) => ({ ...each })),
    };
    give(runtime, {
      data,
      head: ['GUEST', 'SNAPSHOT', 'TIME', 'STATE', 'DISKS', 'NOTE'],
      rows: data.snapshots.map(({ name: guest, label, time, state, disks, why }) => [
        ...[guest, label, { time }, state, disks.map(({ vdev }) => vdev).join(',')],
        stated(why === null ? '' : `cannot be restored: ${why}`, 'bad'),
      ]),
      none: name === undefined ? 'no guest has a snapshot' : `${printable(name)} has no snapshot`,
    });
    for (const { why } of problems) runtime.terminal.line(`bofh: ${printable(why)}`);
    return problems.length === 0 && data.snapshots.every(({ why }) => why === null) ? 0 : 6;
  },
});
