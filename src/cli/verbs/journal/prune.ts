import { type Keep, removeClosed, surplus, usualKeep } from '../../../atomic/journal/prune.ts';
import { JournalError, UsageError } from '../../../core/errors.ts';
import { give } from '../../output/answer.ts';
import type { JournalPrune } from '../../output/answers/index.ts';
import { confirm } from '../../runtime/confirm.ts';
import type { Options } from '../../runtime/options.ts';
import { changedAt } from '../../runtime/read-journals.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { openSession, refuseOtherHost } from '../../runtime/session.ts';
import { logged } from '../../runtime/system-log.ts';

/** `bofh journal prune`: removes closed journals that are older than is kept, or too many. */
export async function prune(runtime: Runtime, options: Options): Promise<number> {
  refuseOtherHost(runtime, 'the journals');
  const keep = keepOf(options);
  const { bofh } = await openSession(runtime, { site: 'unused', root: 'needed' });
  const { engine } = bofh;
  const { directory } = engine.store;
  const ids = accessing(directory, () => surplus(engine.store, keep));
  const data: JournalPrune = ids.map((id) => ({ id, at: changedAt(engine, `history/${id}.journal`) }));
  if (runtime.settings.mode === 'plan') return await plan(runtime, data);
  await confirmUnusual(
    runtime,
    data,
    accessing(directory, () => surplus(engine.store, alwaysGone)),
  );
  const remove = async (): Promise<void> => accessing(directory, () => removeClosed(engine.store, ids));
  if (ids.length > 0) await logged(runtime, bofh.host, remove, () => `${String(ids.length)} removed`);
  give(runtime, { data, head: ['ID', 'LAST CHANGE'], rows: data.map(({ id, at }) => [id, at]), none });
  return 0;
}

const none = 'nothing to remove: no closed journal is older than is kept, and there are not too many';

/** Whatever their age, these are not of the newest, which nothing but a person's word removes. */
const alwaysGone: Keep = { ...usualKeep, count: usualKeep.newest };

/** A person may have mistaken the age, and the clock may have jumped: the newest go only when that is confirmed. */
async function confirmUnusual(runtime: Runtime, data: JournalPrune, old: readonly string[]): Promise<void> {
  const recent = data.filter(({ id }) => !old.includes(id)).length;
  if (recent === 0) return;
  await confirm(runtime, [
    `These closed journals are removed, ${String(recent)} of the newest hundred among them:`,
    ...data.map(({ id, at }) => `  ${id}  ${at}`),
  ]);
}

async function plan(runtime: Runtime, data: JournalPrune): Promise<number> {
  const journals = data.map(({ id }) => ({ id, name: '', end: 'removed' as const, waitsFor: [] }));
  const lines = data.map(({ id, at }) => `  ${id}  ${at}`);
  const head = lines.length === 0 ? [none] : ['dry run: these closed journals would be removed:', ...lines];
  (await import('../../plan/plan.ts')).showPlan(runtime, { steps: [], refused: [], journals }, { head });
  return 0;
}

/** What is said holds to the letter; unsaid, it is what bofh keeps by itself. */
function keepOf({ keep, keepCount }: Options): Keep {
  const count = typeof keepCount === 'string' ? countOf(keepCount) : usualKeep.count;
  return typeof keep === 'string' ? { days: daysOf(keep), newest: 0, count } : { ...usualKeep, count };
}

function daysOf(text: string): number {
  const days = /^(?<days>\d{1,6})d$/.exec(text)?.groups?.days;
  if (days === undefined)
    throw new UsageError(`--keep: "${text}" is no age; write for example 400d`, {
      remedy: '--keep 400d for an age in days, --keep-count 400 for a number of journals',
    });
  return Number(days);
}

function countOf(text: string): number {
  if (!/^\d{1,9}$/.test(text))
    throw new UsageError(`--keep-count: "${text}" is no number of journals`, {
      remedy: '--keep-count 400 for a number of journals, --keep 400d for an age in days',
    });
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
