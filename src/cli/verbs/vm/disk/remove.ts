import * as vm from '../../../../api/vm.ts';
import { formatSize } from '../../../../core/units.ts';
import { planDiskRemoval } from '../../../../vm/guest-disks.ts';
import type { Answer } from '../../../output/answer.ts';
import type { VmDiskRemove } from '../../../output/answers/index.ts';
import { change } from '../../../runtime/change.ts';
import { verb } from '../../../runtime/verb.ts';
import { dataOf, disk as diskArgument } from './shared.ts';

export default verb({
  changes: true,
  answers: 'vm disk remove',
  args: { name: ['<name>', 'name of the guest'], disk: diskArgument },
  examples: ['vm disk remove web1 data'],
  run: (runtime, { name, disk }) =>
    change(
      runtime,
      async ({ host, site }) => {
        const { disk: vdev, volume } = await planDiskRemoval(host, { site, name, disk });
        const { uuid } = volume;
        const what = `${volume.vg}/${volume.name}, ${formatSize(volume.size)}, uuid ${uuid}`;
        return {
          destroys: [`the disk ${vdev} of ${name} (${what}) will be removed with all its data`],
          checksFirst: true,
          act: () => vm.removeDisk(name, disk, { uuid }),
          answer: (made: vm.RemovedGuestDisk): Answer<VmDiskRemove> => {
            const { fstab, crypttab, unread } = made;
            const lines = { fstab: fstab && [...fstab], crypttab: crypttab && [...crypttab] };
            return {
              data: { ...dataOf(made), ...lines, unread },
              lines: [
                `the disk ${made.disk} of ${name} is removed${inTable('fstab', fstab)}${inTable('crypttab', crypttab)}`,
                ...left(unread),
              ],
            };
          },
        };
      },
      { site: 'used' },
    ),
});

function inTable(table: string, lines: readonly string[] | null): string {
  return lines === null || lines.length === 0 ? '' : `, also from its /etc/${table}: ${lines.join('; ')}`;
}

function left(unread: string | null): readonly string[] {
  return unread === null
    ? []
    : [
        `if the /etc/fstab of the guest has a line for it, remove the line there: bofh did not read it (${unread})`,
      ];
}
