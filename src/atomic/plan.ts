import { next } from './next.ts';
import { apply, type State, type Step } from './state.ts';

/** What recovery would do with one step. `look`: its effect went with an earlier boot. */
export interface PlannedStep {
  readonly do: 'undo' | 'look' | 'finish' | 'blocked';
  readonly step: Step;
  /** Steps that go with it. */
  readonly riders: readonly Step[];
}

/** What recovery would do, in its order, when nothing fails. */
export function plan(state: State, boots: Readonly<Record<string, string>>): readonly PlannedStep[] {
  const steps: PlannedStep[] = [];
  let now = apply(state, { ...state.owner, t: 'recovery' });
  for (;;) {
    const decision = next(now, { boots, owner: 'me', inverses: new Set() });
    if (decision.do === 'undo') {
      const { step, riders, boot } = decision;
      steps.push({ do: boot === 'same' ? 'undo' : 'look', step, riders });
      for (const { n } of [...riders, step]) now = apply(now, { t: 'undone', n });
    } else if (decision.do === 'finish') {
      steps.push({ do: 'finish', step: decision.step, riders: [] });
      now = apply(now, { t: 'finished', n: decision.step.n });
    } else if (decision.do === 'block') {
      steps.push({ do: 'blocked', step: decision.step, riders: [] });
      now = apply(now, { t: 'blocked', n: decision.step.n, why: decision.why });
    } else return steps;
  }
}
