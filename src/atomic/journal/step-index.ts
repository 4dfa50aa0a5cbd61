import type { IntentLine } from './lines.ts';
import type { Claims, Key } from '../operation.ts';
import type { Step } from './step.ts';
import { addUse, copyUses, emptyUses, undoUse, type Uses } from './uses.ts';

/**
 * The steps of a journal, with indexes. They grow with the lines, so that neither a new line nor the next
 * decision searches all steps. A place is the position of a step in the journal.
 */
export interface Index {
  readonly steps: Step[];
  /** scope → the scope around it. */
  readonly scopes: Map<number, number | undefined>;
  /** n → place. */
  readonly places: Map<number, number>;
  /** Neither undone nor blocked. */
  readonly open: Chain;
  /** Not undone, and blocked. */
  readonly blocked: Set<number>;
  /** Neither undone nor finished, with something to do after the commit. */
  readonly unfinished: Chain;
  /**
   * By key, only steps that are not undone, oldest first: those that make or contain the object, and those
   * that claim it exclusively.
   */
  readonly makers: Map<Key, number[]>;
  readonly holders: Map<Key, number[]>;
  /** By the key of their container: the steps that are not undone. */
  readonly inside: Map<Key, number[]>;
  /** By key: the steps that need the object and are not undone. */
  readonly needers: Map<Key, number[]>;
  readonly uses: Uses;
}

/**
 * An ordered list of places that allows removal: each entry knows the one before and the one after
 * it, or -1. Undefined: not in the list.
 */
interface Chain {
  before: (number | undefined)[];
  after: (number | undefined)[];
  first: number;
  last: number;
}

export function emptyIndex(): Index {
  return {
    steps: [],
    scopes: new Map(),
    places: new Map(),
    open: emptyChain(),
    blocked: new Set(),
    unfinished: emptyChain(),
    makers: new Map(),
    holders: new Map(),
    inside: new Map(),
    needers: new Map(),
    uses: emptyUses(),
  };
}

export function copyIndex(index: Index): Index {
  const lists = (of: Map<Key, number[]>) => new Map([...of].map(([key, list]) => [key, [...list]]));
  return {
    steps: [...index.steps],
    scopes: new Map(index.scopes),
    places: new Map(index.places),
    open: copyChain(index.open),
    blocked: new Set(index.blocked),
    unfinished: copyChain(index.unfinished),
    makers: lists(index.makers),
    holders: lists(index.holders),
    inside: lists(index.inside),
    needers: lists(index.needers),
    uses: copyUses(index.uses),
  };
}

export function addStep(index: Index, step: Step): void {
  const place = index.steps.push(step) - 1;
  const { n, intent } = step;
  index.places.set(n, place);
  link(index.open, place);
  if (intent.after) link(index.unfinished, place);
  for (const [lists, key] of listsOf(index, intent)) {
    const list = lists.get(key);
    if (list === undefined) lists.set(key, [place]);
    else list.push(place);
  }
  addUse(index.uses, intent);
}

/** Ignores an unknown step. */
export function changeStep(
  index: Index,
  n: number,
  part: Partial<
    Pick<
      Step,
      'intent' | 'compared' | 'witness' | 'undone' | 'finished' | 'kept' | 'back' | 'blocked' | 'reopened'
    >
  > & {
    readonly done?: Step['done'] | undefined;
  },
): void {
  const place = index.places.get(n);
  const old = place === undefined ? undefined : index.steps[place];
  if (place === undefined || old === undefined) return;
  const step = { ...old, ...part };
  index.steps[place] = step;
  if (step.undone !== undefined) {
    if (old.undone === undefined) forget(index, place, step.intent);
  } else if (part.blocked !== undefined) {
    unlink(index.open, place);
    index.blocked.add(place);
  }
  if (part.finished === true) unlink(index.unfinished, place);
}

function forget(index: Index, place: number, intent: IntentLine): void {
  unlink(index.open, place);
  unlink(index.unfinished, place);
  index.blocked.delete(place);
  undoUse(index.uses, place);
  for (const [lists, key] of listsOf(index, intent)) {
    const list = lists.get(key) ?? [];
    // The newest is usually removed first.
    const at = list.lastIndexOf(place);
    if (at >= 0) list.splice(at, 1);
    if (list.length === 0) lists.delete(key);
  }
}

/**
 * Clears `blocked` of all steps: it is valid for one attempt. Otherwise a step would stay stuck after its
 * repair.
 */
export function unblock(index: Index): void {
  if (index.blocked.size === 0) return;
  for (const place of index.blocked) {
    const step = index.steps[place];
    if (step === undefined) continue;
    const { blocked: _, ...rest } = step;
    index.steps[place] = rest;
  }
  index.blocked.clear();
  Object.assign(index.open, emptyChain());
  for (const [place, { undone }] of index.steps.entries()) if (undone === undefined) link(index.open, place);
}

/** The places of a chain, the newest or the oldest first. */
export function* placesOf(chain: Chain, from: 'newest' | 'oldest'): Generator<number> {
  const [begin, on] = from === 'newest' ? [chain.last, chain.before] : [chain.first, chain.after];
  for (let place = begin; place >= 0; place = on[place] ?? -1) yield place;
}

function emptyChain(): Chain {
  return { before: [], after: [], first: -1, last: -1 };
}

function copyChain({ before, after, ...ends }: Chain): Chain {
  return { before: before.slice(), after: after.slice(), ...ends };
}

/** Adds a place at the end. */
function link(chain: Chain, place: number): void {
  chain.before[place] = chain.last;
  chain.after[place] = -1;
  if (chain.last >= 0) chain.after[chain.last] = place;
  else chain.first = place;
  chain.last = place;
}

function unlink(chain: Chain, place: number): void {
  const [before, after] = [chain.before[place], chain.after[place]];
  if (before === undefined || after === undefined) return;
  if (before >= 0) chain.after[before] = after;
  else chain.first = after;
  if (after >= 0) chain.before[after] = before;
  else chain.last = before;
  chain.before[place] = undefined;
  chain.after[place] = undefined;
}

/** The keys that claims hold exclusively. */
export function exclusive(claims: Claims): readonly Key[] {
  return [...(claims.makes ?? []), ...(claims.changes ?? [])];
}

/** The lists that contain a step, with its keys. */
function listsOf(
  index: Index,
  { claims, contains, within }: IntentLine,
): (readonly [Map<Key, number[]>, Key])[] {
  const made = new Set([...(claims?.makes ?? []), ...(contains === undefined ? [] : [contains])]);
  return [
    ...[...made].map((key) => [index.makers, key] as const),
    ...[...new Set(exclusive(claims ?? {}))].map((key) => [index.holders, key] as const),
    ...(within === undefined ? [] : [[index.inside, within] as const]),
    ...[...new Set(claims?.needs ?? [])].map((key) => [index.needers, key] as const),
  ];
}
