import type { Engine } from '../../../atomic/engine.ts';
import type { State, Step } from '../../../atomic/journal/state.ts';
import { objectsOf } from '../../../atomic/locks/host-key.ts';
import { kindOf } from '../../../atomic/undo/report.ts';
import type { Met } from '../../../atomic/place.ts';
import { bootsOf, plan, type PlannedStep } from '../../../atomic/recovery/recover.ts';
import type { JournalShow, ShownStep } from '../../output/answers/index.ts';

/** The actions of a recovery of a journal, with the current boots of its hosts. */
export async function planned(
  engine: Engine,
  state: State,
): Promise<{ readonly steps: readonly PlannedStep[]; readonly away: Met['away'] }> {
  // The owner of the state is a whole line, and `plan` makes another line of it: passes only these fields.
  const { pid, started, boot, user, bofh } = state.owner;
  const { boots, away } = await bootsOf(engine, state);
  return { steps: plan({ ...state, owner: { pid, started, boot, user, bofh } }, boots), away };
}

/** A planned step for the answers of `journal show` and `recover --dry-run`. */
export function plannedOf({ do: what, step, inside }: PlannedStep): JournalShow['recovery'][number] {
  return { do: what, n: step.n, ...whatOf(step), with: inside.map((member) => member.n) };
}

/** Kind, host and objects of a step. */
export function whatOf({ intent }: Step): Pick<ShownStep, 'kind' | 'host' | 'objects'> {
  const on = intent.host === '' ? {} : { host: intent.host };
  return { kind: kindOf(intent), ...on, objects: [...objectsOf(intent)] };
}
