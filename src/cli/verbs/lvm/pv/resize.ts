import * as lvm from '../../../../api/lvm.ts';
import { present } from '../../../../core/present.ts';
import { formatSize } from '../../../../core/units.ts';
import type { Answer } from '../../../output/answer.ts';
import type { LvmPvResize } from '../../../output/answers/index.ts';
import { change } from '../../../runtime/change.ts';
import { value, verb } from '../../../runtime/verb.ts';

/** Succeeds if it already has that size. */
export default verb({
  changes: true,
  answers: 'lvm pv resize',
  args: { device: ['<device>', 'device of the physical volume, for example /dev/sdb'] },
  options: { size: value('<SIZE>', 'new size (default: all of the device)') },
  examples: ['lvm pv resize /dev/sdb', 'lvm pv resize /dev/sdb --size 100g'],
  run: (runtime, asked) =>
    change(runtime, {
      act: () => lvm.resizePv(present(asked)),
      answer: (data): Answer<LvmPvResize> => ({
        data,
        lines: [`the physical volume ${data.device} has ${formatSize(data.size)} now`],
      }),
    }),
});
