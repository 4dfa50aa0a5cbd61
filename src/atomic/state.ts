import type { BeginLine, Blocked, IntentLine, Line, Owner } from './lines.ts';
import type { Claims, Key } from './operation.ts';

/** A step as the journal tells it. */
export interface Step {
  readonly n: number;
  readonly intent: IntentLine;
  readonly done?: { readonly result: unknown };
  /** The newest one of the content that its undo destroys. */
  readonly witness?: string;
  readonly undone?: { readonly by?: number; readonly notOurs?: string };
  readonly finished: boolean;
  /** In the present attempt. */
  readonly blocked?: Blocked;
}

/** What a journal's lines add up to. */
export interface State {
  readonly begin: BeginLine;
  /** The newest of `begin` and `recovery`. */
  readonly owner: Owner;
  /** In the order of the intent lines. */
  readonly steps: readonly Step[];
  /** Hosts other than that of the journal on which it has, or had, objects reserved. */
  readonly hosts: readonly { readonly name: string; readonly reach: unknown }[];
  /** scope → the scope around it. */
  readonly scopes: ReadonlyMap<number, number | undefined>;
  /** What is being undone: scopes, or (undefined) the whole. An attempt begins with `rollback` or `recovery`. */
  readonly unwinding: readonly (number | undefined)[];
  readonly because: string | undefined;
  readonly committed: boolean;
  readonly closed: (Line & { readonly t: 'closed' })['outcome'] | undefined;
}

/** The state after one more line. */
export function apply(state: State | undefined, line: Line): State {
  if (state === undefined) {
    if (line.t !== 'begin') throw new TypeError('a journal starts with `begin`');
    return {
      begin: line,
      owner: line,
      steps: [],
      hosts: [],
      scopes: new Map(),
      unwinding: [],
      because: undefined,
      committed: false,
      closed: undefined,
    };
  }
  switch (line.t) {
    case 'begin':
      throw new TypeError('a journal has one `begin`');
    case 'host':
      return { ...state, hosts: [...state.hosts, { name: line.host, reach: line.reach }] };
    case 'scope':
      return { ...state, scopes: new Map(state.scopes).set(line.s, line.parent) };
    case 'scope-end':
      return { ...state, unwinding: state.unwinding.filter((scope) => scope !== line.s) };
    case 'intent':
      return { ...state, steps: [...state.steps, { n: line.n, intent: line, finished: false }] };
    case 'done':
      return change(state, line.n, {
        done: { result: line.result },
        ...(line.witness === undefined ? {} : { witness: line.witness }),
      });
    case 'witness':
      return change(state, line.n, { witness: line.witness });
    case 'undone': {
      const { t: _, n, ...undone } = line;
      return change(state, n, { undone });
    }
    case 'blocked': {
      const { t: _, n, ...blocked } = line;
      return change(state, n, { blocked });
    }
    case 'finished':
      return change(state, line.n, { finished: true });
    case 'rollback':
      return {
        ...unblocked(state),
        unwinding: [...state.unwinding, line.scope],
        because: line.because,
      };
    case 'recovery':
      return { ...unblocked(state), unwinding: [undefined], owner: line };
    case 'committed':
      return { ...unblocked(state), committed: true };
    case 'closed':
      return { ...state, closed: line.outcome };
  }
}

/** The state of a whole journal. */
export function fold(lines: readonly Line[]): State {
  let state: State | undefined;
  for (const line of lines) state = apply(state, line);
  if (state === undefined) throw new TypeError('an empty journal has no state');
  return state;
}

function change(state: State, n: number, part: Partial<Step>): State {
  return { ...state, steps: state.steps.map((step) => (step.n === n ? { ...step, ...part } : step)) };
}

/** `blocked` counts for one attempt, or stuck would stay stuck after the repair. */
function unblocked(state: State): State {
  return { ...state, steps: state.steps.map(({ blocked: _, ...step }) => step) };
}

/** Does scope `inner` lie in scope `outer` (undefined: the whole sequence)? */
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

/** The keys that a step must have for itself. */
export function exclusive(claims: Claims): readonly Key[] {
  return [...(claims.makes ?? []), ...(claims.changes ?? [])];
}

/** Is there still something to do for this step: before the commit to undo it, after it to finish it? */
export function isLeft(state: State, step: Step): boolean {
  return step.undone === undefined && (!state.committed || (step.intent.after && !step.finished));
}

/** Does the older step conflict with the newer one? A bare pair without claims conflicts with every older step. */
export function blocks(newer: Pick<IntentLine, 'claims'>, older: Pick<IntentLine, 'claims'>): boolean {
  if (newer.claims === null) return true;
  return older.claims !== null && conflicting(newer.claims, older.claims) !== undefined;
}

/** A step that a scope is undoing now, and that the new one would stand in the way of. */
export function beingUndone(state: State, intent: IntentLine): Step | undefined {
  return state.steps.find(
    (step) =>
      step.undone === undefined &&
      state.unwinding.some((scope) => inScope(state, step.intent.scope, scope)) &&
      blocks(intent, step.intent),
  );
}
