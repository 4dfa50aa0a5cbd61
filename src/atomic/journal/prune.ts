import type { Store } from './store.ts';

/** Limits of the history: at most `count` journals; of those the `newest` ones, and all that are up to `days` old. */
export interface Keep {
  readonly days: number;
  readonly newest: number;
  readonly count: number;
}

/**
 * The default limits. The newest are always kept, so that a clock that jumps does not remove the
 * whole history.
 */
export const usualKeep: Keep = { days: 400, newest: 100, count: 5000 };

const dayMs = 86_400_000;

/**
 * Lists the closed journals beyond these limits, oldest first; not those that a running or
 * interrupted undo needs.
 */
export function surplus(store: Store, keep: Keep): readonly string[] {
  const oldest = Date.now() - keep.days * dayMs;
  const ids = byAge(store)
    .filter(({ changed }, index, { length }) => {
      const rank = length - index;
      return rank > keep.count || (rank > keep.newest && changed < oldest);
    })
    .map(({ id }) => id);
  if (ids.length === 0) return [];
  const needed = undoneNow(store);
  return ids.filter((id) => !needed.has(id));
}

/** Removes closed journals and their other files. Tags of these sequences on objects are unknown afterwards. */
export function removeClosed(store: Store, ids: readonly string[]): void {
  const gone = new Set(ids);
  for (const name of store.names('history'))
    if (gone.has(name.slice(0, name.lastIndexOf('.')))) store.remove(`history/${name}`);
  store.syncDir('history');
}

/** Limit, in bytes, for the copies of objects that commits removed, kept for `bofh undo`. */
const keptLimit = 256 * 1024 ** 2;

/** Sizes of the copies of removed objects, by the id of the sequence, oldest first. */
export function keptFiles(
  store: Pick<Store, 'names' | 'changedMs' | 'bytes'>,
): readonly { readonly id: string; readonly bytes: number }[] {
  const ages = new Map(byAge(store).map(({ id }, index) => [id, index]));
  return store
    .names('history')
    .flatMap((name) => /^(?<id>.+)\.kept$/.exec(name)?.groups?.id ?? [])
    .map((id) => ({ id, bytes: store.bytes(`history/${id}.kept`) }))
    .toSorted((a, b) => (ages.get(a.id) ?? -1) - (ages.get(b.id) ?? -1));
}

/**
 * Removes copies that were kept for `bofh undo`, those of the oldest sequences first, until the rest is
 * within the limit. Keeps the copies that a running or interrupted undo needs.
 */
export function limitKept(store: Store, limit = keptLimit): void {
  const all = keptFiles(store);
  let sum = all.reduce((bytes, each) => bytes + each.bytes, 0);
  const needed = sum > limit ? undoneNow(store) : new Set();
  for (const { id, bytes } of all) {
    if (sum <= limit) break;
    if (needed.has(id)) continue;
    store.remove(`history/${id}.kept`);
    sum -= bytes;
  }
}

/** The sequences that open journals undo, from the first line of each. */
function undoneNow(store: Store): ReadonlySet<string> {
  const found = new Set<string>();
  for (const name of store.names('.')) {
    const file = name.endsWith('.journal') ? store.open(name) : undefined;
    if (file === undefined) continue;
    try {
      const [first = ''] = Buffer.from(file.read()).toString('utf8').split('\n', 1);
      const { id } = /"undoes":"(?<id>[^"]+)"/.exec(first)?.groups ?? {};
      if (id !== undefined) found.add(id);
    } finally {
      file.close();
    }
  }
  return found;
}

/**
 * Keeps the history within its limits. Called for each journal that moves there. Checks only for some ids,
 * which are random, and always if there are far too many journals.
 */
export function limitHistory(store: Store, id: string): void {
  const { length } = store.names('history');
  if (length <= usualKeep.newest || (!id.startsWith('0') && length < 2 * usualKeep.count)) return;
  removeClosed(store, surplus(store, usualKeep));
}

interface Closed {
  readonly id: string;
  readonly changed: number;
}

function byAge(store: Pick<Store, 'names' | 'changedMs'>): readonly Closed[] {
  return store
    .names('history')
    .flatMap((name): readonly Closed[] => {
      const id = /^(?<id>.+)\.journal$/.exec(name)?.groups?.id;
      const changed = id === undefined ? undefined : store.changedMs(`history/${name}`);
      return id === undefined || changed === undefined ? [] : [{ id, changed }];
    })
    .toSorted((a, b) => a.changed - b.changed || (a.id < b.id ? -1 : 1));
}
