import * as lvm from '../../../../api/lvm.ts';
import { UsageError } from '../../../../core/errors.ts';
import { otherThinSnapshots, usableVg, volumeNamed } from '../../../../lvm/index.ts';
import type { Answer } from '../../../output/answer.ts';
import type { LvmSnapshotMerge } from '../../../output/answers/index.ts';
import { change, plan } from '../../../runtime/change.ts';
import { verb } from '../../../runtime/verb.ts';
import { volumeOf } from '../volume.ts';

/** Asks for confirmation, because everything that was written to the origin since the snapshot is lost. */
export default verb({
  changes: true,
  answers: 'lvm snapshot merge',
  args: { volume: ['<vg/name>', 'the snapshot, for example vg0/before-upgrade'] },
  examples: ['lvm snapshot merge vg0/before-upgrade'],
  run: (runtime, { volume }) => {
    const { vg, name } = volumeOf(volume);
    return change<unknown, LvmSnapshotMerge>(runtime, async (bofh) => {
      if (runtime.settings.mode === 'plan')
        return () => plan(runtime, bofh, () => lvm.mergeSnapshot({ vg, name }));
      const group = await usableVg(bofh.host, vg);
      const lv = volumeNamed(group, { name });
      const { uuid, origin } = lv;
      if (origin === undefined)
        throw new UsageError(`${volume} is not a snapshot: it cannot be merged`, {
          remedy: 'see the snapshots and their origins: bofh lvm list',
        });
      const of = `${vg}/${origin.name}`;
      const others = otherThinSnapshots(lv, group.volumes).map(({ fullName }) => fullName);
      return {
        destroys: [
          `${of} (uuid ${origin.uuid}) will be restored to its state when ${volume} was taken: later changes will be lost, and ${volume} will be removed`,
          ...(others.length === 0
            ? []
            : [`these thin snapshots of it cannot be merged after that: ${others.join(', ')}`]),
        ],
        checksFirst: true,
        act: () => lvm.mergeSnapshot({ vg, name, uuid }),
        answer: (): Answer<LvmSnapshotMerge> => ({
          data: { volume: of, uuid: origin.uuid, merged: volume, path: `/dev/${of}` },
          lines: [`${of} is as it was when ${volume} was taken; ${volume} is removed`],
        }),
      };
    });
  },
});
