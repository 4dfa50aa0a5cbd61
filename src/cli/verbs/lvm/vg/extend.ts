import * as lvm from '../../../../api/lvm.ts';
import { verb } from '../../../runtime/verb.ts';
import { changeMembers } from './members.ts';

export default verb({
  changes: true,
  answers: 'lvm vg extend',
  args: {
    vg: ['<name>', 'name of the volume group'],
    devices: ['<device...>', 'devices of physical volumes that are in no volume group'],
  },
  examples: ['lvm vg extend vg0 /dev/sdd'],
  run: (runtime, { vg, devices }) =>
    changeMembers(runtime, { vg, devices: [...devices] }, { act: lvm.extendVg, done: 'added to' }),
});
