import * as drbd from '../../../api/drbd.ts';
import { verb } from '../../runtime/verb.ts';
import { changeResource } from './resource-change.ts';

export default verb({
  changes: true,
  answers: 'drbd invalidate',
  args: { name: ['<resource>', 'name of the resource'] },
  examples: ['drbd invalidate web1'],
  run: (runtime, { name }) =>
    changeResource(runtime, name, {
      act: () => drbd.invalidate({ name }),
      done: 'resyncs all data of this host from the peer',
      loss: 'all data of this host will be discarded and resynced from the peer',
    }),
});
