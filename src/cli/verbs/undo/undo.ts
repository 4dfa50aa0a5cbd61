import { closedJournals } from '../../../atomic/journal/scan.ts';
import { recover } from '../../../atomic/recovery/recover.ts';
import { undoSequence } from '../../../atomic/recovery/undo-sequence.ts';
import type { Bofh } from '../../../connect.ts';
import { JournalError } from '../../../core/errors.ts';
import type { RecoveredList } from '../../output/answers/index.ts';
import { printable, textOf } from '../../output/text.ts';
import { confirm } from '../../runtime/confirm.ts';
import { readById } from '../../runtime/read-journals.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { openSession, refuseOtherHost, tellWhose } from '../../runtime/session.ts';
import { logged } from '../../runtime/system-log.ts';
import { flag, value, verb } from '../../runtime/verb.ts';
import { showJournalPlan } from '../journal/journal-plan.ts';
import { whatOf } from '../journal/planned-steps.ts';
import { objectList } from '../recover/object-list.ts';
import { tell } from '../recover/text.ts';

export default verb({
  changes: true,
  answers: 'undo',
  args: { id: ['<id>', 'the sequence, as bofh journal list shows it'] },
  options: {
    inUse: flag(
      'also undo changes of objects that are in use now: a guest that the sequence started is powered off hard',
    ),
    discard: value(
      '<OBJECT,…>',
      'also undo the changes of these objects, whose names are in the error (fs:UUID, lv:vg0/web1); what others wrote to them is lost',
      { read: objectList },
    ),
  },
  examples: ['--dry-run undo 3f0c1a4e', 'undo 3f0c1a4e'],
  run: async (runtime, { id: typed, inUse: yes, discard = [] }) => {
    refuseOtherHost(runtime, 'the journals');
    tellWhose(runtime);
    const { bofh } = await openSession(runtime, { site: 'used', root: 'not-needed' });
    const journal = await readById(bofh.engine, typed);
    if (journal.is === 'unreadable') throw journal.error;
    const { id } = journal;
    if (journal.is === 'open') {
      if (journal.open.state.awaiting !== undefined)
        return await takeBack(runtime, bofh, { id, name: textOf(journal.open.state.begin.name) });
      throw new JournalError(`the sequence ${id} has not ended`, { remedy: `bofh recover ${id}` });
    }
    const history = closedJournals(bofh.engine);
    const name = textOf(journal.state.begin.name);
    if (runtime.settings.mode === 'plan') {
      const { dryRun } = await import('../../plan/plan.ts');
      return await dryRun(runtime, bofh, async ({ engine }) => {
        await undoSequence(id, history, { engine, yes, discard: 'all' });
      });
    }
    const steps = journal.state.steps.filter(({ undone }) => undone === undefined).toReversed();
    await confirm(runtime, [
      `${id} "${printable(name)}" is undone:`,
      ...steps.map((step) => {
        const { kind, objects } = whatOf(step);
        return `  ${kind}${objects.length === 0 ? '' : `: ${objects.map(printable).join(', ')}`}`;
      }),
    ]);
    const { stop, abandon } = runtime.signals;
    const options = { engine: bofh.engine, yes, discard, stop, abandon };
    const { end, leftUntouched } = await logged(runtime, bofh.host, () => undoSequence(id, history, options));
    tell(runtime, [{ id, name, end, leftUntouched: [...leftUntouched] }]);
    return 0;
  },
});

/** Rolls back a sequence that waits for its confirmation. */
async function takeBack(
  runtime: Runtime<RecoveredList>,
  { engine, host }: Bofh,
  { id, name }: { readonly id: string; readonly name: string },
): Promise<number> {
  if (runtime.settings.mode === 'plan') {
    const head = `dry run: ${id}, which waits for its confirmation, would be rolled back now`;
    return await showJournalPlan(runtime, { id, name, end: 'rolled-back' }, head);
  }
  const { stop, abandon } = runtime.signals;
  const options = { engine, yes: true, unconfirmed: true, stop, abandon };
  const { leftUntouched, ...ended } = await logged(runtime, host, () => recover(id, options));
  tell(runtime, [{ ...ended, leftUntouched: [...leftUntouched] }]);
  return 0;
}
