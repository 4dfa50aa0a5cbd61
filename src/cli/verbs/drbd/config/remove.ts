import * as drbd from '../../../../api/drbd.ts';
import type { Answer } from '../../../output/answer.ts';
import type { DrbdConfigRemove } from '../../../output/answers/index.ts';
import { printable } from '../../../output/text.ts';
import { change } from '../../../runtime/change.ts';
import { verb } from '../../../runtime/verb.ts';

export default verb({
  changes: true,
  answers: 'drbd config remove',
  args: { name: ['<resource>', 'name of the resource'] },
  examples: ['drbd config remove web1'],
  run: (runtime, { name }) =>
    change(runtime, {
      destroys: [
        `the configuration of ${printable(name)} on this host will be lost; its data and metadata stay on their devices`,
      ],
      checksFirst: true,
      act: () => drbd.removeConfig({ name }),
      answer: (): Answer<DrbdConfigRemove> => ({
        data: { resource: name },
        lines: [`removed the configuration of ${name}`],
      }),
    }),
});
