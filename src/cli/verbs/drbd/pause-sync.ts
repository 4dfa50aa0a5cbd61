import * as drbd from '../../../api/drbd.ts';
import { verb } from '../../runtime/verb.ts';
import { changeResource } from './resource-change.ts';

export default verb({
  changes: true,
  answers: 'drbd pause-sync',
  args: { name: ['<resource>', 'name of the resource'] },
  examples: ['drbd pause-sync web1'],
  run: (runtime, { name }) =>
    changeResource(runtime, name, {
      act: () => drbd.pauseSync({ name }),
      done: 'does not resync',
    }),
});
