import * as drbd from '../../../api/drbd.ts';
import { verb } from '../../runtime/verb.ts';
import { changeResource } from './resource-change.ts';

export default verb({
  changes: true,
  answers: 'drbd new-current-uuid',
  args: { name: ['<resource>', 'name of the resource'] },
  examples: ['drbd new-current-uuid web1'],
  run: (runtime, { name }) =>
    changeResource(runtime, name, {
      act: () => drbd.newCurrentUuid({ name }),
      done: 'is up to date on both hosts, without a resync',
      loss: 'differences between the disks of the two hosts will never be resynced: the disks must be all zeros, or identical',
    }),
});
