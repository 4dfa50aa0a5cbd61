import * as xen from '../../../api/xen.ts';
import type { Answer } from '../../output/answer.ts';
import type { XenStart } from '../../output/answers/index.ts';
import { change } from '../../runtime/change.ts';
import { verb } from '../../runtime/verb.ts';
import { alone } from '../xen/options.ts';
import { stopHow, stopOptions } from './stop-options.ts';

export default verb({
  changes: true,
  answers: 'vm restart',
  args: { name: ['<name>', 'name of the guest'] },
  options: { ...stopOptions, alone },
  examples: ['vm restart web1', 'vm restart web1 --time 1m --force'],
  run: (runtime, { name, alone: isAlone, ...how }) =>
    change(
      runtime,
      {
        act: () => xen.restart(name, { ...stopHow(how), alone: isAlone }),
        answer: ({ domid }): Answer<XenStart> => ({
          data: { name, domid },
          lines: [`${name} runs as domain ${String(domid)}`],
        }),
      },
      { site: 'used' },
    ),
});
