import { BofhError, messageOf, StuckError } from '../../core/errors.ts';
import { harmless } from '../../core/listener.ts';
import { present } from '../../core/present.ts';
import type { EventStep, SequenceEventBody, SequenceEvent, EventReporter } from '../events.ts';
import type { Line } from '../journal/lines.ts';
import { type State, stepOf } from '../journal/state.ts';
import { objectsOf } from '../locks/host-key.ts';
import { kindOf, reason } from '../undo/report.ts';

/**
 * Makes the events of a sequence. A listener that throws does not affect the sequence: its error becomes a
 * warning of the process.
 */
export function eventReporterOf(
  listen: (event: SequenceEvent) => void,
  of: { readonly id: string; readonly name: string },
): EventReporter {
  const tell = harmless(`a listener of the events of "${of.name}"`, listen);
  let number = 0;
  let direction: SequenceEvent['direction'] = 'forward';
  const scopes = new Map<number, string>();
  const startedAt = new Map<number, number>();
  let ended = false;
  const report = (what: SequenceEventBody): void => {
    // A step that was left running after a second signal still writes its lines.
    if (ended) return;
    ended = what.type === 'ended';
    if (what.type === 'undo-started') direction = 'back';
    const own = what.type === 'step-undone' ? 'back' : direction;
    if (what.type === 'undo-done' && what.scope !== undefined) direction = 'forward';
    number += 1;
    tell({ ...of, number, at: Date.now(), direction: own, ...what });
  };
  return {
    report,
    line: (line, state) => {
      if (line.t === 'scope') scopes.set(line.s, line.name);
      if (line.t === 'intent') startedAt.set(line.n, Date.now());
      const what = eventOf(line, state, { scopes, startedAt });
      if (what !== undefined) report(what);
    },
  };
}

function eventOf(
  line: Line,
  state: State,
  {
    scopes,
    startedAt,
  }: { readonly scopes: ReadonlyMap<number, string>; readonly startedAt: ReadonlyMap<number, number> },
): SequenceEventBody | undefined {
  // A scope without a step is not in the journal, and has nothing to undo.
  const ofScope = <T extends SequenceEventBody>(s: number, report: (scope: string) => T): T | undefined => {
    const scope = scopes.get(s);
    return scope === undefined ? undefined : report(scope);
  };
  switch (line.t) {
    case 'intent':
      return { type: 'step-started', step: eventStep(state, line.n) };
    case 'done':
      return {
        ...{ type: 'step-done', step: eventStep(state, line.n) },
        took: Date.now() - (startedAt.get(line.n) ?? Date.now()),
      };
    case 'undone':
      return { type: 'step-undone', step: eventStep(state, line.n), ...present({ notOurs: line.notOurs }) };
    case 'finished':
      return { type: 'step-finished', step: eventStep(state, line.n), ...present({ notOurs: line.notOurs }) };
    case 'blocked': {
      const { n, remedy, holders } = line;
      return {
        ...{ type: 'stuck', step: eventStep(state, n), why: reason(line) },
        ...present({ remedy, holders }),
      };
    }
    case 'rollback':
      return line.scope === undefined
        ? { type: 'undo-started', because: line.because }
        : ofScope(line.scope, (scope) => ({ type: 'undo-started', because: line.because, scope }));
    case 'scope-end':
      return ofScope(line.s, (scope) => ({ type: 'undo-done', scope }));
    case 'committed':
      return { type: 'committed' };
    case 'closed':
      return line.outcome === 'rolled-back' ? { type: 'undo-done' } : undefined;
    default:
      return undefined;
  }
}

/** The event of the end of a sequence; `journal`: whether it had started a step. */
export function endOf(journal: 'some' | 'none', failure?: { readonly error: unknown }): SequenceEventBody {
  const unchanged = journal === 'none' ? ('unchanged' as const) : undefined;
  if (failure === undefined) return { type: 'ended', outcome: unchanged ?? 'committed' };
  const { error } = failure;
  return {
    type: 'ended',
    outcome: error instanceof StuckError ? 'stuck' : (unchanged ?? 'rolled-back'),
    ...(error instanceof BofhError ? { code: error.code } : {}),
    message: messageOf(error),
  };
}

function eventStep(state: State, n: number): EventStep {
  const intent = stepOf(state, n)?.intent;
  if (intent === undefined) throw new TypeError(`there is no step ${String(n)}`);
  return { n, kind: kindOf(intent), host: intent.host, objects: objectsOf(intent) };
}
