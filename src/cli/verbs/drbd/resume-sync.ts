import * as drbd from '../../../api/drbd.ts';
import { verb } from '../../runtime/verb.ts';
import { changeResource } from './resource-change.ts';

export default verb({
  changes: true,
  answers: 'drbd resume-sync',
  args: { name: ['<resource>', 'name of the resource'] },
  examples: ['drbd resume-sync web1'],
  run: (runtime, { name }) =>
    changeResource(runtime, name, {
      act: () => drbd.resumeSync({ name }),
      done: 'is no longer paused: it resyncs if needed',
    }),
});
