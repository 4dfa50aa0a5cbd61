import * as vm from '../../../../api/vm.ts';
import { findSnapshot, type SnapshotRemovalPlan } from '../../../../vm/snapshots.ts';
import { localTime } from '../../../output/times.ts';
import type { Answer } from '../../../output/answer.ts';
import type { VmSnapshotRemove } from '../../../output/answers/index.ts';
import { change } from '../../../runtime/change.ts';
import { verb } from '../../../runtime/verb.ts';

export default verb({
  changes: true,
  answers: 'vm snapshot remove',
  args: {
    name: ['<name>', 'name of the guest'],
    label: ['<label>', 'label of the snapshot, as bofh vm snapshot list shows it'],
  },
  examples: ['vm snapshot remove web1 before-upgrade'],
  run: (runtime, { name, label }) =>
    change<SnapshotRemovalPlan, VmSnapshotRemove>(
      runtime,
      async ({ host }) => {
        const { time } = await findSnapshot(host, name, label);
        return {
          destroys: [
            `the snapshot ${label} of ${name} (${localTime(time)}) will be removed; the guest stays as it is`,
          ],
          checksFirst: true,
          act: () => vm.removeSnapshot(name, label),
          answer: ({ volumes, kept }): Answer<VmSnapshotRemove> => ({
            data: { name, label, volumes: volumes.map((each) => `${each.vg}/${each.name}`) },
            lines: [
              `the snapshot ${label} of ${name} is removed`,
              ...kept.map(
                (volume) =>
                  `${volume} stays: it is not a snapshot of a disk of ${name} any more; to remove it: bofh lvm remove ${volume}`,
              ),
            ],
          }),
        };
      },
      { site: 'used' },
    ),
});
