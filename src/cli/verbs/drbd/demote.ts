import { present } from '../../../core/present.ts';
import { membersOf } from '../../../replica/known-resource.ts';
import { checkDemote } from '../../../replica/request.ts';
import { changeRole, planDemote } from '../../../replica/role.ts';
import type { Answer } from '../../output/answer.ts';
import type { DrbdRoles } from '../../output/answers/index.ts';
import { verb } from '../../runtime/verb.ts';
import { on } from './options.ts';
import { changeByPlan } from './recipe.ts';

export default verb({
  changes: true,
  answers: 'drbd demote',
  args: { name: ['<resource>', 'name of the resource'] },
  options: { on },
  examples: ['drbd demote web1'],
  run: (runtime, { name, on }) => {
    const request = checkDemote({ name, ...present({ on }) });
    return changeByPlan(runtime, {
      name,
      members: (bofh) => membersOf(bofh.engine, request),
      plan: (members) => planDemote({ ...request, members }),
      act: changeRole,
      answer: ({ from }): Answer<DrbdRoles> => ({
        data: { resource: name, primary: null, before: from?.name ?? null },
        lines: [`${name} is secondary on ${from?.name ?? ''}, and not primary on any host`],
      }),
    });
  },
});
