import { atomic } from '../../../bofh.ts';
import { type Bofh } from '../../../connect.ts';
import { RefusedError } from '../../../core/errors.ts';
import type { Tx } from '../../../operations.ts';
import type { Member } from '../../../replica/hosts.ts';
import type { Answer } from '../../output/answer.ts';
import { change } from '../../runtime/change.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { planned } from './plan.ts';

/**
 * Changes the hosts of a resource or a guest according to a plan: makes the plan, confirms it, checks that it
 * is still the same, runs it and answers.
 */
export async function changeByPlan<M extends readonly Member[] | undefined, P, T, D>(
  runtime: Runtime<D>,
  recipe: {
    readonly name: string;
    /** Undefined: only this host. */
    readonly members: (bofh: Bofh) => Promise<M>;
    readonly plan: (members: M, bofh: Bofh) => Promise<P>;
    readonly asks?: (plan: P) => readonly string[];
    readonly act: (tx: Tx, engine: Bofh['engine'], plan: P) => Promise<T>;
    readonly answer: (plan: P, result: T) => Answer<NoInfer<D>>;
  },
): Promise<number> {
  const { name, asks } = recipe;
  const act = (plan: P, { engine }: Bofh): Promise<T> =>
    atomic(`${runtime.verb} ${name}`, (tx) => recipe.act(tx, engine, plan));
  const look = async (bofh: Bofh) => {
    const members = await recipe.members(bofh);
    if (runtime.settings.mode === 'plan')
      return () =>
        planned(runtime, { bofh, members }, async (simulated, there) => {
          await act(await recipe.plan(there, simulated), simulated);
        });
    const plan = await recipe.plan(members, bofh);
    const again = async (): Promise<void> => {
      if (JSON.stringify(await recipe.plan(members, bofh)) !== JSON.stringify(plan))
        throw new RefusedError(`${name} has changed since it was checked: nothing was done`, {
          remedy: `see it: bofh drbd status ${name}; then run the command again`,
        });
    };
    return {
      ...(asks === undefined ? {} : { destroys: asks(plan), again }),
      act: () => act(plan, bofh),
      answer: (result: T) => recipe.answer(plan, result),
    };
  };
  return change<T, D>(runtime, look, { site: 'used' });
}

/**
 * Changes the hosts of a resource or a guest without a confirmation. The recipe makes its plan in `act`, so
 * that the system log also has a refused plan.
 */
export async function changeUnasked<M extends readonly Member[] | undefined, T, D>(
  runtime: Runtime<D>,
  recipe: (bofh: Bofh) => Promise<{
    /** Undefined: only this host. */
    readonly members: M;
    readonly act: (bofh: Bofh, members: M) => Promise<T>;
    readonly answer: (result: T) => Answer<NoInfer<D>>;
  }>,
): Promise<number> {
  const look = async (bofh: Bofh) => {
    const { members, act, answer } = await recipe(bofh);
    if (runtime.settings.mode === 'plan') return () => planned(runtime, { bofh, members }, act);
    return { act: () => act(bofh, members), answer };
  };
  return change<T, D>(runtime, look, { site: 'used' });
}
