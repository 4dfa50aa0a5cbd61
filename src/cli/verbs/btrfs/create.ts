import * as api from '../../../api/btrfs.ts';
import { change } from '../../runtime/change.ts';
import { verb } from '../../runtime/verb.ts';
import { created } from './answers.ts';

export default verb({
  changes: true,
  args: { path: '<path>' },
  examples: ['btrfs create /srv/data'],
  run: (runtime, { path }) =>
    change(runtime, { act: () => api.createSubvolume({ path }), answer: (made) => created(made) }),
});
