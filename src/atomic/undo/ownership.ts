import { RefusedError } from '../../core/errors.ts';
import { stepName } from '../../core/option.ts';
import { codeOf, type Engine } from '../engine.ts';
import { hostKey, keyInWords } from '../locks/host-key.ts';
import type { Journal } from '../journal/journal-writer.ts';
import type { Claims, Key, Look } from '../operation.ts';
import { placeOf } from '../place.ts';
import { unlessOutOfReach } from './out-of-reach.ts';
import { describe } from './report.ts';
import { inScope, journalled, type State, type Step } from '../journal/state.ts';

interface Reaching {
  readonly n: number;
  readonly kind: string;
  readonly claims: Claims;
}

/**
 * Checks again, right before the act of a step, the objects of older steps that it uses by name: another
 * program, which does not respect bofh's locks, may have given the name to a different object. Throws
 * RefusedError before anything is done.
 */
export async function expectStillOurs(
  engine: Engine,
  { state, id }: Pick<Journal, 'state' | 'id'>,
  { n, kind, claims }: Reaching,
): Promise<void> {
  const lookAt = async (step: Step): Promise<Look> => {
    const code = await codeOf(engine, step.intent, id);
    const { host } = placeOf(engine, step.intent.host);
    return code.look({ ...journalled(state, step), host });
  };
  const lookUnlessOut = (step: Step): Promise<Look | undefined> =>
    unlessOutOfReach(engine, { id, state }, { step, work: () => lookAt(step) });
  for (const [newest, key] of dependenciesOf(state, n, claims)) {
    let [step, look]: readonly [Step, Look | undefined] = [newest, await lookUnlessOut(newest)];
    for (const older of look === undefined ? olderOn(state, n, { newest, key }) : [])
      if (look === undefined) [step, look] = [older, await lookUnlessOut(older)];
    if (look === undefined) continue;
    const movedTo = await movedByOthers(engine, () => standing(state, n), { step, look, lookAt });
    if (look.state === 'ours' && movedTo === undefined && look.found === undefined) continue;
    const found = movedTo === undefined ? (look.found ?? 'it is gone') : `it is ${movedTo} now`;
    throw new RefusedError(
      `${stepName(kind)} works on ${keyInWords(step.intent.host, key)}, which is not as this sequence left it: ${describe(step, found)}; nothing was done to it`,
      { remedy: 'see whether it was another bofh: bofh journal list; then run the command again' },
    );
  }
}

/**
 * For each object that older steps made and this one uses or changes: the newest step that made or changed
 * it. A step that lives only until a reboot (a mount, a guest that ran on the object) is used only if there
 * is no other: it may have ended by itself, and then proves nothing about the object.
 */
function dependenciesOf(state: State, n: number, claims: Claims): ReadonlyMap<Step, Key> {
  const { makers, holders } = state.index;
  const newestOf = new Map<Step, Key>();
  const last = (places: readonly number[] = [], is: (step: Step) => boolean): Step | undefined => {
    const found = places.findLast((place) => {
      const step = state.steps[place];
      return step !== undefined && stands(state, n, step) && is(step);
    });
    return found === undefined ? undefined : state.steps[found];
  };
  for (const key of [...(claims.changes ?? []), ...(claims.needs ?? [])]) {
    const makes = ({ intent }: Step): boolean => intent.claims?.makes?.includes(key) === true;
    if (last(makers.get(key), makes) === undefined) continue;
    const newest =
      last(holders.get(key), ({ intent }) => intent.lives === 'disk') ?? last(holders.get(key), () => true);
    // A pair of functions has no `look`.
    if (newest !== undefined && newest.intent.kind !== 'bare') newestOf.set(newest, key);
  }
  return newestOf;
}

/** The steps that changed an object before its newest step, back to the step that made it. */
function olderOn(
  state: State,
  n: number,
  { newest, key }: { readonly newest: Step; readonly key: Key },
): readonly Step[] {
  return (state.index.holders.get(key) ?? [])
    .toReversed()
    .flatMap((place) => state.steps[place] ?? [])
    .filter((step) => step.n < newest.n && step.intent.kind !== 'bare' && stands(state, n, step));
}

function standing(state: State, n: number): readonly Step[] {
  return state.steps.filter((step) => stands(state, n, step));
}

/**
 * Whether the effect of an older step exists. False for a step that a failed scope is undoing now: the
 * sequence itself refuses its objects.
 */
function stands(state: State, n: number, { n: other, undone, intent }: Step): boolean {
  return (
    other !== n &&
    undone === undefined &&
    intent.claims !== null &&
    !state.unwinding.some((scope) => inScope(state, intent.scope, scope))
  );
}

/**
 * The present key of an object that others moved. Undefined if a newer step of the sequence made that key:
 * then the sequence moved the object.
 */
export async function movedByOthers(
  engine: Engine,
  all: () => readonly Step[],
  {
    step,
    look: { movedTo },
    lookAt,
  }: {
    readonly step: Step;
    readonly look: Look;
    readonly lookAt: (step: Step) => Promise<Look | undefined>;
  },
): Promise<Key | undefined> {
  if (movedTo === undefined) return undefined;
  const key = hostKey(placeOf(engine, step.intent.host), movedTo);
  const steps = all();
  const mover = steps
    .slice(steps.indexOf(step) + 1)
    .findLast(({ intent }) => intent.kind !== 'bare' && intent.claims?.makes?.includes(key));
  const look = mover === undefined ? undefined : await lookAt(mover);
  return look?.state === 'ours' && look.movedTo === undefined ? undefined : movedTo;
}
