import * as lvm from '../../../../api/lvm.ts';
import type { Answer } from '../../../output/answer.ts';
import type { LvmVgCreate } from '../../../output/answers/index.ts';
import { change } from '../../../runtime/change.ts';
import { value, verb } from '../../../runtime/verb.ts';

export default verb({
  changes: true,
  answers: 'lvm vg create',
  args: {
    name: ['<name>', 'name of the new volume group'],
    devices: ['<device...>', 'devices of physical volumes that are in no volume group'],
  },
  options: { extentSize: value('<SIZE>', 'extent size', { default: '4m' }) },
  examples: ['lvm vg create vg0 /dev/sdb /dev/sdc'],
  run: (runtime, { name, devices, extentSize }) => {
    const asked = { name, devices: [...devices], extentSize };
    return change(runtime, {
      act: () => lvm.createVg(asked),
      answer: (made): Answer<LvmVgCreate> => ({
        data: { group: made.name, uuid: made.uuid, extentSize: made.extentSize, devices: asked.devices },
        lines: [`the volume group ${made.name} exists, uuid ${made.uuid}`],
      }),
    });
  },
});
