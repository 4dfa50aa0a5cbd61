import { cutLastLine, damagedEnd } from '../../../atomic/recovery/recover.ts';
import type { Bofh } from '../../../connect.ts';
import { JournalError } from '../../../core/errors.ts';
import { printable } from '../../output/text.ts';
import { confirm } from '../../runtime/confirm.ts';
import { rawBytes, readById } from '../../runtime/read-journals.ts';
import type { RecoveredList } from '../../output/answers/index.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { untilInterrupted } from '../../runtime/session.ts';
import { logged } from '../../runtime/system-log.ts';
import { tell } from './text.ts';

/** Removes the damaged end of a journal after a confirmation. */
export async function cutOne(runtime: Runtime<RecoveredList>, bofh: Bofh, id: string): Promise<number> {
  const journal = await untilInterrupted(runtime, readById(bofh.engine, id));
  if (journal.is === 'closed') throw new JournalError(`the journal ${journal.id} is closed`);
  const last = printable(damagedEnd(rawBytes(bofh.engine, journal.id), journal.id).text);
  if (runtime.settings.mode === 'plan')
    return (await import('../../plan/plan-recovery.ts')).showAbandonOrCut(runtime, {
      ...{ id: journal.id, name: '', end: 'cut', waitsFor: [], line: last },
    });
  await confirm(runtime, [`The damaged end of journal ${journal.id} is cut off:`, last]);
  await logged(runtime, bofh.host, () => cutLastLine(bofh.engine, journal.id));
  tell(runtime, [{ id: journal.id, name: '', end: 'cut', leftUntouched: [], because: last }]);
  return 0;
}
