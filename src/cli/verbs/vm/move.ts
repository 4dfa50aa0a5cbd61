import { planning } from '../../../api/planning.ts';
import { atomic } from '../../../bofh.ts';
import { present } from '../../../core/present.ts';
import { type Members, ownAnd } from '../../../replica/hosts.ts';
import { type MovedVm, moveVm, planMove } from '../../../vm/move.ts';
import { checkMove } from '../../../vm/request.ts';
import type { Answer } from '../../output/answer.ts';
import type { VmMove } from '../../output/answers/index.ts';
import { untilInterrupted } from '../../runtime/session.ts';
import { parseDuration } from '../../runtime/settings.ts';
import { value, verb } from '../../runtime/verb.ts';
import { changeUnasked } from '../drbd/recipe.ts';

export default verb({
  changes: true,
  answers: 'vm move',
  args: {
    name: ['<name>', 'name of the guest'],
    to: ['<host>', 'the peer, as ssh or the site file names it'],
  },
  options: {
    time: value('<DURATION>', 'longest time for the shutdown of a guest (default: 5m)', {
      read: parseDuration,
    }),
  },
  examples: ['vm move web1 host2'],
  run: (runtime, { name, to, time: timeoutMs }) => {
    const request = checkMove({ name, to, ...present({ timeoutMs }) });
    return changeUnasked<Members, MovedVm, VmMove>(runtime, async (bofh) => ({
      members: await ownAnd(bofh.engine, to),
      act: async ({ site, engine }, members) => {
        const planned = planning('vm.move', { name }, () => planMove({ members, site, request }));
        const plan = await untilInterrupted(runtime, planned);
        return await atomic(`vm move ${name}`, (tx) => moveVm(tx, engine, plan));
      },
      answer: (moved): Answer<VmMove> => {
        const data = { ...moved, domid: moved.domid ?? null };
        return { data, lines: inWords(data, to) };
      },
    }));
  },
});

function inWords({ name, from, to, config, resources, domid }: VmMove, asked: string): readonly string[] {
  const now =
    domid === null
      ? `start it there: bofh --host ${asked} xen start ${name}`
      : `it runs there as domain ${String(domid)}`;
  return [
    `${name} has moved from ${from} to ${to}: ${now}`,
    `configured in ${config} there; ${resources.join(', ')} ${resources.length === 1 ? 'is' : 'are'} primary there`,
  ];
}
