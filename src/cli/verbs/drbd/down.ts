import * as drbd from '../../../api/drbd.ts';
import { verb } from '../../runtime/verb.ts';
import { changeResource } from './resource-change.ts';

export default verb({
  changes: true,
  answers: 'drbd down',
  args: { name: ['<resource>', 'name of the resource'] },
  examples: ['drbd down web1'],
  run: (runtime, { name }) =>
    changeResource(runtime, name, {
      act: () => drbd.down({ name }),
      done: 'is down',
    }),
});
