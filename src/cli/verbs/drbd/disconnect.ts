import * as drbd from '../../../api/drbd.ts';
import { verb } from '../../runtime/verb.ts';
import { changeResource } from './resource-change.ts';

export default verb({
  changes: true,
  answers: 'drbd disconnect',
  args: { name: ['<resource>', 'name of the resource'] },
  examples: ['drbd disconnect web1'],
  run: (runtime, { name }) =>
    changeResource(runtime, name, {
      act: () => drbd.disconnect({ name }),
      done: 'is StandAlone',
    }),
});
