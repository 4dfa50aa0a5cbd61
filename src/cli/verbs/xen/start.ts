import * as xen from '../../../api/xen.ts';
import { present } from '../../../core/present.ts';
import type { Answer } from '../../output/answer.ts';
import type { XenStart } from '../../output/answers/index.ts';
import { change } from '../../runtime/change.ts';
import { verb } from '../../runtime/verb.ts';
import { alone, time } from './options.ts';

export default verb({
  changes: true,
  answers: 'xen start',
  args: { name: ['<name>', 'name of the guest'] },
  options: { alone, time },
  examples: ['xen start web1', 'xen start web1 --time 2m'],
  run: (runtime, { name, alone, time: connectMs }) =>
    change(
      runtime,
      {
        act: () => xen.start(name, { alone, ...present({ connectMs }) }),
        answer: ({ domid }): Answer<XenStart> => ({
          data: { name, domid },
          lines: [`${name} runs as domain ${String(domid)}`],
        }),
      },
      { site: 'used' },
    ),
});
