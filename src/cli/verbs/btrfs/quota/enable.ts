import { verb } from '../../../runtime/verb.ts';
import { setQuota } from './mode.ts';

export default verb({
  changes: true,
  answers: 'btrfs quota enable',
  args: { path: ['<path>', 'directory on the filesystem'] },
  examples: ['btrfs quota enable /srv'],
  run: (runtime, { path }) => setQuota(runtime, path, 'on'),
});
