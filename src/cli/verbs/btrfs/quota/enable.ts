import { verb } from '../../../runtime/verb.ts';
import { setQuota } from './mode.ts';

export default verb({
  changes: true,
  answers: 'btrfs quota enable',
  args: { path: '<path>' },
  examples: ['btrfs quota enable /srv'],
  run: (runtime, { path }) => setQuota(runtime, path, 'on'),
});
