import { BofhError, JournalError } from '../../core/errors.ts';
import type { Engine } from '../engine.ts';
import { next } from '../undo/next.ts';
import { type Met, placeOf } from '../place.ts';
import { advance, copyOf, type State, type Step } from '../journal/state.ts';
import { hostsLeft } from '../undo/unwind.ts';

/** The action of recovery for one step. `look`: the effect of the step ended with an earlier boot. */
export interface PlannedStep {
  readonly do: 'undo' | 'look' | 'finish' | 'blocked';
  readonly step: Step;
  /** Steps whose objects are removed with it. */
  readonly inside: readonly Step[];
}

/** The actions of a recovery, in order, if nothing fails. */
export function plan(state: State, boots: Readonly<Record<string, string>>): readonly PlannedStep[] {
  const steps: PlannedStep[] = [];
  // A copy, because `advance` changes the state.
  let now = advance(copyOf(state), { ...state.owner, t: 'recovery' });
  for (;;) {
    const decision = next(now, { boots, owner: 'me', inverses: new Set() });
    if (decision.do === 'undo') {
      const { step, inside, boot } = decision;
      steps.push({ do: boot === 'same' ? 'undo' : 'look', step, inside });
      for (const { n } of [...inside, step]) now = advance(now, { t: 'undone', n });
    } else if (decision.do === 'finish') {
      steps.push({ do: 'finish', step: decision.step, inside: [] });
      now = advance(now, { t: 'finished', n: decision.step.n });
    } else if (decision.do === 'block') {
      steps.push({ do: 'blocked', step: decision.step, inside: [] });
      now = advance(now, { t: 'blocked', n: decision.step.n, why: decision.why });
    } else return steps;
  }
}

/**
 * Asks the hosts with unfinished work for their boot ids, in parallel: an unreachable host costs at most its
 * connection timeout. Waits for no program.
 */
export async function bootsOf(engine: Engine, state: State): Promise<Met> {
  for (const { name, reach } of state.hosts) engine.place?.(name, reach);
  const boots: Record<string, string> = {};
  const away = new Map<string, Error>();
  const ask = async (name: string): Promise<void> => {
    try {
      boots[name] = (await placeOf(engine, name).host.facts()).boot;
    } catch (error) {
      // If one host cannot be reached, the others are still shown.
      if (!(error instanceof BofhError) || error instanceof JournalError) throw error;
      away.set(name, error);
    }
  };
  await Promise.all([...new Set(hostsLeft(state))].map(ask));
  return { boots, away };
}
