import { present } from '../../../core/present.ts';
import { checkPromote } from '../../../replica/request.ts';
import { changeRole, membersToPromote, planPromote } from '../../../replica/role.ts';
import type { Answer } from '../../output/answer.ts';
import type { DrbdRoles } from '../../output/answers/index.ts';
import { parseDuration } from '../../runtime/settings.ts';
import { value, verb } from '../../runtime/verb.ts';
import { on } from './options.ts';
import { changeByPlan } from './recipe.ts';

export default verb({
  changes: true,
  answers: 'drbd promote',
  args: { name: ['<resource>', 'name of the resource'] },
  options: {
    to: value('<HOST>', 'the host to make primary (default: this host)'),
    time: value('<DURATION>', 'longest time to wait for a resync (default: 5m)', {
      read: parseDuration,
    }),
    on,
  },
  examples: ['drbd promote web1 --to host2'],
  run: (runtime, { name, on, to, time: limitMs }) => {
    const request = checkPromote({ name, ...present({ on, to, limitMs }) });
    return changeByPlan(runtime, {
      name,
      members: (bofh) => membersToPromote(bofh.engine, request),
      plan: async (members, bofh) =>
        planPromote({ ...request, members, to: request.to ?? (await bofh.host.facts()).hostname }),
      act: changeRole,
      answer: ({ to: now, from: before }): Answer<DrbdRoles> => ({
        data: { resource: name, primary: now?.name ?? null, before: before?.name ?? null },
        lines: [
          `${name} is primary on ${now?.name ?? ''}${before === undefined ? '' : `, and secondary on ${before.name}`}`,
        ],
      }),
    });
  },
});
