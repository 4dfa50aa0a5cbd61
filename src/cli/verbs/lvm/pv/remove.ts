import { atomic } from '../../../../bofh.ts';
import { pvOn } from '../../../../lvm/operations/physical.ts';
import type { Answer } from '../../../output/answer.ts';
import type { LvmPvRemove } from '../../../output/answers/index.ts';
import { change } from '../../../runtime/change.ts';
import { verb } from '../../../runtime/verb.ts';

export default verb({
  changes: true,
  answers: 'lvm pv remove',
  args: { device: ['<device>', 'device of the physical volume, for example /dev/sdb'] },
  examples: ['lvm pv remove /dev/sdb'],
  run: (runtime, { device }) => {
    return change<unknown, LvmPvRemove>(runtime, async ({ host }) => {
      const { uuid } = await pvOn(host, device);
      return {
        destroys: [
          `The label of the physical volume ${uuid} on ${device} will be removed. This cannot be undone.`,
        ],
        checksFirst: true,
        act: () => atomic(runtime.verb, (tx) => tx.lvm.removePv({ device, uuid })),
        answer: (): Answer<LvmPvRemove> => ({
          data: { device },
          lines: [`${device} is not a physical volume any more`],
        }),
      };
    });
  },
});
