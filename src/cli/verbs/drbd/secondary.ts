import * as drbd from '../../../api/drbd.ts';
import { verb } from '../../runtime/verb.ts';
import { changeResource } from './resource-change.ts';

export default verb({
  changes: true,
  answers: 'drbd secondary',
  args: { name: ['<resource>', 'name of the resource'] },
  examples: ['drbd secondary web1'],
  run: (runtime, { name }) =>
    changeResource(runtime, name, {
      act: () => drbd.secondary({ name }),
      done: 'is secondary on this host',
    }),
});
