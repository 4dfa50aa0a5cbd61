import { present } from '../../core/present.ts';
import type { Awaiting, BeginLine, IntentLine, Line, Owner } from './lines.ts';
import type { Claims, Key } from '../operation.ts';
import { addStep, changeStep, copyIndex, emptyIndex, exclusive, type Index, unblock } from './step-index.ts';
import type { Step } from './step.ts';
import { isFilledAt, isRestoredLater, isUsedLater } from './uses.ts';

export type { Step } from './step.ts';

export { exclusive } from './step-index.ts';

/** The state that a journal's lines describe. */
export interface State {
  readonly begin: BeginLine;
  /** The newest of `begin` and `recovery`. */
  readonly owner: Owner;
  /** In the order of the intent lines. */
  readonly steps: readonly Step[];
  /** Other hosts on which the sequence has, or had, reserved objects. */
  readonly hosts: readonly { readonly name: string; readonly reach: unknown }[];
  /** scope → the scope around it. */
  readonly scopes: ReadonlyMap<number, number | undefined>;
  /**
   * The unfinished rollbacks: of scopes, or (undefined) of the whole sequence. A rollback begins with the
   * line `rollback` or `recovery`.
   */
  readonly unwinding: readonly (number | undefined)[];
  readonly because: string | undefined;
  /** Set while the sequence waits for its confirmation, and no process works on it. */
  readonly awaiting: Awaiting | undefined;
  readonly committed: boolean;
  readonly closed: (Line & { readonly t: 'closed' })['outcome'] | undefined;
  /** Indexes for `next`, so that the cost of a step does not grow with the number of steps. */
  readonly index: Index;
}

/** A state that grows with each line, and its index. */
type Growing = { -readonly [K in keyof State]: State[K] };

/** Adds a line to the state and returns it. Changes the given state (use `copyOf` to keep it). */
export function advance(state: State | undefined, line: Line): State {
  if (state === undefined) {
    if (line.t !== 'begin') throw new TypeError('a journal starts with `begin`');
    return begun(line);
  }
  const own: Growing = state;
  const { index } = state;
  switch (line.t) {
    case 'begin':
      throw new TypeError('a journal has one `begin`');
    case 'host':
      own.hosts = [...state.hosts, { name: line.host, reach: line.reach }];
      break;
    case 'scope':
      index.scopes.set(line.s, line.parent);
      break;
    case 'scope-end':
      own.unwinding = state.unwinding.filter((scope) => scope !== line.s);
      break;
    case 'intent':
      addStep(index, { n: line.n, intent: line, finished: false });
      break;
    case 'done':
      changeStep(index, line.n, { done: { result: line.result }, ...present({ witness: line.witness }) });
      break;
    case 'again': {
      const intent = stepOf(state, line.n)?.intent;
      if (intent !== undefined)
        changeStep(index, line.n, {
          intent: { ...intent, boot: line.boot, undo: line.undo },
          done: undefined,
          ...(own.committed ? { reopened: true } : {}),
        });
      break;
    }
    case 'back': {
      const intent = stepOf(state, line.n)?.intent;
      if (intent !== undefined)
        changeStep(index, line.n, { back: true, intent: { ...intent, undo: line.undo } });
      break;
    }
    case 'compared':
      changeStep(index, line.n, { compared: true });
      break;
    case 'witness':
      changeStep(index, line.n, { witness: line.witness });
      break;
    case 'undone': {
      const { t: _, n, ...undone } = line;
      changeStep(index, n, { undone });
      break;
    }
    case 'blocked': {
      const { t: _, n, ...blocked } = line;
      changeStep(index, n, { blocked });
      break;
    }
    case 'finished':
      changeStep(index, line.n, { finished: true, ...present({ kept: line.kept }) });
      break;
    case 'rollback':
      unblock(index);
      own.unwinding = [...state.unwinding, line.scope];
      // The error of a scope may have been caught: it is then no reason for what follows.
      if (line.scope === undefined) own.because = line.because;
      break;
    case 'recovery':
      unblock(index);
      own.unwinding = [undefined];
      own.owner = line;
      // A sequence that is partly undone cannot be confirmed.
      own.awaiting = undefined;
      break;
    case 'awaiting':
      own.awaiting = line;
      break;
    case 'committed':
      unblock(index);
      own.awaiting = undefined;
      own.committed = true;
      break;
    case 'closed':
      own.awaiting = undefined;
      own.closed = line.outcome;
      break;
  }
  return own;
}

/** The state of a whole journal. */
export function fold(lines: readonly Line[]): State {
  let state: State | undefined;
  for (const line of lines) state = advance(state, line);
  if (state === undefined) throw new TypeError('an empty journal has no state');
  return state;
}

/** A copy that can grow separately. */
export function copyOf(state: State): State {
  const index = copyIndex(state.index);
  return { ...state, index, steps: index.steps, scopes: index.scopes };
}

function begun(line: BeginLine): State {
  const index = emptyIndex();
  return {
    begin: line,
    owner: line,
    steps: index.steps,
    hosts: [],
    scopes: index.scopes,
    unwinding: [],
    because: undefined,
    awaiting: undefined,
    committed: false,
    closed: undefined,
    index,
  };
}

/** The step with a number. */
export function stepOf({ steps, index }: State, n: number): Step | undefined {
  const place = index.places.get(n);
  return place === undefined ? undefined : steps[place];
}

/** Whether scope `inner` is inside scope `outer` (undefined: the whole sequence). */
export function inScope(state: State, inner: number | undefined, outer: number | undefined): boolean {
  for (let scope = inner; ; scope = state.scopes.get(scope)) {
    if (scope === outer) return true;
    if (scope === undefined) return false;
  }
}

/** Two steps conflict when they share a key and at least one side is exclusive. */
export function conflicting(a: Claims, b: Claims): Key | undefined {
  const exclusiveB = new Set(exclusive(b));
  const all = new Set([...exclusiveB, ...(b.needs ?? [])]);
  return exclusive(a).find((key) => all.has(key)) ?? (a.needs ?? []).find((key) => exclusiveB.has(key));
}

/** Whether this step still has work: before the commit its undo, after it its irreversible part. */
export function isLeft(state: State, step: Step): boolean {
  return step.undone === undefined && (!state.committed || (step.intent.after && !step.finished));
}

/** Whether the effect of a step ended with its boot, so that there is nothing to undo. */
export function endedWithBoot({ intent }: Step, boot: string | undefined): boolean {
  return intent.lives === 'boot' && intent.recurs !== true && intent.boot !== boot;
}

/**
 * Whether the older step conflicts with the newer one, or created or mounted the directory of an object of
 * the newer one. A pair of functions without claims conflicts with every older step.
 */
export function blocks(newer: Pick<IntentLine, 'claims'>, older: Pick<IntentLine, 'claims'>): boolean {
  if (newer.claims === null) return true;
  if (older.claims === null) return false;
  return conflicting(newer.claims, older.claims) !== undefined || isInside(newer.claims, older.claims);
}

/** Only a directory can have other objects below its path. */
function isInside(inner: Claims, outer: Claims): boolean {
  const above = new Set(exclusive(inner).flatMap(directoriesOver));
  return (
    above.size > 0 &&
    ((outer.makes ?? []).some((key) => above.has(key)) ||
      exclusive(outer).some((key) => above.has(key) && /^(?:[^/!]+!)?mnt:/.test(key)))
  );
}

/** The keys of the directories above a path, as files and as mount points; the innermost first. */
export function directoriesOver(key: Key): readonly Key[] {
  const { host = '', path } = /^(?<host>[^/!]+!)?(?:file|mnt):(?<path>\/.*)$/s.exec(key)?.groups ?? {};
  const names = path?.split('/').slice(1, -1) ?? [];
  return names
    .map((_, index) => `/${names.slice(0, names.length - index).join('/')}`)
    .flatMap((above) => [`${host}mnt:${above}`, `${host}file:${above}`]);
}

/**
 * Other steps that are not undone and conflict with this one, oldest first; none for a pair of
 * functions without claims.
 */
export function conflictsOf({ index }: State, { n, intent }: Step): readonly Step[] {
  const places = new Set<number>();
  const add = (list: readonly number[] | undefined): void => list?.forEach((place) => places.add(place));
  for (const key of exclusive(intent.claims ?? {})) {
    add(index.holders.get(key));
    add(index.needers.get(key));
  }
  for (const key of intent.claims?.needs ?? []) add(index.holders.get(key));
  const steps = [...places].sort((a, b) => a - b).flatMap((place) => index.steps[place] ?? []);
  return steps.filter((step) => step.n !== n);
}

/**
 * Whether a newer step, undone or not, may have written to the object of this one, or to what is
 * below it.
 */
export function isTouched({ index }: State, { n }: Step): boolean {
  const place = index.places.get(n);
  return place !== undefined && isUsedLater(index.uses, place);
}

/** The key of the object that contains the content of a step, as a refusal and `--discard` name it. */
export function containerOf({ intent, n }: Step): Key {
  const { claims, contains, within } = intent;
  return contains ?? within ?? claims?.changes?.[0] ?? claims?.makes?.[0] ?? String(n);
}

/** The journalled data that an operation gets for its step. */
export function journalled({ index }: State, { n, intent, done }: Step) {
  const place = index.places.get(n);
  return {
    undo: intent.undo,
    ...present({ result: done?.result }),
    ...(place !== undefined && isRestoredLater(index.uses, place) ? ({ restored: true } as const) : {}),
  };
}

/** Whether the object of a step contains an object of the sequence. */
export function isFilled({ index }: State, { n }: Step): 'now' | 'before' | 'never' {
  return isFilledAt(index.uses, index.places.get(n) ?? -1);
}

/** Finds a step that a scope is undoing now, and that the new step would block. */
export function beingUndone(state: State, intent: IntentLine): Step | undefined {
  if (state.unwinding.length === 0) return undefined;
  return state.steps.find(
    (step) =>
      step.undone === undefined &&
      state.unwinding.some((scope) => inScope(state, step.intent.scope, scope)) &&
      blocks(intent, step.intent),
  );
}
