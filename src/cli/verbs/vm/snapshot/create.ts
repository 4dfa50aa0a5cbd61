import * as vm from '../../../../api/vm.ts';
import { parseSize } from '../../../../core/units.ts';
import { present } from '../../../../core/present.ts';
import type { Answer } from '../../../output/answer.ts';
import type { VmSnapshotCreate } from '../../../output/answers/index.ts';
import { change } from '../../../runtime/change.ts';
import { named, value, verb } from '../../../runtime/verb.ts';
import { noFreeze } from '../freeze-option.ts';

export default verb({
  changes: true,
  answers: 'vm snapshot create',
  args: { name: ['<name>', 'name of the guest'], label: ['<label>', 'label of the new snapshot'] },
  options: {
    size: value(
      '<SIZE>',
      'size of the snapshot of each disk that is not thin, for later changes (default: a fifth of the disk)',
      {
        read: named(parseSize),
      },
    ),
    noFreeze,
  },
  examples: ['vm snapshot create web1 before-upgrade', 'vm snapshot create web1 before-upgrade --size 2g'],
  run: (runtime, { name, label, size, noFreeze: unfrozen }) =>
    change(
      runtime,
      {
        act: () =>
          vm.createSnapshot(name, label, { ...present({ size }), ...(unfrozen ? { freeze: false } : {}) }),
        answer: ({ time, state, frozen = false, disks }): Answer<VmSnapshotCreate> => ({
          data: {
            ...{ name, label, time, state, frozen },
            disks: disks.map(({ vdev, vg, volume, snapshot }) => ({
              ...{ vdev, volume: `${vg}/${volume}`, snapshot: `${vg}/${snapshot}` },
            })),
          },
          lines: [
            `${label} is a snapshot of ${name}${state === 'off' ? '' : `, which was ${state}`}: ${disks.map(({ vdev }) => vdev).join(', ')} and its configuration`,
            ...(frozen ? ['its filesystems were frozen for the snapshots'] : []),
            `go back to it: bofh vm snapshot restore ${name} ${label}`,
          ],
        }),
      },
      { site: 'used' },
    ),
});
