import { openJournals } from '../../../../src/atomic/recovery/recover.ts';
import { fork } from '../../../../src/simulator/fork.ts';
import { simulatedBofh, type SimulatedHost } from '../../../../src/simulator/index.ts';
import type { Taken } from '../../crash/program.ts';
import { deedsOf } from '../others/deeds.ts';
import { movesOf } from '../others/moves.ts';
import { replacementsOf } from '../others/replacements.ts';
import { tryDeed } from '../others/trial.ts';
import { fateOf, next, recoverAll, type Then } from '../../../../src/simulator/matrix/trial.ts';
import type { Leaf, Meddling } from './program.ts';
import { startHost } from './steps.ts';
import { count, type Figures } from './figures.ts';

const guestLeaves = new Set<Leaf['do']>(['start', 'vm create']);

/**
 * What a recovery cannot see, as the journal's page says: of a volume whose creation was cut short, and of one on which the
 * sequence has worked, bytes without a signature are not compared, because a tool that was cut short leaves such bytes too. A
 * volume whose creation was cut short is known by its tag alone, so another one with that tag is taken for it.
 */
async function cannotBeSeen(host: SimulatedHost): Promise<(title: string) => boolean> {
  const { engine } = simulatedBofh({ host: fork(host) });
  const steps = (await openJournals(engine)).flatMap(({ state }) => state.steps);
  const isCutShort = steps.some(
    ({ intent: { kind }, done }) => kind === 'lvm.lv.create' && done === undefined,
  );
  const isInUse = steps.some(({ intent: { within } }) => within?.startsWith('lv:') === true);
  return (title) =>
    ((isInUse || isCutShort) && title.startsWith('raw data at the ')) ||
    (isCutShort && title.startsWith('another volume '));
}

/** On a copy of a host that waits for its recovery, another process does one thing. What it wrote must be kept. */
export async function meddle(
  waiting: SimulatedHost,
  of: { readonly meddling: Meddling; readonly then: Then; readonly taken: readonly Taken<Leaf>[] },
  figures: Figures,
): Promise<readonly string[]> {
  // A program that still runs is waited for: others come after that.
  if (waiting.world.orphans.length > 0) return [];
  const { which, fault: asked } = of.meddling;
  const isCommitted = fateOf(waiting) === 'after';
  const fault = isCommitted ? 'the world moved on' : asked;
  const host = fork(waiting);
  const other = isCommitted ? fork(waiting) : next(startHost(), of.then);
  if (isCommitted) await recoverAll(other);
  const all = isCommitted
    ? [...deedsOf(other, host), ...replacementsOf(other, host), ...movesOf(host)]
    : asked === 'foreign content'
      ? deedsOf(other, host)
      : replacementsOf(other, host);
  const isUnseen = await cannotBeSeen(host);
  const deeds = all.filter(({ title }) => !isUnseen(title));
  const deed = deeds[which % Math.max(1, deeds.length)];
  if (deed === undefined) return [];
  const hasGuest = of.taken.some(({ leaf }) => guestLeaves.has(leaf.do));
  const tried = await tryDeed(host, deed, hasGuest ? ['unasked'] : undefined);
  count(figures.fired, fault);
  count(
    figures.outcomes,
    `${fault}: ${tried.ended === 'neither' ? 'neither' : tried.stuck ? 'stuck, kept' : 'kept'}`,
  );
  return tried.ended === 'neither' ? [`${fault}, ${deed.title}: ${tried.why}`] : [];
}
