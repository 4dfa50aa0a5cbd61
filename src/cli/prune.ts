import { type Keep, removeClosed, surplus, usualKeep } from '../atomic/prune.ts';
import { JournalError, UsageError } from '../errors.ts';
import { give } from './answer.ts';
import type { JournalPrune } from './answers.ts';
import { changedAt } from './read-journals.ts';
import type { Runtime } from './runtime.ts';
import { openSession } from './session.ts';

type Options = Readonly<Record<string, string | boolean | undefined>>;

/** `bofh journal prune`: removes closed journals that are older than is kept, or too many. */
export async function prune(runtime: Runtime, options: Options): Promise<number> {
  const keep = keepOf(options);
  const { bofh } = await openSession(runtime, { site: 'unused', root: 'needed' });
  const { engine } = bofh;
  const ids = accessing(engine.store.directory, () => surplus(engine.store, keep));
  const data: JournalPrune = ids.map((id) => ({ id, at: changedAt(engine, `history/${id}.journal`) }));
  const plans = runtime.settings.mode === 'plan';
  if (!plans && ids.length > 0) accessing(engine.store.directory, () => removeClosed(engine.store, ids));
  if (plans) runtime.terminal.line('dry run: these would be removed');
  give(runtime, {
    data,
    head: ['ID', 'LAST CHANGE'],
    rows: data.map(({ id, at }) => [id, at]),
    none: `nothing to remove: no closed journal is older than ${String(keep.days)} days, and there are no more than ${String(keep.count)}`,
  });
  return 0;
}

function keepOf({ keep, keepCount }: Options): Keep {
  return {
    days: typeof keep === 'string' ? daysOf(keep) : usualKeep.days,
    count: typeof keepCount === 'string' ? countOf(keepCount) : usualKeep.count,
  };
}

function daysOf(text: string): number {
  const days = /^(?<days>\d{1,6})d$/.exec(text)?.groups?.days;
  if (days === undefined) throw new UsageError(`"${text}" is no age; write for example 400d`);
  return Number(days);
}

function countOf(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new UsageError(`"${text}" is no number of journals`);
  return Number(text);
}

function accessing<T>(directory: string, access: () => T): T {
  try {
    return access();
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error)) throw error;
    throw new JournalError(`the state directory ${directory} cannot be changed: ${error.message}`, {
      cause: error,
    });
  }
}
