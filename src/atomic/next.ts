import type { BlockedWhy } from './lines.ts';
import { blocks, inScope, type State, type Step } from './state.ts';

/** What to do next. */
export type Decision =
  | { readonly do: 'go-on' }
  | {
      readonly do: 'undo';
      readonly step: Step;
      /** `other`: its effect went with an earlier boot; look only. */
      readonly boot: 'same' | 'other';
      /** Steps inside what this undo destroys, newest first. */
      readonly riders: readonly Step[];
    }
  | { readonly do: 'block'; readonly step: Step; readonly why: Exclude<BlockedWhy, 'failed'> }
  | { readonly do: 'finish'; readonly step: Step }
  | { readonly do: 'close'; readonly outcome: 'committed' | 'rolled-back' }
  | { readonly do: 'stuck' }
  | { readonly do: 'wait' }
  | { readonly do: 'refuse' };

export interface View {
  /** Host → its present boot id; without those that cannot be reached. */
  readonly boots: Readonly<Record<string, string>>;
  /** `me`: we are at work on it. `other`: a living process is. `orphan`: its owner is dead, a tool of it runs. */
  readonly owner: 'me' | 'other' | 'orphan';
  /** Steps whose inverse is code that this process has: bare pairs of the living sequence. */
  readonly inverses: ReadonlySet<number>;
  /** Only what this scope did. */
  readonly scope?: number | undefined;
}

/**
 * The whole policy of going back and of going forward, pure. The live unwind, scopes, recovery and `journal show`
 * all ask it; there is no second rollback.
 */
export function next(state: State, view: View): Decision {
  if (view.owner === 'other') return { do: 'refuse' };
  if (view.owner === 'orphan') return { do: 'wait' };
  if (state.committed) return forward(state, view);
  if (state.unwinding.length === 0) return { do: 'go-on' };
  return back(state, view);
}

function back(state: State, view: View): Decision {
  const left = state.steps.filter(
    (step) => step.undone === undefined && inScope(state, step.intent.scope, view.scope),
  );
  for (const step of left.toReversed()) {
    if (step.blocked !== undefined) continue;
    if (step.intent.kind === 'bare' && !view.inverses.has(step.n)) return { do: 'block', step, why: 'bare' };
    if (isAway(step, view)) return { do: 'block', step, why: 'away' };
    const otherBoot = step.intent.lives === 'boot' && step.intent.boot !== view.boots[step.intent.host];
    if (otherBoot) return { do: 'undo', step, boot: 'other', riders: [] };
    const container = containerOf(step, left);
    if (container?.blocked !== undefined) return { do: 'block', step, why: { by: container.n } };
    if (container !== undefined) continue;
    const blocker = blockerOf(step, state, view);
    if (blocker !== undefined) return { do: 'block', step, why: { by: blocker.n } };
    return { do: 'undo', step, boot: 'same', riders: ridersOf(step, left) };
  }
  return left.length === 0 ? { do: 'close', outcome: 'rolled-back' } : { do: 'stuck' };
}

/** A bare pair is code of this process, wherever it acts. */
function isAway({ intent }: Step, { boots }: View): boolean {
  return intent.kind !== 'bare' && boots[intent.host] === undefined;
}

/** The older step of this unwinding, not yet undone, whose undo destroys what this one lies in. */
function containerOf(step: Step, left: readonly Step[]): Step | undefined {
  const key = step.intent.within;
  if (key === undefined) return undefined;
  const older = left.slice(0, left.indexOf(step));
  // A name belongs to the newest step that made it: what was renamed to it since is another object than the container.
  const maker = older.findLast(
    ({ intent }) => intent.contains === key || intent.claims?.makes?.includes(key) === true,
  );
  return maker?.intent.contains === key ? maker : undefined;
}

/** What lies in this step's object, through any number of levels, newest first. */
export function ridersOf(step: Step, left: readonly Step[]): readonly Step[] {
  const riding = new Set<Step>([step]);
  for (const other of left) {
    const container = containerOf(other, left);
    if (container !== undefined && riding.has(container)) riding.add(other);
  }
  riding.delete(step);
  return [...riding].toReversed();
}

/** A newer step that stands in the way: blocked itself, or outside the scope that is undone. */
function blockerOf(step: Step, state: State, view: View): Step | undefined {
  const newer = state.steps.slice(state.steps.indexOf(step) + 1);
  return newer.findLast(
    (other) =>
      other.undone === undefined &&
      (other.blocked !== undefined || !inScope(state, other.intent.scope, view.scope)) &&
      blocks(other.intent, step.intent),
  );
}

/** After the commit: the irreversible parts, in step order; a blocked step blocks what conflicts with it later on. */
function forward(state: State, view: View): Decision {
  const blocked: Step[] = [];
  for (const step of state.steps) {
    if (step.undone !== undefined) continue;
    if (step.blocked !== undefined) {
      blocked.push(step);
      continue;
    }
    if (step.intent.after && step.finished) continue;
    const blocker = blocked.find(
      (other) => blocks(step.intent, other.intent) || blocks(other.intent, step.intent),
    );
    if (!step.intent.after) {
      // It has nothing to finish, but what conflicts with it must not overtake the blocked one.
      if (blocker !== undefined) blocked.push(step);
      continue;
    }
    if (blocker !== undefined) return { do: 'block', step, why: { by: blocker.n } };
    if (isAway(step, view)) return { do: 'block', step, why: 'away' };
    return { do: 'finish', step };
  }
  return blocked.length === 0 ? { do: 'close', outcome: 'committed' } : { do: 'stuck' };
}
