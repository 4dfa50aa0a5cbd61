import * as drbd from '../../../api/drbd.ts';
import { verb } from '../../runtime/verb.ts';
import { changeResource } from './resource-change.ts';

export default verb({
  changes: true,
  answers: 'drbd detach',
  args: { name: ['<resource>', 'name of the resource'] },
  examples: ['drbd detach web1'],
  run: (runtime, { name }) =>
    changeResource(runtime, name, {
      act: () => drbd.detach({ name }),
      done: 'has no disk on this host',
    }),
});
