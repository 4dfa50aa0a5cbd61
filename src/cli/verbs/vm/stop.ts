import * as xen from '../../../api/xen.ts';
import type { Answer } from '../../output/answer.ts';
import type { VmStop } from '../../output/answers/index.ts';
import { change } from '../../runtime/change.ts';
import { verb } from '../../runtime/verb.ts';
import { stopHow, stopOptions } from './stop-options.ts';

export default verb({
  changes: true,
  answers: 'vm stop',
  args: { name: ['<name>', 'name of the guest'] },
  options: stopOptions,
  examples: ['vm stop web1', 'vm stop web1 --time 1m --force'],
  run: (runtime, { name, ...how }) =>
    change(
      runtime,
      {
        act: () => xen.stop(name, stopHow(how)),
        answer: ({ changed }): Answer<VmStop> => ({
          data: { name, changed },
          lines: [changed ? `${name} is off` : `${name} is off already: nothing to do`],
        }),
      },
      { site: 'used' },
    ),
});
