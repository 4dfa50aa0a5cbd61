import { openSession } from '../../../runtime/session.ts';
import { verb } from '../../../runtime/verb.ts';
import { giveRotations } from './table.ts';

/** `systemctl list-timers` shows when they last ran. */
export default verb({
  changes: false,
  answers: 'btrfs rotation status',
  table: true,
  examples: ['btrfs rotation status'],
  run: async (runtime) => {
    const { bofh } = await openSession(runtime, { site: 'unused', root: 'not-needed' });
    await giveRotations(runtime, bofh.host);
    return 0;
  },
});
