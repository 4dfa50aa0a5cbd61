import * as drbd from '../../../api/drbd.ts';
import { verb } from '../../runtime/verb.ts';
import { changeResource } from './resource-change.ts';

export default verb({
  changes: true,
  answers: 'drbd primary',
  args: { name: ['<resource>', 'name of the resource'] },
  examples: ['drbd primary web1'],
  run: (runtime, { name }) =>
    changeResource(runtime, name, {
      act: () => drbd.primary({ name }),
      done: 'is primary on this host',
    }),
});
