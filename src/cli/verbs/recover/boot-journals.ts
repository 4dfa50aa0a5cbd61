import { RefusedError } from '../../../core/errors.ts';
import type { ReadJournal } from '../../runtime/read-journals.ts';
import { printable } from '../../output/text.ts';

/** The journals of earlier boots. Sequences of this boot are for an administrator, who can answer questions. */
export function ofEarlierBoots(journals: readonly ReadJournal[], boot: string): readonly ReadJournal[] {
  return journals.filter((journal) => journal.is !== 'open' || journal.open.state.begin.boot !== boot);
}

/**
 * The journals of one of the units. Unconfirmed sequences are rolled back before the network and sshd start.
 * Journals with other hosts need the network, and guests of this host do not wait for it. An unreadable
 * journal belongs to the first unit, which reports it.
 */
export function ofUnit(
  journals: readonly ReadJournal[],
  reach: 'this host' | 'others' | 'unconfirmed',
): readonly ReadJournal[] {
  if (reach === 'unconfirmed')
    return journals.filter(
      (journal) => journal.is === 'open' && journal.open.state.begin.confirm !== undefined,
    );
  const reaches = (journal: ReadJournal): boolean =>
    journal.is === 'open' && journal.open.state.hosts.length > 0;
  return journals.filter((journal) => reaches(journal) === (reach === 'others'));
}

/**
 * Refuses a sequence that started a guest and was not committed. At boot no guest runs: this one may have run
 * for days between the end of bofh and the reboot, so its disks stay.
 */
export function startedGuest(journal: ReadJournal): RefusedError | undefined {
  if (journal.is !== 'open' || journal.open.state.committed) return undefined;
  // The user requested the rollback without a confirmation.
  if (journal.open.state.begin.confirm !== undefined) return undefined;
  const { id } = journal;
  const started = journal.open.state.steps.filter(
    ({ intent, undone }) => intent.kind === 'xen.domain.create' && undone === undefined,
  );
  if (started.length === 0) return undefined;
  const guests = started
    .flatMap(({ intent }) => intent.claims?.makes ?? [])
    .filter((key) => key.startsWith('dom:'));
  return new RefusedError(
    `journal ${id} is left open: it had started ${printable(guests.join(', '))}, which may have worked until the reboot`,
    { remedy: `to undo it anyway: bofh recover ${id}; to see what that is: bofh journal show ${id}` },
  );
}
