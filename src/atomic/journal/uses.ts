import type { Key } from '../operation.ts';
import type { IntentLine } from './lines.ts';

/**
 * Which steps may have written to which objects. A key names an object only for a time: a rename
 * gives the object another key, and another object can get the old one.
 */
export interface Uses {
  /** The object that a key names now. */
  readonly objects: Map<Key, number>;
  /** In the order of the steps. */
  readonly steps: Use[];
  /**
   * By object: the newest step, undone or not, that claims it exclusively, and the newest that claims it at
   * all; -1 if there is none. Steps that do not write to the object are left out.
   */
  readonly newestHolder: number[];
  readonly newestUser: number[];
  /** By object: the steps inside it that made something and are not undone; 0 if all are undone. */
  readonly filled: Map<number, number>;
  /** By object: the newest step that had it exclusively and is undone; -1 if there is none. */
  readonly restored: number[];
}

/** The objects that the keys of a step name. */
interface Use {
  readonly exclusive: readonly number[];
  readonly needed: readonly number[];
  readonly contains: number | undefined;
  /** The object in which the step makes something. */
  readonly fills: number | undefined;
  /** Each key that the step makes, with the object that the key named before. */
  readonly before: readonly (readonly [Key, number | undefined])[];
}

export function emptyUses(): Uses {
  return { objects: new Map(), steps: [], newestHolder: [], newestUser: [], filled: new Map(), restored: [] };
}

export function copyUses(uses: Uses): Uses {
  return {
    objects: new Map(uses.objects),
    steps: [...uses.steps],
    newestHolder: [...uses.newestHolder],
    newestUser: [...uses.newestUser],
    filled: new Map(uses.filled),
    restored: [...uses.restored],
  };
}

/** Adds the next step. Each key that a step makes names a new object, unless the step renames one. */
export function addUse(uses: Uses, intent: IntentLine): void {
  const { claims, keepsContent = [], contains, within } = intent;
  const { makes = [], changes = [], needs = [] } = claims ?? {};
  const { objects, steps, newestHolder, newestUser, filled } = uses;
  // A step inside an object may only name, tag or activate something, and write nothing to it.
  const fills = within === undefined || makes.length === 0 ? undefined : objectOf(uses, within);
  if (fills !== undefined) filled.set(fills, (filled.get(fills) ?? 0) + 1);
  const isWritten = (key: Key): boolean => keepsContent !== true && !keepsContent.includes(key);
  const isNew = (_key: Key, at: number): boolean => changes[at] === undefined || isWritten(changes[at]);
  const before = makes.map((key) => [key, objects.get(key)] as const);
  for (const [at, key] of makes.entries())
    objects.set(key, isNew(key, at) ? newObject(uses) : objectOf(uses, changes[at] ?? key));
  const of = (keys: readonly Key[]): readonly number[] => keys.map((key) => objectOf(uses, key));
  const place = steps.length;
  const written = of([...makes.filter(isNew), ...changes.filter(isWritten)]);
  for (const object of written) newestHolder[object] = place;
  for (const object of [...written, ...of(needs.filter(isWritten))]) newestUser[object] = place;
  steps.push({
    exclusive: of([...makes, ...changes]),
    needed: of(needs),
    contains: contains === undefined ? undefined : objectOf(uses, contains),
    fills,
    before,
  });
}

function objectOf(uses: Uses, key: Key): number {
  const known = uses.objects.get(key);
  if (known !== undefined) return known;
  const object = newObject(uses);
  uses.objects.set(key, object);
  return object;
}

function newObject({ newestHolder, newestUser }: Uses): number {
  newestUser.push(-1);
  return newestHolder.push(-1) - 1;
}

/** Undoes the step at this place: its keys name their former objects again. */
export function undoUse({ objects, steps, filled, restored }: Uses, place: number): void {
  const { before = [], fills, exclusive = [] } = steps[place] ?? {};
  for (const object of exclusive) restored[object] = Math.max(place, restored[object] ?? -1);
  if (fills !== undefined) filled.set(fills, (filled.get(fills) ?? 0) - 1);
  for (const [key, object] of before) {
    if (object === undefined) objects.delete(key);
    else objects.set(key, object);
  }
}

/** Whether a newer step, undone or not, may have written to an object of this one or below it. */
export function isUsedLater({ steps, newestHolder, newestUser }: Uses, place: number): boolean {
  const { exclusive = [], needed = [] } = steps[place] ?? {};
  return (
    exclusive.some((object) => (newestUser[object] ?? -1) > place) ||
    needed.some((object) => (newestHolder[object] ?? -1) > place)
  );
}

/** Whether the undo of a newer step may have created an object of this one again. */
export function isRestoredLater({ steps, restored }: Uses, place: number): boolean {
  return (steps[place]?.exclusive ?? []).some((object) => (restored[object] ?? -1) > place);
}

/** Whether the object of a step contains an object of the sequence. */
export function isFilledAt({ steps, filled }: Uses, place: number): 'now' | 'before' | 'never' {
  const { contains } = steps[place] ?? {};
  const count = contains === undefined ? undefined : filled.get(contains);
  if (count === undefined) return 'never';
  return count > 0 ? 'now' : 'before';
}
