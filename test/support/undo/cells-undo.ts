import { undo } from '../../../src/api/undo.ts';
import { closedJournals } from '../../../src/atomic/journal/scan.ts';
import { withBofh } from '../../../src/bofh.ts';
import { RefusedError, StuckError } from '../../../src/core/errors.ts';
import { fork } from '../../../src/simulator/fork.ts';
import { simulatedBofh, type SimulatedHost } from '../../../src/simulator/index.ts';
import { counterOf, type Point } from '../../../src/simulator/matrix/points.ts';
import {
  type Cell,
  type Ending,
  endingOf,
  judge,
  leftovers,
  next,
  recoverAll,
  run,
  type Subject,
  type Titled,
  type Tried,
  words,
} from '../../../src/simulator/matrix/trial.ts';
import type { FaultName } from './fault-names.ts';

/** `bofh undo` of the committed sequence: by itself, and killed at each of its accesses. */
export const undoCells: Readonly<Record<Extract<FaultName, 'undone after the commit'>, Cell>> = {
  'undone after the commit': undone,
};

async function* undone(subject: Subject): AsyncIterable<Titled> {
  const committed = subject.start();
  await run(committed, { ends: 'well' });
  const [journal] = closedJournals(simulatedBofh({ host: committed.host }).engine);
  if (journal === undefined) return;
  const undoOn = (host: SimulatedHost): Promise<Ending> =>
    endingOf(host, () =>
      withBofh({ ...simulatedBofh({ host }), signals: {} }, () => undo(journal.id, { inUse: true })),
    );
  const whole = fork(committed.host);
  const points: Omit<Point, 'when'>[] = [];
  const counter = counterOf();
  whole.faults.watch((access) => {
    const point = counter(access);
    if (point !== undefined && point.what !== 'question') points.push(point);
  });
  const ending = await undoOn(whole);
  yield { title: 'undo', tried: await ended(subject, whole, ending) };
  if (ending.how !== 'done') return;
  for (const point of subject.sample(points)) {
    const host = fork(committed.host);
    host.fault(point.fault('acts then crash'));
    await undoOn(host);
    yield { title: `undo, killed at ${point.title}`, tried: await recovered(subject, next(host, 'restart')) };
  }
}

/** Undone, or refused with nothing changed; of what the commit of a file kind removed, nothing is lost. */
async function ended(subject: Subject, host: SimulatedHost, ending: Ending): Promise<Tried> {
  if (ending.how === 'done') return { stuck: false, ...(await judge(subject, host, 'before', 'restart')) };
  const error = ending.how === 'thrown' ? ending.error : new Error('it died');
  if (error instanceof StuckError)
    return { ...(await recovered(subject, next(host, 'restart'))), stuck: true };
  if (!(error instanceof RefusedError) || subject.kind.startsWith('file.'))
    return wrong(`it ended by ${words(error)}`);
  return { stuck: false, ...(await judge(subject, host, 'after', 'restart')) };
}

/** Undone as a whole, or not at all. */
async function recovered(subject: Subject, host: SimulatedHost): Promise<Tried> {
  const recovery = await recoverAll(host, { operations: subject.operations });
  if (recovery.how !== 'done')
    return wrong(`recovery ended by ${recovery.how === 'thrown' ? words(recovery.error) : 'a crash'}`);
  if (leftovers(host).length > 0) return wrong(`recovery left ${leftovers(host).join(', ')}`);
  const undoneNow = await judge(subject, host, 'before', 'restart');
  if (undoneNow.ended === 'before') return { stuck: false, ...undoneNow };
  const stays = await judge(subject, host, 'after', 'restart');
  return { stuck: false, ...(stays.ended === 'after' ? stays : undoneNow) };
}

function wrong(why: string): Tried {
  return { ended: 'neither', stuck: false, why };
}
