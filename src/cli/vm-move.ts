import { atomic, withBofh } from '../bofh.ts';
import { ownAnd } from '../replica/hosts.ts';
import { moveVm, planMove } from '../vm/move.ts';
import { checkMove } from '../vm/request.ts';
import { give } from './answer.ts';
import type { VmMove } from './answers/index.ts';
import type { Options } from './options.ts';
import { planned } from './replica-plan.ts';
import type { Runtime } from './runtime.ts';
import { openSession, untilInterrupted } from './session.ts';
import { parseDuration } from './settings.ts';
import { logged } from './system-log.ts';

/** `bofh vm move NAME HOST` */
export async function move(
  runtime: Runtime,
  [name, to]: readonly [string, string],
  { time }: Options,
): Promise<number> {
  const request = checkMove({
    ...{ name, to },
    ...(typeof time === 'string' ? { timeoutMs: parseDuration(time) } : {}),
  });
  const { bofh, progress } = await openSession(runtime, { site: 'used', root: 'needed' });
  const { site, engine } = bofh;
  const members = await untilInterrupted(runtime, ownAnd(engine, to));
  if (runtime.settings.mode === 'plan')
    return await planned(runtime, { bofh, members }, async (simulated, again) => {
      const plan = await planMove({ members: again, site, request });
      await atomic(`vm move ${name}`, (tx) => moveVm(tx, simulated.engine, plan));
    });
  const moved = await logged(runtime, bofh.host, async () => {
    const plan = await untilInterrupted(runtime, planMove({ members, site, request }));
    return await withBofh(bofh, () => atomic(`vm move ${name}`, (tx) => moveVm(tx, engine, plan)));
  });
  progress.end();
  const data: VmMove = { ...moved, domid: moved.domid ?? null };
  give(runtime, { data, lines: inWords(data, to) });
  return 0;
}

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
