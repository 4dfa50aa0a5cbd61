import * as lvm from '../../../../api/lvm.ts';
import type { Answer } from '../../../output/answer.ts';
import type { LvmPvCreate } from '../../../output/answers/index.ts';
import { overwriting } from '../../../runtime/overwrite.ts';
import { value, verb } from '../../../runtime/verb.ts';

export default verb({
  changes: true,
  answers: 'lvm pv create',
  args: { device: ['<device>', 'disk, partition or other block device, for example /dev/sdb'] },
  options: { overwrite: value('<UUID|TYPE>', 'UUID, or type, of the content to overwrite') },
  examples: ['lvm pv create /dev/sdb'],
  run: (runtime, { device, overwrite }) =>
    overwriting<LvmPvCreate, LvmPvCreate>(runtime, { device, overwrite }, (more) => ({
      act: () => lvm.createPv({ device, ...more }),
      answer: (data): Answer<LvmPvCreate> => ({
        data,
        lines: [`${data.device} is a physical volume now, uuid ${data.uuid}`],
      }),
    })),
});
