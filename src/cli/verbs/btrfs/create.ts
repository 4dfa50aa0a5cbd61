import * as api from '../../../api/btrfs.ts';
import { ensure } from '../../../api/ensure.ts';
import { changeOrEnsure, ensureFlag } from '../../runtime/ensure.ts';
import { verb } from '../../runtime/verb.ts';
import { created } from './answers.ts';

export default verb({
  changes: true,
  answers: 'btrfs create',
  args: { path: ['<path>', 'path of the new subvolume'] },
  options: { ensure: ensureFlag() },
  examples: ['btrfs create /srv/data'],
  run: (runtime, { path, ensure: isEnsured }) =>
    changeOrEnsure(runtime, isEnsured, {
      create: () => api.createSubvolume({ path }),
      ensure: () => ensure.btrfs.createSubvolume({ path }),
      answer: (made) => created(made),
    }),
});
