import * as xen from '../../../api/xen.ts';
import type { Answer } from '../../output/answer.ts';
import type { VmPause } from '../../output/answers/index.ts';
import { change } from '../../runtime/change.ts';
import { verb } from '../../runtime/verb.ts';

export default verb({
  changes: true,
  answers: 'vm resume',
  args: { name: ['<name>', 'name of the guest'] },
  examples: ['vm resume web1'],
  run: (runtime, { name }) =>
    change(
      runtime,
      {
        act: () => xen.resume(name),
        answer: ({ changed }): Answer<VmPause> => ({
          data: { name, changed },
          lines: [changed ? `${name} runs` : `${name} runs already: nothing to do`],
        }),
      },
      { site: 'used' },
    ),
});
