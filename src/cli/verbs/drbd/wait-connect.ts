import { verb } from '../../runtime/verb.ts';
import { waitTime } from './options.ts';
import { answerWhenDone } from './progress.ts';

export default verb({
  changes: false,
  answers: 'drbd wait-connect',
  args: { name: ['<resource>', 'name of the resource'] },
  options: { time: waitTime },
  examples: ['drbd wait-connect web1 --time 1m'],
  run: (runtime, { name, time: limitMs = 300_000 }) =>
    answerWhenDone(runtime, { name, what: 'connection', limitMs }),
});
