import type { ChangeHost } from '../../command/index.ts';
import { BofhError, ConnectionError, messageOf } from '../../core/errors.ts';
import { formatSize } from '../../core/units.ts';
import type { Engine } from '../engine.ts';
import type { Journal } from '../journal/journal-writer.ts';
import type { Line } from '../journal/lines.ts';
import type { Step } from '../journal/state.ts';
import type { AnyOperation, Journalled } from '../operation.ts';

/** The field `kept` of a `finished` line: whether a copy of the removed object is kept. */
export type Kept = Pick<Line & { readonly t: 'finished' }, 'kept'>;

/** The path of the copy, for `bofh undo`, of an object that a step removes after the commit. */
export function keptAt(
  { store, keptIn = `${store.directory}/history` }: Engine,
  id: string,
  n: number,
): string {
  return `${keptIn}/${id}.kept/${String(n)}`;
}

/** With less free space, in bytes, nothing is kept. */
const reserve = 64 * 1024 ** 2;

/**
 * Keeps what a step removes after the commit. A failure does not stop the commit: the journal has the
 * reason, and the sequence cannot be undone later.
 */
export async function keep(
  { engine, journal }: { readonly engine: Engine; readonly journal: Journal },
  { n, intent }: Step,
  { later }: AnyOperation,
  journalled: Journalled<ChangeHost>,
): Promise<Kept> {
  if (intent.host !== '' || later?.keeps(intent.undo) !== true) return {};
  const { store } = engine;
  if ((store.freeBytes() ?? reserve) < reserve)
    return { kept: `${store.directory} has less than ${formatSize(reserve)} of free space` };
  try {
    return { kept: (await later.keep({ ...journalled, to: keptAt(engine, journal.id, n) })) ?? true };
  } catch (error) {
    if (!(error instanceof BofhError) || error instanceof ConnectionError) throw error;
    return { kept: messageOf(error) };
  }
}

/** Whether the copy exists, in case a process removed the object and died before it wrote the line. */
export async function isKept(
  { engine, journal }: { readonly engine: Engine; readonly journal: Journal },
  { n, intent }: Step,
  { later }: AnyOperation,
): Promise<Kept> {
  if (intent.host !== '' || later?.keeps(intent.undo) !== true) return {};
  const there = await engine.host.stat(keptAt(engine, journal.id, n));
  return { kept: there === undefined ? 'it was removed before it could be kept' : true };
}
