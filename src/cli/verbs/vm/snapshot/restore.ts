import * as vm from '../../../../api/vm.ts';
import { detachedBy, findSnapshot, type SnapshotRestorePlan } from '../../../../vm/snapshots.ts';
import { localTime } from '../../../output/times.ts';
import type { Answer } from '../../../output/answer.ts';
import type { VmSnapshotRestore } from '../../../output/answers/index.ts';
import { printable } from '../../../output/text.ts';
import { change } from '../../../runtime/change.ts';
import { verb } from '../../../runtime/verb.ts';

export default verb({
  changes: true,
  answers: 'vm snapshot restore',
  args: {
    name: ['<name>', 'name of the guest'],
    label: ['<label>', 'label of the snapshot, as bofh vm snapshot list shows it'],
  },
  examples: ['vm snapshot restore web1 before-upgrade', '--dry-run vm snapshot restore web1 before-upgrade'],
  run: (runtime, { name, label }) =>
    change<SnapshotRestorePlan, VmSnapshotRestore>(
      runtime,
      async ({ host }) => {
        const found = await findSnapshot(host, name, label);
        const { time, disks } = found;
        const detached = await detachedBy(host, found);
        return {
          destroys: [
            `${name} will be restored to its state of ${localTime(time)}: all data that was written to these volumes since then will be lost, and the snapshot will be removed`,
            ...disks.map(({ vdev, vg, volume }) => `  ${vdev}: ${vg}/${volume}`),
            ...(detached.length === 0
              ? []
              : [`these thin snapshots cannot be restored after that: ${detached.join(', ')}`]),
          ],
          checksFirst: true,
          act: () => vm.restoreSnapshot(name, label),
          answer: (made): Answer<VmSnapshotRestore> => ({
            data: {
              ...{ name, label, time: made.time, config: made.file.path, later: [...made.later] },
              detached: [...made.detached],
              configChanged: made.file.content !== undefined,
              volumes: made.disks.map(({ vg, volume }) => `${vg}/${volume}`),
            },
            lines: [
              `${name} is as it was at ${localTime(made.time)}; start it: bofh vm start ${name}`,
              ...made.later.map(
                (path) =>
                  `${printable(path)} was added later: it stays, but is not a disk of ${name} any more`,
              ),
              ...made.detached.map(
                (volume) => `${volume} stays, but is not a snapshot any more, and cannot be restored`,
              ),
            ],
          }),
        };
      },
      { site: 'used' },
    ),
});
