import * as drbd from '../../../api/drbd.ts';
import { verb } from '../../runtime/verb.ts';
import { changeResource } from './resource-change.ts';

export default verb({
  changes: true,
  answers: 'drbd attach',
  args: { name: ['<resource>', 'name of the resource'] },
  examples: ['drbd attach web1'],
  run: (runtime, { name }) =>
    changeResource(runtime, name, {
      act: () => drbd.attach({ name }),
      done: 'has its disks',
    }),
});
