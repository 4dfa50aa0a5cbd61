import * as drbd from '../../../api/drbd.ts';
import { verb } from '../../runtime/verb.ts';
import { changeResource } from './resource-change.ts';

export default verb({
  changes: true,
  answers: 'drbd invalidate-remote',
  args: { name: ['<resource>', 'name of the resource'] },
  examples: ['drbd invalidate-remote web1'],
  run: (runtime, { name }) =>
    changeResource(runtime, name, {
      act: () => drbd.invalidateRemote({ name }),
      done: 'resyncs all data of the peer from this host',
      loss: 'all data of the peer will be discarded and resynced from this host',
    }),
});
