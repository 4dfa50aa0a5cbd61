import { type Keep, removeClosed, surplus, usualKeep } from '../../../atomic/journal/prune.ts';
import { UsageError } from '../../../core/errors.ts';
import { give } from '../../output/answer.ts';
import type { JournalPrune } from '../../output/answers/index.ts';
import { confirm } from '../../runtime/confirm.ts';
import { accessing, timesIn } from '../../runtime/read-journals.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { openSession, refuseOtherHost, tellWhose } from '../../runtime/session.ts';
import { logged } from '../../runtime/system-log.ts';
import { value, verb, wholeNumber } from '../../runtime/verb.ts';

export default verb({
  changes: true,
  answers: 'journal prune',
  options: {
    keep: value('<AGE>', 'remove all journals older than this (default: 400d, but the newest 100 are kept)', {
      read: days,
    }),
    keepCount: value('<NUMBER>', 'largest number of journals to keep (default: 5000)', { read: wholeNumber }),
  },
  examples: ['journal prune', 'journal prune --keep 30d'],
  run: async (runtime, { keep, keepCount }) => {
    refuseOtherHost(runtime, 'the journals');
    const kept = keepOf(keep, keepCount);
    tellWhose(runtime);
    const { bofh } = await openSession(runtime, { site: 'unused', root: 'not-needed' });
    const { engine } = bofh;
    const ids = accessing(engine, () => surplus(engine.store, kept));
    const data: JournalPrune = ids.map((id) => ({ id, at: timesIn(engine, `history/${id}.journal`).at }));
    if (runtime.settings.mode === 'plan') return await plan(runtime, data);
    await confirmUnusual(
      runtime,
      data,
      accessing(engine, () => surplus(engine.store, alwaysGone)),
    );
    const remove = async (): Promise<void> =>
      accessing(engine, () => removeClosed(engine.store, ids), 'change');
    if (ids.length > 0) await logged(runtime, bofh.host, remove, () => `${String(ids.length)} removed`);
    const rows = data.map(({ id, at: time }) => [id, { time }]);
    give(runtime, { data, head: ['ID', 'LAST CHANGE'], rows, none });
    return 0;
  },
});

const none = 'nothing to remove: no closed journal is too old, and there are not too many';

/** The journals that are removed without a confirmation: all except the newest ones. */
const alwaysGone: Keep = { ...usualKeep, count: usualKeep.newest };

/**
 * Asks for a confirmation before the newest journals are removed: the age may be mistyped, or the clock may
 * have jumped.
 */
async function confirmUnusual(runtime: Runtime, data: JournalPrune, old: readonly string[]): Promise<void> {
  const recent = data.filter(({ id }) => !old.includes(id)).length;
  if (recent === 0) return;
  await confirm(runtime, [
    `These closed journals will be removed, among them ${String(recent)} of the newest 100:`,
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

/** The limits. A typed age also applies to the newest journals. */
function keepOf(days: number | undefined, count = usualKeep.count): Keep {
  return days === undefined ? { ...usualKeep, count } : { days, newest: 0, count };
}

function days(text: string, name: string): number {
  const number = /^(?<days>\d{1,6})d$/.exec(text)?.groups?.days;
  if (number !== undefined) return Number(number);
  throw new UsageError(`${name} ${text}: must be an age in days, for example 400d`, {
    remedy: '--keep 400d for an age in days, --keep-count 400 for a number of journals',
  });
}
