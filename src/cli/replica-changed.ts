import { atomic, type Bofh, withBofh } from '../bofh.ts';
import { RefusedError } from '../errors.ts';
import type { Tx } from '../operations.ts';
import type { Member } from '../replica/hosts.ts';
import { confirm } from './confirm.ts';
import { planned } from './replica-plan.ts';
import type { Runtime } from './runtime.ts';
import { openSession, untilInterrupted } from './session.ts';
import { logged } from './system-log.ts';

/** A recipe over the hosts of a resource: planned, asked about, looked at once more, done. Undefined: it was a dry run. */
export async function changed<M extends readonly Member[], P>(
  runtime: Runtime,
  recipe: {
    readonly verb: string;
    readonly members: (bofh: Bofh) => Promise<M>;
    readonly plan: (members: M, bofh: Bofh) => Promise<P>;
    readonly asks?: (plan: P) => readonly string[];
    readonly act: (tx: Tx, engine: Bofh['engine'], plan: P) => Promise<unknown>;
  },
): Promise<P | undefined> {
  const { verb } = recipe;
  const { bofh, progress } = await openSession(runtime, { site: 'used', root: 'needed' });
  const members = await untilInterrupted(runtime, recipe.members(bofh));
  if (runtime.settings.mode === 'plan') {
    await planned(runtime, { bofh, members }, async (simulated, again) => {
      const plan = await recipe.plan(again, simulated);
      await atomic(verb, (tx) => recipe.act(tx, simulated.engine, plan));
    });
    return undefined;
  }
  const look = (): Promise<P> => untilInterrupted(runtime, recipe.plan(members, bofh));
  const plan = await look();
  if (recipe.asks !== undefined) {
    await confirm(runtime, recipe.asks(plan));
    // The question may have stood for long: what is destroyed is what was agreed to.
    if (JSON.stringify(await look()) !== JSON.stringify(plan))
      throw new RefusedError('it has changed since it was looked at: nothing was done', {
        remedy: 'look at it and give the command again',
      });
  }
  await logged(runtime, bofh.host, () =>
    withBofh(bofh, () => atomic(verb, (tx) => recipe.act(tx, bofh.engine, plan))),
  );
  progress.end();
  return plan;
}
