import * as lvm from '../../../../api/lvm.ts';
import { verb } from '../../../runtime/verb.ts';
import { changeMembers } from './members.ts';

export default verb({
  changes: true,
  answers: 'lvm vg reduce',
  args: {
    vg: ['<name>', 'name of the volume group'],
    devices: ['<device...>', 'devices of physical volumes without allocated extents'],
  },
  examples: ['lvm vg reduce vg0 /dev/sdb'],
  run: (runtime, { vg, devices }) =>
    changeMembers(runtime, { vg, devices: [...devices] }, { act: lvm.reduceVg, done: 'removed from' }),
});
