import { type BlockedWhy } from '../journal/lines.ts';
import {
  blocks,
  directoriesOver,
  endedWithBoot,
  exclusive,
  inScope,
  type State,
  type Step,
} from '../journal/state.ts';
import { placesOf } from '../journal/step-index.ts';
import { keyOf } from '../locks/host-key.ts';

/** The next action of a rollback or a commit. */
export type Decision =
  | { readonly do: 'go-on' }
  | {
      readonly do: 'undo';
      readonly step: Step;
      /** `other`: the effect of the step ended with an earlier boot; only look. */
      readonly boot: 'same' | 'other';
      /** Steps inside the object that this undo destroys, newest first. */
      readonly inside: readonly Step[];
    }
  | { readonly do: 'block'; readonly step: Step; readonly why: Exclude<BlockedWhy, 'failed'> }
  | { readonly do: 'finish'; readonly step: Step }
  | { readonly do: 'close'; readonly outcome: 'committed' | 'rolled-back' }
  | { readonly do: 'stuck' }
  | { readonly do: 'wait' }
  | { readonly do: 'refuse' };

export interface View {
  /** Host → its current boot id; without those that cannot be reached. */
  readonly boots: Readonly<Record<string, string>>;
  /**
   * `me`: this process works on it. `other`: another living process does. `orphan`: its owner is
   * dead, but one of the programs that it started still runs.
   */
  readonly owner: 'me' | 'other' | 'orphan';
  /** Steps whose inverse is code of this process: pairs of functions of the running sequence. */
  readonly inverses: ReadonlySet<number>;
  /** Only the steps of this scope. */
  readonly scope?: number | undefined;
  /** Steps whose device is missing: the undo of their container, if any, undoes them too. */
  readonly unreachable?: ReadonlySet<number> | undefined;
}

/**
 * The whole policy of rolling back and forward, as a pure function. The running sequence, scopes,
 * recovery and `journal show` all call it; no other code decides about a rollback.
 */
export function next(state: State, view: View): Decision {
  if (view.owner === 'other') return { do: 'refuse' };
  if (view.owner === 'orphan') return { do: 'wait' };
  if (state.committed) return forward(state, view);
  if (state.unwinding.length === 0) return { do: 'go-on' };
  return back(state, view);
}

function back(state: State, view: View): Decision {
  const { steps, index } = state;
  const isIn = (place: number): boolean => inScope(state, steps[place]?.intent.scope, view.scope);
  for (const place of placesOf(index.open, 'newest')) {
    const step = steps[place];
    if (step === undefined || !isIn(place)) continue;
    if (step.intent.kind === 'bare' && !view.inverses.has(step.n)) return { do: 'block', step, why: 'bare' };
    if (isAway(step, view)) return { do: 'block', step, why: 'away' };
    if (endedWithBoot(step, view.boots[step.intent.host])) {
      // The undo of a newer step may need this step again, for example its mount.
      const waiting = blockerOf(state, place, view);
      if (waiting !== undefined) return { do: 'block', step, why: { by: waiting.n } };
      return { do: 'undo', step, boot: 'other', inside: [] };
    }
    const at = containerAt(state, place, view.scope);
    const container = at === undefined || losesAccess(state, place, at, view) ? undefined : steps[at];
    if (container?.blocked !== undefined) return { do: 'block', step, why: { by: container.n } };
    if (container !== undefined) continue;
    const blocker = blockerOf(state, place, view);
    if (blocker !== undefined) return { do: 'block', step, why: { by: blocker.n } };
    return { do: 'undo', step, boot: 'same', inside: stepsInsideAt(state, place, view.scope) };
  }
  return [...index.blocked].some(isIn) ? { do: 'stuck' } : { do: 'close', outcome: 'rolled-back' };
}

/**
 * Whether the host of this step cannot be reached. Never for a pair of functions, which is code of
 * this process.
 */
function isAway({ intent }: Step, { boots }: View): boolean {
  return intent.kind !== 'bare' && boots[intent.host] === undefined;
}

/**
 * Whether a step between this step and its container opened the device (loop, LUKS) through which
 * the object of this step is read. The device is closed before the container is undone, so the undo
 * of the container could not compare the content of the object: this step is undone separately.
 */
function losesAccess(
  { steps, index }: State,
  place: number,
  container: number,
  { unreachable }: View,
): boolean {
  const { intent, n = -1 } = steps[place] ?? {};
  if (unreachable?.has(n) === true) return false;
  if (intent?.contains === undefined || intent.claims === null) return false;
  return [...exclusive(intent.claims), ...(intent.claims.needs ?? [])].some((key) =>
    (index.makers.get(key) ?? []).some((maker) => {
      const access = steps[maker];
      return maker > container && maker < place && access?.intent.lives === 'boot';
    }),
  );
}

/** The steps that gave access to the object of this one (loop devices, open LUKS devices), oldest first. */
export function accessTo({ steps, index }: State, { n, intent }: Step): readonly Step[] {
  if (intent.claims === null) return [];
  const makers = [...exclusive(intent.claims), ...(intent.claims.needs ?? [])].flatMap(
    (key) => index.makers.get(key) ?? [],
  );
  return [...new Set(makers)]
    .sort((a, b) => a - b)
    .flatMap((place) => steps[place] ?? [])
    .filter((step) => step.n < n && step.intent.lives === 'boot');
}

/** The older step that made what this step changed, for example attached the loop device that it detached. */
export function openerOf({ steps, index }: State, { n, intent }: Step): Step | undefined {
  return (intent.claims?.changes ?? [])
    .flatMap((key) => index.makers.get(key) ?? [])
    .flatMap((place) => steps[place] ?? [])
    .findLast((step) => step.n < n && step.undone === undefined && step.intent.lives === 'boot');
}

/**
 * The mounts of the sequence that the paths of this step lead through, oldest first. At each mount point only
 * the mount that was the newest when this step began.
 */
export function mountsOver({ steps, index }: State, { n, intent }: Step): readonly Step[] {
  const found = new Set<number>();
  const keys = [
    ...exclusive(intent.claims ?? {}).flatMap(directoriesOver),
    // A path through a symbolic link does not contain the mount point.
    ...(intent.mounts ?? []).map(({ path }) => keyOf(intent.host, `mnt:${path}`)),
  ];
  for (const key of keys) {
    const place = (index.holders.get(key) ?? []).findLast((each) => (steps[each]?.n ?? n) < n);
    const step = place === undefined ? undefined : steps[place];
    if (place !== undefined && step?.intent.lives === 'boot') found.add(place);
  }
  return [...found].sort((a, b) => a - b).flatMap((place) => steps[place] ?? []);
}

/**
 * The older steps whose undo destroys the content of this mount: they created its filesystem
 * (`fs:`), or the device that it is on.
 */
export function destroyersOf({ steps, index }: State, { n, intent }: Step): readonly Step[] {
  const keys = [...exclusive(intent.claims ?? {}), ...(intent.claims?.needs ?? [])];
  return keys
    .flatMap((key) => index.holders.get(key) ?? [])
    .flatMap((place) => steps[place] ?? [])
    .filter((older) => {
      const { contains } = older.intent;
      if (older.n >= n || contains === undefined) return false;
      return keys.includes(contains) || /^(?:[^/!]+!)?fs:/.test(contains);
    });
}

/** The step whose undo destroys this step's object too. */
export function containerStep(state: State, { n }: Step): Step | undefined {
  const at = containerAt(state, state.index.places.get(n) ?? -1, undefined);
  return at === undefined ? undefined : state.steps[at];
}

/**
 * The place of the container of this step: the older step whose undo also destroys the object of
 * this step. Undefined: it has none in this scope.
 */
function containerAt(state: State, place: number, scope: number | undefined): number | undefined {
  const { steps, index } = state;
  const key = steps[place]?.intent.within;
  if (key === undefined) return undefined;
  const makers = index.makers.get(key) ?? [];
  // A name means the object of the newest step that created it, or that renamed an object to it.
  // The undo of a rename destroys nothing: then there is no container.
  for (let at = olderThan(makers, place); at >= 0; at -= 1) {
    const maker = makers[at] ?? -1;
    const intent = steps[maker]?.intent;
    if (intent === undefined || !inScope(state, intent.scope, scope)) continue;
    return intent.contains === key ? maker : undefined;
  }
  return undefined;
}

/** The index of the last place before this one in an ascending list; -1: none. */
function olderThan(list: readonly number[], place: number): number {
  let [low, high] = [0, list.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((list[middle] ?? 0) < place) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** The steps inside this step's object, on all levels, newest first. */
export function stepsInside(state: State, { n }: Step): readonly Step[] {
  const place = state.index.places.get(n);
  return place === undefined ? [] : stepsInsideAt(state, place, undefined);
}

function stepsInsideAt(state: State, place: number, scope: number | undefined): readonly Step[] {
  const { steps, index } = state;
  const found: number[] = [];
  // The list grows while it is walked.
  const containers = [place];
  for (const container of containers) {
    const key = steps[container]?.intent.contains;
    const inside = key === undefined ? [] : (index.inside.get(key) ?? []);
    for (let at = olderThan(inside, container + 1) + 1; at < inside.length; at += 1) {
      const member = inside[at] ?? -1;
      if (!inScope(state, steps[member]?.intent.scope, scope)) continue;
      if (containerAt(state, member, scope) !== container) continue;
      found.push(member);
      containers.push(member);
    }
  }
  return found.sort((a, b) => b - a).flatMap((each) => steps[each] ?? []);
}

/** A newer step that prevents this undo: blocked itself, or outside the scope that is undone. */
function blockerOf(state: State, place: number, view: View): Step | undefined {
  const { steps, index } = state;
  const older = steps[place];
  let newest = -1;
  const consider = (other: number): void => {
    const step = steps[other];
    if (other > Math.max(place, newest) && older !== undefined && step !== undefined)
      if (blocks(step.intent, older.intent)) newest = other;
  };
  for (const other of index.blocked) consider(other);
  if (view.scope !== undefined)
    for (const other of placesOf(index.open, 'newest')) {
      if (other <= place) break;
      if (!inScope(state, steps[other]?.intent.scope, view.scope)) consider(other);
    }
  return steps[newest];
}

/**
 * The next action after the commit: the irreversible parts, in step order. A blocked step also blocks later
 * steps that conflict with it.
 */
function forward(state: State, view: View): Decision {
  const { steps, index } = state;
  if (index.blocked.size > 0) return forwardPast(state, view);
  for (const place of placesOf(index.unfinished, 'oldest')) {
    const step = steps[place];
    if (step === undefined) continue;
    return isAway(step, view) ? { do: 'block', step, why: 'away' } : { do: 'finish', step };
  }
  return { do: 'close', outcome: 'committed' };
}

/** Like `forward`, if some steps are blocked: compares every other step with the blocked ones. */
function forwardPast(state: State, view: View): Decision {
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
      // This step has nothing to finish, but a later step that conflicts with it must not overtake the
      // blocked one.
      if (blocker !== undefined) blocked.push(step);
      continue;
    }
    if (blocker !== undefined) return { do: 'block', step, why: { by: blocker.n } };
    if (isAway(step, view)) return { do: 'block', step, why: 'away' };
    return { do: 'finish', step };
  }
  return blocked.length === 0 ? { do: 'close', outcome: 'committed' } : { do: 'stuck' };
}
