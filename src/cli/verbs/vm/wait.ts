import * as xen from '../../../api/xen.ts';
import { withBofh } from '../../../bofh.ts';
import { present } from '../../../core/present.ts';
import { give } from '../../output/answer.ts';
import type { VmWait } from '../../output/answers/index.ts';
import { openSession, untilInterrupted } from '../../runtime/session.ts';
import { parseDuration } from '../../runtime/settings.ts';
import { oneOf, value, verb } from '../../runtime/verb.ts';

export default verb({
  changes: false,
  answers: 'vm wait',
  args: { name: ['<name>', 'name of the guest'] },
  options: {
    for: value('<STATE>', 'running or stopped', { required: true, read: oneOf('running', 'stopped') }),
    time: value('<DURATION>', 'longest time to wait (default: 5m)', { read: parseDuration }),
  },
  examples: ['vm wait web1 --for running', 'vm wait web1 --for stopped --time 10m'],
  run: async (runtime, { name, for: wanted, time: timeoutMs }) => {
    const { bofh } = await openSession(runtime, { site: 'used', root: 'not-needed' });
    const waiting = withBofh(bofh, () => xen.wait(name, { for: wanted, ...present({ timeoutMs }) }));
    const { domid = null } = await untilInterrupted(runtime, waiting);
    const data: VmWait = { name, domid };
    give(runtime, {
      data,
      lines: [domid === null ? `${name} is off` : `${name} runs as domain ${String(domid)}`],
    });
    return 0;
  },
});
