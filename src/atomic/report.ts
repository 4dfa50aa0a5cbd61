import { StuckError, type StuckStep } from '../errors.ts';
import { messageOf } from './engine.ts';
import type { Journal } from './journal.ts';
import { exclusive, isLeft, type State, type Step } from './state.ts';

/** A step in words: what it is and which objects it made or changed. */
export function describe(step: Step, found?: string): string {
  const objects = exclusive(step.intent.claims ?? {});
  const what = `${step.intent.kind}${objects.length === 0 ? '' : ` (${objects.join(', ')})`}`;
  return found === undefined ? what : `${what}: ${found}`;
}

/** The steps of a journal as the error and `journal show` tell them. */
function stuckSteps(state: State): {
  readonly undone: readonly StuckStep[];
  readonly blocked: readonly StuckStep[];
  readonly remaining: readonly StuckStep[];
} {
  const left = state.steps.filter((step) => isLeft(state, step));
  return {
    undone: state.steps.filter((step) => step.undone !== undefined).map(inWords),
    blocked: left.filter((step) => step.blocked !== undefined).map(inWords),
    remaining: left.filter((step) => step.blocked === undefined).map(inWords),
  };
}

function inWords(step: Step): StuckStep {
  const { n, intent, blocked } = step;
  const objects = exclusive(intent.claims ?? {});
  return { n, kind: intent.kind, objects, ...(blocked === undefined ? {} : { why: reason(blocked) }) };
}

function reason({ why, message }: NonNullable<Step['blocked']>): string {
  if (why === 'bare') return 'its inverse was code of a process that is gone';
  if (why === 'failed') return message ?? 'its undo failed';
  return `step ${why.by} stands in the way`;
}

/** The error of a sequence that could not be brought to an end. */
export function stuck(
  journal: Journal,
  details: { readonly cause: unknown; readonly value?: unknown; readonly errors?: readonly unknown[] },
): StuckError {
  const { state, id } = journal;
  // What only stands behind another step is not why.
  const root = state.steps.find(({ blocked }) => typeof blocked?.why === 'string');
  const why = root?.blocked === undefined ? '' : `: ${describe(root, reason(root.blocked))}`;
  return new StuckError(`"${state.begin.name}" ${outcome(journal)}${why}`, {
    id,
    committed: state.committed,
    value: details.value,
    ...stuckSteps(state),
    cause: joined(details.cause, details.errors ?? []),
  });
}

function outcome({ state, dead }: Journal): string {
  if (state.committed) return 'is committed, but work after the commit is left';
  // Whether the last line is on the disk, and it may have been `committed`, only recovery finds out.
  if (dead?.at === 'sync')
    return `was left as it is, because its journal cannot be made durable (${dead.message})`;
  return 'could not be undone';
}

/** An inverse that fails does not hide the first error. */
function joined(cause: unknown, errors: readonly unknown[]): unknown {
  return errors.length === 0 ? cause : new AggregateError([cause, ...errors], messageOf(cause));
}
