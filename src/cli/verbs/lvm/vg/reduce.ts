import * as lvm from '../../../../api/lvm.ts';
import { verb } from '../../../runtime/verb.ts';
import { changeMembers } from './members.ts';

export default verb({
  changes: true,
  answers: 'lvm vg reduce',
  args: { vg: '<name>', devices: '<device...>' },
  examples: ['lvm vg reduce vg0 /dev/sdb'],
  run: (runtime, { vg, devices }) =>
    changeMembers(runtime, { vg, devices: [...devices] }, { act: lvm.reduceVg, done: 'taken out of' }),
});
