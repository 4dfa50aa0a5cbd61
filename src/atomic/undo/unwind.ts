import { note, reservingOf } from '../journal/journal-writer.ts';
import type { Line } from '../journal/lines.ts';
import { next, type Decision } from './next.ts';
import { meet } from '../place.ts';
import { remount, reopen } from './reopen.ts';
import { untilAborted } from '../sequence/signal.ts';
import { containerOf, inScope, isLeft, type State, type Step } from '../journal/state.ts';
import { isMissing } from './missing.ts';
import { act, type Acted, failed, known, type Unwinding } from './act.ts';

export interface Unwound {
  readonly end: 'rolled-back' | 'committed' | 'stuck';
  /** Objects found in the place of those of the sequence, and not touched. */
  readonly leftUntouched: readonly string[];
  readonly errors: readonly unknown[];
  /** The act that still runs; the sequence does not wait for it. */
  readonly stillRunning?: Promise<unknown>;
}

/** Executes the decisions of `next` until nothing is left: back before the commit, forward after it. */
export async function unwind(unwinding: Unwinding): Promise<Unwound> {
  const { engine, journal, inverses, scope, abandon } = unwinding;
  const leftUntouched: string[] = [];
  const errors: unknown[] = [];
  const unreachable = new Set<number>();
  const tried = new Set<number>();
  const mounted = new Set<number>();
  const reopening = { changed: new Map<number, ReadonlySet<number>>(), failed: new Set<string>() };
  const met = () => meet(engine, hostsLeft(journal.state, scope), reservingOf(journal), { signal: abandon });
  let { boots, away } = await met();
  for (;;) {
    if (abandon?.aborted === true) return { end: 'stuck', leftUntouched, errors };
    const view = { boots, owner: 'me', inverses: new Set(inverses.keys()), scope, unreachable } as const;
    const decision = next(journal.state, view);
    switch (decision.do) {
      case 'close':
        return { end: decision.outcome, leftUntouched, errors };
      case 'stuck':
        return { end: 'stuck', leftUntouched, errors };
      case 'block':
        note(journal, [blocked(decision, away.get(decision.step.intent.host))]);
        break;
      case 'undo':
      case 'finish': {
        if (decision.do === 'undo' && decision.boot === 'same' && !mounted.has(decision.step.n)) {
          mounted.add(decision.step.n);
          const mounting = again(unwinding, decision.step, remount);
          const done = await untilAborted(abandon, mounting);
          if (done === undefined) return { end: 'stuck', leftUntouched, errors, stillRunning: mounting };
          if (typeof done !== 'boolean') {
            errors.push(...done.errors);
            note(journal, done.lines);
          }
          if (done !== false) break;
        }
        const acting = act(unwinding, decision, boots, reopening);
        const done = await untilAborted(abandon, acting);
        if (done === undefined) return { end: 'stuck', leftUntouched, errors, stillRunning: acting };
        if (done === 'booted') {
          ({ boots, away } = await met());
          break;
        }
        const { n } = decision.step;
        // Its device is missing: the look at its container decides.
        if (isMissing(done.errors[0]) && !unreachable.has(n)) {
          const opening = tried.has(n) ? undefined : openAgain(unwinding, decision.step);
          tried.add(n);
          const opened = opening === undefined ? false : await untilAborted(abandon, opening);
          if (opened === undefined)
            return { end: 'stuck', leftUntouched, errors, ...(opening && { stillRunning: opening }) };
          if (opened === true) break;
          if (opened !== false) {
            errors.push(...opened.errors);
            note(journal, opened.lines);
            break;
          }
          unreachable.add(n);
          const now = next(journal.state, view);
          if (!('step' in now) || now.step.n !== n) break;
        }
        leftUntouched.push(...done.leftUntouched);
        errors.push(...done.errors);
        note(journal, done.lines);
        break;
      }
      case 'go-on':
      case 'wait':
      case 'refuse':
        throw new TypeError(`unwinding was begun in a state that says "${decision.do}"`);
    }
  }
}

/** Opens the device of a step again. False if there was nothing to open. */
async function openAgain(unwinding: Unwinding, step: Step): Promise<boolean | Acted> {
  const { trusted } = unwinding;
  // No content of the step is compared.
  return trusted === 'all' ? false : again(unwinding, step, reopen);
}

/** Opens or mounts again. False if there was nothing to do, or if the content may be discarded. */
async function again(
  { engine, journal, discard }: Unwinding,
  step: Step,
  open: typeof reopen | typeof remount,
): Promise<boolean | Acted> {
  if (discard instanceof Set && discard.has(containerOf(step))) return false;
  try {
    return await open({ engine, journal }, step);
  } catch (error) {
    return failed(step, error);
  }
}

/** The hosts on which work is left. */
export function hostsLeft(state: State, scope?: number): readonly string[] {
  return state.steps
    .filter((step) => isLeft(state, step) && inScope(state, step.intent.scope, scope))
    .flatMap(({ intent }) => (intent.kind === 'bare' ? [] : intent.host));
}

function blocked({ step, why }: Decision & { readonly do: 'block' }, error: Error | undefined): Line {
  const line = { t: 'blocked', n: step.n, why } as const;
  return why === 'away' && error !== undefined ? { ...line, message: error.message, ...known(error) } : line;
}
