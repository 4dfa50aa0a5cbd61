import { StuckError } from '../../../../src/core/errors.ts';
import {
  abandon,
  openJournals,
  recover,
  removeJournalLeftovers,
} from '../../../../src/atomic/recovery/recover.ts';
import { fork } from '../../../../src/simulator/fork.ts';
import { simulatedBofh, type SimulatedHost } from '../../../../src/simulator/index.ts';
import {
  endingOf,
  type Ending,
  fateOf,
  leftovers,
  type Tried,
  words,
} from '../../../../src/simulator/matrix/trial.ts';
import type { Deed } from './theirs.ts';

/**
 * Others did something to a host that waits for its recovery. It must be kept by every recovery that is not told to discard it;
 * a journal that is stuck names what holds it up, and what it prints brings it to its end.
 */
export async function tryDeed(
  waiting: SimulatedHost,
  deed: Deed,
  /** With `--yes` what a guest of the sequence wrote to its own disks is its own. */
  answers: readonly ('unasked' | '--yes')[] = ['unasked', '--yes'],
): Promise<Tried> {
  const host = fork(waiting);
  const theirs = deed.act(host);
  if (!theirs.isKept(host)) throw new TypeError(`${deed.title}: it is not there at first`);
  const failed = (why: string, stuck = true): Tried => ({ ended: 'neither', stuck, why });
  for (const answer of answers) {
    const ending = await recovered(host.restart(), { yes: answer === '--yes' });
    if (!theirs.isKept(host)) return failed(`LOST: ${answer}, it ended by ${said(ending)}`);
    if (ending.how === 'died') return failed('it died');
    if (ending.how === 'done') return ended(host, false);
    if (answer === 'unasked') continue;
    if (!(ending.error instanceof StuckError)) return failed(`it ended by ${said(ending)}`);
    if (ending.error.blocked.length + ending.error.remaining.length === 0) return failed('nothing is named');
    const again = await afterRemedy(host, theirs.leave, ending.error);
    if (again.how !== 'done')
      return failed(`what was printed led to ${said(again)}; at first ${said(ending)}`);
  }
  // Without confirmation it stays open, until an administrator decides.
  return answers.includes('--yes') ? ended(host, true) : { ended: fateOf(host), stuck: true, why: '' };
}

/** What the error prints: objects to discard by name; else they end their use. */
async function afterRemedy(
  host: SimulatedHost,
  leave: ((host: SimulatedHost) => void) | undefined,
  error: StuckError,
): Promise<Ending> {
  let why = error;
  for (let turn = 0; ; turn += 1) {
    const printed = why.remedy ?? '';
    const discard = [...printed.matchAll(/--discard (?<all>\S+)/g)].flatMap(([, all = '']) => all.split(','));
    if (discard.length === 0) leave?.(host);
    const again = await recovered(host.restart(), { yes: true, discard });
    if (!(again.how === 'thrown' && again.error instanceof StuckError) || turn > 2) return again;
    // Nothing can be discarded: the last way out is to close the journal, and to leave all as it is.
    if (discard.length === 0) return abandoned(host.restart());
    why = again.error;
  }
}

async function abandoned(host: SimulatedHost): Promise<Ending> {
  const { engine } = simulatedBofh({ host });
  return endingOf(host, async () => {
    for (const { id } of await openJournals(engine)) await abandon(engine, id, 'others work there');
  });
}

async function recovered(
  host: SimulatedHost,
  options: { readonly yes: boolean; readonly discard?: readonly string[] },
): Promise<Ending> {
  const { engine } = simulatedBofh({ host });
  return endingOf(host, async () => {
    await removeJournalLeftovers(engine);
    for (const { id } of await openJournals(engine)) await recover(id, { engine, ...options });
  });
}

function ended(host: SimulatedHost, stuck: boolean): Tried {
  const left = leftovers(host);
  return left.length > 0
    ? { ended: 'neither', stuck, why: `recovery left ${left.join(', ')}` }
    : { ended: fateOf(host), stuck, why: '' };
}

function said(ending: Ending): string {
  return ending.how === 'thrown' ? words(ending.error) : ending.how;
}
