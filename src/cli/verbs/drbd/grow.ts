import { present } from '../../../core/present.ts';
import { formatSize } from '../../../core/units.ts';
import { growReplica, planGrow } from '../../../replica/grow.ts';
import { membersOf } from '../../../replica/known-resource.ts';
import { checkGrow } from '../../../replica/request.ts';
import type { Answer } from '../../output/answer.ts';
import type { DrbdGrow } from '../../output/answers/index.ts';
import { sizeAmong } from '../../runtime/sizes.ts';
import { verb } from '../../runtime/verb.ts';
import { on } from './options.ts';
import { changeByPlan } from './recipe.ts';

export default verb({
  changes: true,
  answers: 'drbd grow',
  args: { name: ['<resource>', 'name of the resource'], size: ['<size>', '20g, +5g, or max'] },
  options: { on },
  examples: ['drbd grow web1 +5g'],
  run: (runtime, { name, size, on }) => {
    if (size !== 'max') sizeAmong(size.replace(/^\+/, ''), '20g, +5g or max');
    const request = checkGrow({ name, size, ...present({ on }) });
    return changeByPlan(runtime, {
      name,
      members: (bofh) => membersOf(bofh.engine, request),
      plan: (members) => planGrow({ ...request, members }),
      act: growReplica,
      answer: ({ from, to }): Answer<DrbdGrow> => ({
        data: { resource: name, from, to },
        lines: [
          `${name} has grown from ${formatSize(from)} to ${formatSize(to)} on both hosts; its content has not: bofh block resize of its device grows both`,
        ],
      }),
    });
  },
});
