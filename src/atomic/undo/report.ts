import { messageOf, type ManualRecovery, StuckError, type StuckStep } from '../../core/errors.ts';
import { type Engine } from '../engine.ts';
import { keyInWords, objectsOf } from '../locks/host-key.ts';
import type { Journal } from '../journal/journal-writer.ts';
import { exclusive, isLeft, journalled, type State, type Step } from '../journal/state.ts';
import { placeOf } from '../place.ts';
import { stepName } from '../../core/option.ts';
import { isMissing } from './missing.ts';
import { present } from '../../core/present.ts';

/** A step as text: what it is and which objects it made or changed. */
export function describe({ intent }: Step, found?: string): string {
  const objects = exclusive(intent.claims ?? {}).map((key) => keyInWords(intent.host, key));
  const name = stepName(kindOf(intent));
  const what = `${name}${objects.length === 0 ? onHost(intent) : ` (${objects.join(', ')})`}`;
  return found === undefined ? what : `${what}: ${found}`;
}

/** The kind of a step; for a pair of functions its name. */
export function kindOf({ kind, args }: Pick<Step['intent'], 'kind' | 'args'>): string {
  if (kind !== 'bare') return kind;
  const { name } = Object(args) as { readonly name?: unknown };
  return typeof name === 'string' ? name : kind;
}

function onHost({ host }: Step['intent']): string {
  return host === '' ? '' : ` on ${host}`;
}

/** The steps of a journal for the error and for `journal show`. */
async function stuckSteps({ engine, journal: { state }, abandon }: Stuck): Promise<Required<Steps>> {
  const left = state.steps.filter((step) => isLeft(state, step));
  // After a second signal bofh does not query the host, which may have to wait; `journal show` does.
  const recovery = async (step: Step): Promise<ManualRecovery | undefined> =>
    abandon?.aborted === true
      ? withoutClear(await manualRecoveryOf(engine, state, step))
      : await manualRecoveryNow(engine, state, step);
  const remaining = await Promise.all(
    left.map(async (step) => {
      const manualRecovery = await recovery(step);
      return {
        step,
        said: { ...inWords(step), ...present({ manualRecovery }) },
      };
    }),
  );
  const of = (is: (step: Step) => boolean) =>
    remaining.filter(({ step }) => is(step)).map(({ said }) => said);
  return {
    done: state.committed ? state.steps.filter((step) => stays(state, step)).map(inWords) : [],
    // An object of others is not undone: it is left untouched, and reported.
    undone: state.steps
      .filter(({ undone }) => undone !== undefined && undone.notOurs === undefined)
      .map(inWords),
    blocked: of((step) => step.blocked !== undefined),
    remaining: of((step) => step.blocked === undefined),
  };
}

interface Stuck {
  readonly engine: Engine;
  readonly journal: Journal;
  readonly abandon?: AbortSignal | undefined;
}

type Steps = Pick<StuckError, 'done' | 'undone' | 'blocked' | 'remaining'>;

function stays(state: State, step: Step): boolean {
  return step.undone === undefined && !isLeft(state, step);
}

/**
 * The manual recovery of a step that is left. Undefined if its kind has none, or this bofh does not
 * know the kind: text for people must not hide the error that it explains.
 */
export async function manualRecoveryOf(
  engine: Pick<Engine, 'find'>,
  state: Pick<State, 'committed'>,
  { intent, done }: Pick<Step, 'intent' | 'done'>,
): Promise<ManualRecovery | undefined> {
  try {
    const code = await engine.find(intent.kind, intent.version);
    const result = present({ result: done?.result });
    // Of a mount that the commit opened again nothing is finished: it is closed.
    const way = state.committed && intent.after ? 'forward' : 'back';
    return code?.describe?.({ undo: intent.undo, ...result, way });
  } catch {
    return undefined;
  }
}

/**
 * As `manualRecoveryOf`, after a look at the host: with the current names of devices, and without commands
 * that clear a missing object or device. For example, another file may have the loop number now, and `wipefs`
 * would destroy its data.
 */
export async function manualRecoveryNow(
  engine: Engine,
  state: State,
  step: Step,
): Promise<ManualRecovery | undefined> {
  const { intent } = step;
  try {
    const { host } = placeOf(engine, intent.host);
    const undo = await engine.currentNames(host, intent.undo);
    const found = await manualRecoveryOf(engine, state, { ...step, intent: { ...intent, undo } });
    return (await isGone(engine, state, step)) ? withoutClear(found) : found;
  } catch {
    return withoutClear(await manualRecoveryOf(engine, state, step));
  }
}

/**
 * The manual recovery of a step that is left, or whose object the commit opened again and did not close. Undefined
 * for any other step.
 */
export async function manualRecoveryLeft(
  engine: Engine,
  state: State,
  step: Step,
): Promise<ManualRecovery | undefined> {
  if (isLeft(state, step)) return await manualRecoveryNow(engine, state, step);
  if (step.reopened !== true) return undefined;
  const found = await manualRecoveryNow(engine, state, step);
  return found?.clear.length === 0 ? undefined : found;
}

function withoutClear(found: ManualRecovery | undefined): ManualRecovery | undefined {
  return found === undefined ? undefined : { ...found, clear: [] };
}

/** False if the host cannot tell. */
async function isGone(engine: Engine, state: State, step: Step): Promise<boolean> {
  const { host: name, kind, version } = step.intent;
  const { host } = placeOf(engine, name);
  try {
    const look = await (await engine.find(kind, version))?.look({ ...journalled(state, step), host });
    return look !== undefined && look.state !== 'ours';
  } catch (error) {
    return isMissing(error);
  }
}

function inWords(step: Step): StuckStep {
  const { n, intent, blocked } = step;
  const on = intent.host === '' ? {} : { host: intent.host };
  const what = { n, kind: kindOf(intent), ...on, objects: objectsOf(intent) };
  if (blocked === undefined) return what;
  const { holders, remedy } = blocked;
  return { ...{ ...what, why: reason(blocked) }, ...present({ holders, remedy }) };
}

/** Why a step is blocked. */
export function reason({ why, message }: NonNullable<Step['blocked']>): string {
  if (why === 'bare') return 'its inverse was code of a process that is gone';
  if (why === 'failed') return message ?? 'its undo failed';
  if (why === 'away') return message ?? 'its host cannot be reached';
  return `step ${why.by} stands in the way`;
}

/** The error of a sequence that could not be finished. */
export async function stuck(
  what: Stuck,
  details: {
    readonly cause: unknown;
    readonly value?: unknown;
    readonly errors?: readonly unknown[];
    readonly leftUntouched?: readonly string[];
  },
): Promise<StuckError> {
  const { journal } = what;
  const { state, id } = journal;
  // A step that only waits for another one is not the cause.
  const root = state.steps.find(({ blocked }) => typeof blocked?.why === 'string');
  const why = root?.blocked === undefined ? '' : `: ${describe(root, reason(root.blocked))}`;
  return new StuckError(`"${state.begin.name}" ${outcome(journal)}${why}`, {
    id,
    committed: state.committed,
    value: details.value,
    ...(await stuckSteps(what)),
    leftUntouched: details.leftUntouched ?? [],
    ...(root?.blocked?.remedy?.includes('bofh recover ') === true ? { remedy: root.blocked.remedy } : {}),
    cause: joined(details.cause, details.errors ?? []),
  });
}

function outcome({ state, dead }: Journal): string {
  if (state.committed) return 'is committed, but work after the commit is left';
  // Only recovery finds out whether the last line, perhaps `committed`, is on disk.
  if (dead?.at === 'sync')
    return `was left as it is, because its journal cannot be made durable (${dead.message})`;
  return 'could not be undone';
}

/** An inverse that fails does not hide the first error. */
function joined(cause: unknown, errors: readonly unknown[]): unknown {
  return errors.length === 0 ? cause : new AggregateError([cause, ...errors], messageOf(cause));
}
