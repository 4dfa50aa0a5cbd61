import type { Engine } from '../../../atomic/engine.ts';
import { refuseUnresolvable, resolveStep } from '../../../atomic/recovery/recover.ts';
import { JournalError, UsageError } from '../../../core/errors.ts';
import { give } from '../../output/answer.ts';
import type { JournalResolve } from '../../output/answers/index.ts';
import { readById, type ReadJournal } from '../../runtime/read-journals.ts';
import { openSession, refuseOtherHost, tellWhose } from '../../runtime/session.ts';
import { logged } from '../../runtime/system-log.ts';
import { flag, verb } from '../../runtime/verb.ts';
import { textOf } from '../../output/text.ts';
import { showJournalPlan } from './journal-plan.ts';

/**
 * For a step whose inverse was code of a script that has ended, or whose operation this bofh does
 * not know.
 */
export default verb({
  changes: true,
  answers: 'journal resolve',
  args: {
    id: ['<id>', 'ID of the sequence, as bofh journal list shows it'],
    step: ['<step>', 'number of the step, as bofh journal show shows it'],
  },
  options: {
    undone: flag('the step is undone: you undid it yourself, or it had no effect', { conflicts: ['keep'] }),
    keep: flag('the effect of the step stays'),
  },
  examples: ['journal resolve 3f0c1a4e 2 --undone', 'journal resolve 3f0c1a4e 2 --keep'],
  run: async (runtime, { id: typed, step, undone, keep }) => {
    refuseOtherHost(runtime, 'the journals');
    if (undone === keep)
      throw new UsageError('one of --undone and --keep is needed: only you know which of the two is true');
    const n = Number(step);
    if (!/^[1-9]\d{0,8}$/.test(step)) throw new UsageError(`"${step}" is not the number of a step`);
    tellWhose(runtime);
    const { bofh } = await openSession(runtime, { site: 'used', root: 'not-needed' });
    const journal = await readById(bofh.engine, typed);
    const { id } = journal;
    const how = undone ? ('undone' as const) : ('kept' as const);
    if (runtime.settings.mode === 'plan') {
      const { name } = await resolvable(bofh.engine, journal, n);
      const head = `dry run: step ${step} of ${id} would be noted as ${how}, and the host stays as it is`;
      return await showJournalPlan(runtime, { id, name, end: 'open' }, head);
    }
    await logged(runtime, bofh.host, () => resolveStep(bofh.engine, { id, n, how }));
    const data: JournalResolve = { id, step: n, how };
    give(runtime, {
      data,
      lines: [`step ${step} of ${id} is noted as ${how}; continue: bofh recover ${id}`],
    });
    return 0;
  },
});

/** Throws JournalError for a step that cannot be resolved; returns the name of its sequence. */
async function resolvable(
  engine: Engine,
  journal: ReadJournal,
  n: number,
): Promise<{ readonly name: string }> {
  const { id } = journal;
  if (journal.is === 'unreadable') throw journal.error;
  if (journal.is === 'closed') throw new JournalError(`journal ${id} is closed already`);
  const { state, owner } = journal.open;
  if (owner !== 'dead')
    throw new JournalError(`journal ${id} is in use`, {
      remedy: `see how far it is: bofh journal show ${id}`,
    });
  await refuseUnresolvable(engine, { id, n }, state);
  return { name: textOf(state.begin.name) };
}
