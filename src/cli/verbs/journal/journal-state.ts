import type { Met } from '../../../atomic/place.ts';
import type { OpenJournal } from '../../../atomic/recovery/recover.ts';
import type { State } from '../../../atomic/journal/state.ts';
import type { JournalShow } from '../../output/answers/index.ts';
import type { ReadJournal } from '../../runtime/read-journals.ts';

type Closed = 'committed' | 'rolled-back' | 'abandoned';

export function stateOf(journal: ReadJournal & { is: 'open' | 'closed' }): JournalShow['state'] {
  if (journal.is === 'open') return openState(journal.open);
  return journal.state.closed ?? 'interrupted';
}

function openState({ owner, state }: OpenJournal): JournalShow['state'] {
  // A closed journal that is not yet in the history.
  const closed: Closed | undefined = state.closed;
  if (closed === undefined && state.awaiting !== undefined) return 'unconfirmed';
  return closed ?? (owner === 'dead' ? 'interrupted' : owner);
}

/** The other hosts on which the sequence reserves, or reserved, objects. */
export function hostsOf(state: State, away: Met['away'] | undefined): Pick<JournalShow, 'hosts'> {
  if (state.hosts.length === 0) return {};
  const hosts = state.hosts.map(({ name }) => {
    const why = away?.get(name)?.message;
    return why === undefined ? { name } : { name, away: why };
  });
  return { hosts };
}
