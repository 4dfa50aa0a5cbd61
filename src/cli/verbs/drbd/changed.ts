import { atomic, type Bofh } from '../../../bofh.ts';
import { RefusedError } from '../../../core/errors.ts';
import type { Tx } from '../../../operations.ts';
import type { Member } from '../../../replica/hosts.ts';
import type { Answer } from '../../output/answer.ts';
import { change } from '../../runtime/change.ts';
import { planned } from './plan.ts';
import type { Runtime } from '../../runtime/runtime.ts';

/** A recipe over the hosts of a resource or a guest: planned, asked about, looked at once more, done, answered. */
export async function changed<M extends readonly Member[] | undefined, P, T>(
  runtime: Runtime,
  recipe: {
    readonly verb: string;
    readonly name: string;
    /** Undefined: no other host than this. */
    readonly members: (bofh: Bofh) => Promise<M>;
    readonly plan: (members: M, bofh: Bofh) => Promise<P>;
    readonly asks?: (plan: P) => readonly string[];
    readonly act: (tx: Tx, engine: Bofh['engine'], plan: P) => Promise<T>;
    readonly answer: (plan: P, made: T) => Answer<unknown>;
  },
): Promise<number> {
  const { verb, name, asks } = recipe;
  const act = (plan: P, { engine }: Bofh): Promise<T> =>
    atomic(`${verb} ${name}`, (tx) => recipe.act(tx, engine, plan));
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
        throw new RefusedError(`${name} has changed since it was looked at: nothing was done`, {
          remedy: 'look at it and give the command again',
        });
    };
    return {
      ...(asks === undefined ? {} : { destroys: asks(plan), again }),
      act: () => act(plan, bofh),
      answer: (made: T) => recipe.answer(plan, made),
    };
  };
  return change<T>(runtime, look, { site: 'used' });
}

/** A recipe that destroys nothing, which makes its plan where it is done: a plan that is refused is in the system log. */
export async function made<M extends readonly Member[] | undefined, T>(
  runtime: Runtime,
  recipe: (bofh: Bofh) => Promise<{
    /** Undefined: no other host than this. */
    readonly members: M;
    readonly act: (bofh: Bofh, members: M) => Promise<T>;
    readonly answer: (made: T) => Answer<unknown>;
  }>,
): Promise<number> {
  const look = async (bofh: Bofh) => {
    const { members, act, answer } = await recipe(bofh);
    if (runtime.settings.mode === 'plan') return () => planned(runtime, { bofh, members }, act);
    return { act: () => act(bofh, members), answer };
  };
  return change<T>(runtime, look, { site: 'used' });
}
