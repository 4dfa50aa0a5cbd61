import type { ChangeHost } from '../command/index.ts';
import { StuckError, type StuckStep } from '../errors.ts';
import { changing, codeOf, type Engine } from './engine.ts';
import { note, type Journal } from './journal.ts';
import type { Line } from './lines.ts';
import { next, type Decision } from './next.ts';
import type { Look } from './operation.ts';
import { exclusive, type State, type Step } from './state.ts';

/** The inverses of bare pairs, which only this process has. */
export type Inverses = ReadonlyMap<number, () => unknown>;

export interface Unwinding {
  readonly engine: Engine;
  readonly journal: Journal;
  readonly boots: Readonly<Record<string, string>>;
  readonly inverses: Inverses;
  readonly scope?: number;
  /** A second signal: stop between two acts, or leave the running one to itself. */
  readonly abandon?: AbortSignal | undefined;
}

export interface Unwound {
  readonly end: 'rolled-back' | 'committed' | 'stuck';
  /** What was found in the place of our objects and not touched. */
  readonly leftAlone: readonly string[];
  readonly errors: readonly unknown[];
}

/** Asks `next` and does what it says until there is nothing left to do: back before the commit, forward after it. */
export async function unwind(unwinding: Unwinding): Promise<Unwound> {
  const { journal, boots, inverses, scope, abandon } = unwinding;
  const leftAlone: string[] = [];
  const errors: unknown[] = [];
  for (;;) {
    if (abandon?.aborted === true) return { end: 'stuck', leftAlone, errors };
    const decision = next(journal.state, { boots, owner: 'me', inverses: new Set(inverses.keys()), scope });
    switch (decision.do) {
      case 'close':
        return { end: decision.outcome, leftAlone, errors };
      case 'stuck':
        return { end: 'stuck', leftAlone, errors };
      case 'block':
        note(journal, [{ t: 'blocked', n: decision.step.n, why: decision.why }]);
        break;
      case 'undo':
      case 'finish': {
        const done = await abandonable(act(unwinding, decision), abandon);
        if (done === undefined) return { end: 'stuck', leftAlone, errors };
        leftAlone.push(...done.leftAlone);
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

interface Acted {
  readonly lines: readonly Line[];
  readonly leftAlone: readonly string[];
  readonly errors: readonly unknown[];
}

async function act(
  unwinding: Unwinding,
  decision: Decision & { readonly do: 'undo' | 'finish' },
): Promise<Acted> {
  const { step } = decision;
  try {
    if (decision.do === 'finish') return await finish(unwinding, step);
    if (decision.boot === 'other') return await lookOnly(unwinding, step);
    return await undo(unwinding, step, decision.riders);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { lines: [{ t: 'blocked', n: step.n, why: 'failed', message }], leftAlone: [], errors: [error] };
  }
}

/** Undoes one step: looks, reverts what is ours, looks again, and makes it durable. */
export async function undo(unwinding: Unwinding, step: Step, riders: readonly Step[] = []): Promise<Acted> {
  const lines: Line[] = [
    ...riders.map((rider): Line => ({ t: 'undone', n: rider.n, by: step.n })),
    { t: 'undone', n: step.n },
  ];
  const inverse = unwinding.inverses.get(step.n);
  if (inverse !== undefined) {
    await inverse();
    return acted(lines);
  }
  const { code, host, journalled } = await at(unwinding, step);
  if (code.deferred) return acted(lines);
  const before = await code.look(journalled);
  if (before.state === 'not-ours') return leave(step, before);
  if (before.state === 'ours')
    await revertAndLook(code.revert(journalled), () => code.look(journalled), step);
  await code.sync({ ...journalled, host });
  return acted(lines);
}

/** What brought the same identity up again after a reboot is named, and never touched. */
async function lookOnly(unwinding: Unwinding, step: Step): Promise<Acted> {
  const { code, journalled } = await at(unwinding, step);
  const look = await code.look(journalled);
  if (look.state === 'gone') return acted([{ t: 'undone', n: step.n }]);
  const found = look.found ?? `it is there again since the reboot${users(look)}`;
  return leave(step, { ...look, found });
}

async function finish(unwinding: Unwinding, step: Step): Promise<Acted> {
  const { code, host, journalled } = await at(unwinding, step);
  const before = await code.look(journalled);
  if (before.state === 'not-ours') {
    const found = before.found ?? 'another object is in its place';
    return {
      lines: [{ t: 'finished', n: step.n, notOurs: found }],
      leftAlone: [describe(step, found)],
      errors: [],
    };
  }
  if (before.state === 'ours')
    await revertAndLook(code.afterCommit(journalled), () => code.look(journalled), step);
  await code.sync({ ...journalled, host });
  return acted([{ t: 'finished', n: step.n }]);
}

/** A non-zero exit proves nothing, and neither does a zero one: only `look` decides. */
async function revertAndLook(acting: Promise<void>, look: () => Promise<Look>, step: Step): Promise<void> {
  let failure: unknown;
  try {
    await acting;
  } catch (error) {
    failure = error;
  }
  const after = await look();
  if (after.state !== 'ours') return;
  throw (
    failure ??
    new Error(`${describe(step)} is still there, although its tool reported success${users(after)}`)
  );
}

async function at(unwinding: Unwinding, step: Step) {
  const { engine, journal } = unwinding;
  const code = await codeOf(engine, step.intent, journal.id);
  const host: ChangeHost = changing(engine, journal, { n: step.n, kind: step.intent.kind });
  const result = step.done === undefined ? {} : { result: step.done.result };
  return { code, host, journalled: { undo: step.intent.undo, host, ...result } };
}

function acted(lines: readonly Line[]): Acted {
  return { lines, leftAlone: [], errors: [] };
}

function leave(step: Step, look: Look): Acted {
  const found = look.found ?? 'another object is in its place';
  return {
    lines: [{ t: 'undone', n: step.n, notOurs: found }],
    leftAlone: [describe(step, found)],
    errors: [],
  };
}

/** Undefined when the second signal comes first: the act goes on without us, its journal is open. */
async function abandonable<T>(acting: Promise<T>, abandon: AbortSignal | undefined): Promise<T | undefined> {
  if (abandon === undefined) return acting;
  const { promise, forget } = aborted(abandon);
  try {
    return await Promise.race([acting, promise]);
  } finally {
    forget();
  }
}

/** Settles when the signal comes; `forget` takes its listener off. */
export function aborted(signal: AbortSignal): { promise: Promise<undefined>; forget: () => void } {
  let forget = (): void => undefined;
  const promise = new Promise<undefined>((resolve) => {
    const give = (): void => resolve(undefined);
    if (signal.aborted) give();
    signal.addEventListener('abort', give, { once: true });
    forget = () => signal.removeEventListener('abort', give);
  });
  return { promise, forget };
}

function users(look: Look): string {
  return look.holders === undefined || look.holders.length === 0
    ? ''
    : `; used by ${look.holders.join(', ')}`;
}

/** A step in words: what it is and which objects it made or changed. */
export function describe(step: Step, found?: string): string {
  const objects = exclusive(step.intent.claims ?? {});
  const what = `${step.intent.kind}${objects.length === 0 ? '' : ` (${objects.join(', ')})`}`;
  return found === undefined ? what : `${what}: ${found}`;
}

/** The steps of a journal as the error and `journal show` tell them. */
export function stuckSteps(state: State) {
  const left = state.steps.filter((step) =>
    state.committed
      ? step.undone === undefined && step.intent.after && !step.finished
      : step.undone === undefined,
  );
  const word = (step: Step): StuckStep => ({
    n: step.n,
    kind: step.intent.kind,
    objects: exclusive(step.intent.claims ?? {}),
    ...(step.blocked === undefined ? {} : { why: reason(step) }),
  });
  return {
    undone: state.steps.filter((step) => step.undone !== undefined).map(word),
    blocked: left.filter((step) => step.blocked !== undefined).map(word),
    remaining: left.filter((step) => step.blocked === undefined).map(word),
  };
}

function reason({ blocked }: Step): string {
  if (blocked === undefined) return '';
  if (blocked.why === 'bare') return 'its inverse was code of a process that is gone';
  if (blocked.why === 'failed') return blocked.message ?? 'its undo failed';
  return `step ${blocked.why.by} stands in the way`;
}

/** The error of a sequence that could not be brought to an end. */
export function stuck(
  journal: Journal,
  details: { readonly cause: unknown; readonly value?: unknown; readonly errors?: readonly unknown[] },
): StuckError {
  const { state, id } = journal;
  const steps = stuckSteps(state);
  const what = state.committed ? 'is committed, but work after the commit is left' : 'could not be undone';
  const first = steps.blocked[0];
  const why = first === undefined ? '' : `: ${first.kind} (${first.objects.join(', ')}): ${first.why ?? ''}`;
  return new StuckError(`"${state.begin.name}" ${what}${why}`, {
    id,
    committed: state.committed,
    value: details.value,
    ...steps,
    cause: joined(details.cause, details.errors ?? []),
  });
}

/** An inverse that fails does not hide the first error. */
function joined(cause: unknown, errors: readonly unknown[]): unknown {
  return errors.length === 0 ? cause : new AggregateError([cause, ...errors], messageOf(cause));
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
