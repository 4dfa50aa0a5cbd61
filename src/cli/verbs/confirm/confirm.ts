import { checkConfirmable, confirmSequence } from '../../../atomic/recovery/confirmation.ts';
import { RefusedError } from '../../../core/errors.ts';
import { sshConnection } from '../../../host/ssh-connection.ts';
import { type ReadJournal, readById, readOpen } from '../../runtime/read-journals.ts';
import { openSession, refuseOtherHost } from '../../runtime/session.ts';
import { parseWait } from '../../runtime/settings.ts';
import { logged } from '../../runtime/system-log.ts';
import { value, verb } from '../../runtime/verb.ts';
import { showJournalPlan } from '../journal/journal-plan.ts';
import { tell } from '../recover/text.ts';

export default verb({
  changes: true,
  answers: 'confirm',
  args: { id: ['[id]', 'ID of the sequence (default: the only one that waits for confirmation)'] },
  options: {
    extend: value('<DURATION>', 'do not confirm yet: set a new deadline, this long from now', {
      read: parseWait,
    }),
  },
  examples: ['confirm', 'confirm 3f0c1a4e', 'confirm 3f0c1a4e --extend 5m'],
  run: async (runtime, { id: typed, extend }) => {
    refuseOtherHost(runtime, 'the journals');
    const { bofh } = await openSession(runtime, { site: 'unused', root: 'needed' });
    const { engine } = bofh;
    const { id } = typed === undefined ? onlyOne(await readOpen(engine)) : await readById(engine, typed);
    const connection = sshConnection();
    if (runtime.settings.mode === 'plan') {
      const name = checkConfirmable(id, { engine, connection });
      const [end, head] =
        extend === undefined
          ? (['committed', `dry run: the changes of ${id} would be kept`] as const)
          : (['unconfirmed', `dry run: the deadline of ${id} would be moved`] as const);
      return await showJournalPlan(runtime, { id, name, end }, head);
    }
    const seconds = extend === undefined ? undefined : extend / 1000;
    const { abandon } = runtime.signals;
    const asked = { engine, abandon, connection, moreSeconds: seconds };
    const { name, end, leftUntouched } = await logged(runtime, bofh.host, () => confirmSequence(id, asked));
    tell(runtime, [{ id, name, end, leftUntouched: [...leftUntouched] }]);
    return 0;
  },
});

function onlyOne(open: readonly ReadJournal[]): Pick<ReadJournal, 'id'> {
  const waiting = open.filter((each) => each.is === 'open' && each.open.state.awaiting !== undefined);
  const [only, ...more] = waiting;
  const unreadable = open.find((each) => each.is === 'unreadable');
  if (only === undefined && unreadable !== undefined) throw unreadable.error;
  if (only === undefined)
    throw new RefusedError('nothing waits for a confirmation', {
      code: 'not-found',
      remedy: 'see how each sequence ended: bofh journal list',
    });
  if (more.length > 0)
    throw new RefusedError(
      `several sequences wait for a confirmation: ${waiting.map(({ id }) => id).join(', ')}`,
      {
        remedy: 'name one: bofh confirm ID',
      },
    );
  return only;
}
