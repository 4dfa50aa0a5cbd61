import { StuckError } from '../../core/errors.ts';
import { openJournals } from '../../atomic/recovery/recover.ts';
import { simulatedBofh } from '../bofh.ts';
import { type Point, pointsOf } from './points.ts';
import {
  conclude,
  endingOf,
  fateOf,
  judge,
  leftovers,
  next,
  recoverAll,
  run,
  type Ending,
  type Subject,
  type Titled,
  type Tried,
  words,
} from './trial.ts';

/**
 * Lets a program hang. The first signal stops it if it may be stopped half-way; otherwise bofh
 * waits for it, and a second signal leaves the journal open. Recovery names the process of the
 * program, waits for its end, then undoes. The same after SIGKILL, also of the shell that holds the
 * lock for the program.
 */
export async function* hanging(subject: Subject, fits: (point: Point) => boolean): AsyncIterable<Titled> {
  for (const [i, point] of subject.sample((await pointsOf(subject, 'well')).filter(fits)).entries()) {
    yield { title: `${point.title} hangs, two signals`, tried: await bySignals(subject, point) };
    yield { title: `${point.title} hangs, SIGKILL`, tried: await byKill(subject, point) };
    // This tests the engine, whatever the step, so one access is enough.
    if (i > 0) continue;
    const killed = await byKill(subject, point, 'and its shell');
    yield { title: `${point.title} hangs, SIGKILL, its shell too`, tried: killed };
  }
}

async function bySignals(subject: Subject, point: Point): Promise<Tried> {
  const staged = subject.start();
  const { host } = staged;
  host.fault(point.fault('hangs'));
  const [stop, abandon] = [new AbortController(), new AbortController()];
  const running = run(staged, { ends: 'well', signals: { stop: stop.signal, abandon: abandon.signal } });
  const orphan = await until(() => host.world.orphans[0], running);
  if (orphan === undefined) return conclude(subject, host, await running);
  stop.abort();
  if (orphan.safe) return conclude(subject, host, await running);
  const early = await Promise.race([running, ticks()]);
  if (early !== undefined) return neither(`it did not wait for process ${orphan.pid}`);
  abandon.abort();
  const ending = await running;
  if (!(ending.how === 'thrown' && ending.error instanceof StuckError))
    return neither(`after a second signal it ended by ${ending.how}, not stuck`);
  return afterOrphan(subject, host, orphan.pid, true);
}

async function byKill(
  subject: Subject,
  point: Point,
  whom: 'bofh' | 'and its shell' = 'bofh',
): Promise<Tried> {
  const staged = subject.start();
  const { host } = staged;
  host.fault(point.fault('hangs'));
  const running = run(staged, { ends: 'well' });
  const orphan = await until(() => host.world.orphans[0], running);
  if (orphan === undefined) return conclude(subject, host, await running);
  host.kill();
  await running;
  if (whom === 'and its shell') host.world.flocks = host.world.flocks.filter(({ fd }) => fd !== orphan.lock);
  return afterOrphan(subject, host, orphan.pid, false);
}

/** Recovers after the process has died but its program still runs. */
async function afterOrphan(
  subject: Subject,
  host: Parameters<typeof next>[0],
  pid: number,
  stuck: boolean,
): Promise<Tried> {
  const again = next(host, 'restart');
  host.clearFaults();
  const { engine } = simulatedBofh({ host: again });
  const [seen] = await openJournals(engine);
  if (seen?.owner !== 'orphan' || !seen.holders.some((holder) => holder.pid === pid))
    return neither(`the open journal does not name process ${pid}`);
  const named: number[] = [];
  const recovered = await endingOf(again, async () => {
    const ending = await recoverAll(again, {
      operations: subject.operations,
      onWait: (_id, holder) => {
        named.push(holder.pid);
        if (!holder.safe) again.letGo();
      },
    });
    if (ending.how === 'thrown') throw ending.error;
  });
  if (recovered.how !== 'done')
    return neither(
      `recovery ended by ${recovered.how === 'thrown' ? words(recovered.error) : recovered.how}`,
    );
  if (!named.includes(pid)) return neither(`recovery did not name process ${pid}, for which it waited`);
  if (leftovers(again).length > 0) return neither(`recovery left ${leftovers(again).join(', ')}`);
  return { stuck, ...(await judge(subject, again, fateOf(again), 'restart')) };
}

function neither(why: string): Tried {
  return { ended: 'neither', stuck: false, why };
}

/** Waits until a probe returns a value; undefined when the run ends first. */
async function until<T>(probe: () => T | undefined, running: Promise<Ending>): Promise<T | undefined> {
  const run = { isOver: false };
  void running.finally(() => (run.isOver = true));
  for (;;) {
    const found = probe();
    if (found !== undefined || run.isOver) return found;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

async function ticks(): Promise<undefined> {
  for (let n = 0; n < 5; n += 1) await new Promise((resolve) => setImmediate(resolve));
  return undefined;
}
