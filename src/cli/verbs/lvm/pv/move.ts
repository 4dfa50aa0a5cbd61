import * as lvm from '../../../../api/lvm.ts';
import { present } from '../../../../core/present.ts';
import type { Answer } from '../../../output/answer.ts';
import type { LvmPvMove } from '../../../output/answers/index.ts';
import { change } from '../../../runtime/change.ts';
import { commaList, value, verb } from '../../../runtime/verb.ts';
import { volumeOf } from '../volume.ts';

/** Succeeds if there is nothing to move. */
export default verb({
  changes: true,
  answers: 'lvm pv move',
  args: { device: ['<device>', 'device of the physical volume, for example /dev/sdb'] },
  options: {
    to: value('<DEVICE,…>', 'target devices, in this order (default: all others of the group)', {
      read: commaList,
    }),
    volume: value('<VG/NAME>', 'move only this logical volume', { read: volumeOf }),
  },
  examples: ['lvm pv move /dev/sdb', 'lvm pv move /dev/sdb --to /dev/sdc --volume vg0/web1'],
  run: (runtime, typed) => {
    const { device } = typed;
    const asked = present(typed);
    return change(runtime, {
      act: () => lvm.movePv(asked),
      answer: (data): Answer<LvmPvMove> => {
        const what = `${String(data.extents)} extents of ${data.volumes.join(', ')}`;
        const line = data.extents === 0 ? `${device} has no extents to move` : `moved ${what} off ${device}`;
        return { data, lines: [line] };
      },
    });
  },
});
