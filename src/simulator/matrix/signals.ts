import { forgetSignals, processSignals } from '../../host/process.ts';
import { type Point, pointsOf } from './points.ts';
import { type Cell, conclude, run, type Subject, type Titled } from './trial.ts';

type Signal = 'SIGINT' | 'SIGTERM' | 'SIGHUP';

/**
 * Sends a signal to this process at each access of a run, one trial per access. SIGTERM and SIGHUP
 * are handled like SIGINT, so they are sent only at changes and writes to the journal.
 */
export const signals: Readonly<Record<Signal, Cell>> = {
  SIGINT: (subject) => signalled(subject, 'SIGINT', () => true),
  SIGTERM: (subject) => signalled(subject, 'SIGTERM', isChangeOrLine),
  SIGHUP: (subject) => signalled(subject, 'SIGHUP', isChangeOrLine),
};

function isChangeOrLine({ what, verb }: Point): boolean {
  return what === 'journal' ? verb === 'write' : what !== 'question';
}

async function* signalled(
  subject: Subject,
  signal: Signal,
  fits: (point: Point) => boolean,
): AsyncIterable<Titled> {
  const points = [...(await pointsOf(subject, 'well')).entries()].filter(([, point]) => fits(point));
  for (const [index, point] of subject.sample(points)) {
    const staged = subject.start();
    let seen = 0;
    const ending = await alone(signal, async (deliver) => {
      staged.host.faults.watch(({ access, tool }) => {
        if (access === 'read' && tool === 'file') return;
        if (seen === index) deliver();
        seen += 1;
      });
      const ending = await run(staged, { ends: 'well', signals: 'watched' });
      if (ending.how === 'thrown' && String(ending.error).includes('was not begun'))
        throw new Error(`the sequence did not begin, because ${signal} came too early`);
      return ending;
    });
    yield { title: `${signal} at ${point.title}`, tried: await conclude(subject, staged.host, ending) };
  }
}

/** Runs `work` while all other listeners to the signal (for example the test runner) are removed. */
export async function alone<T>(signal: Signal, work: (deliver: () => void) => Promise<T>): Promise<T> {
  const others = process.rawListeners(signal) as NodeJS.SignalsListener[];
  for (const other of others) process.off(signal, other);
  // Forgets a signal of the previous trial, which would prevent this trial from starting.
  processSignals().release();
  forgetSignals();
  const { exitCode } = process;
  try {
    const done = await work(() => process.emit(signal, signal));
    if (process.listenerCount(signal) > 0) throw new Error(`there is still a listener to ${signal}`);
    return done;
  } finally {
    process.exitCode = exitCode;
    for (const other of others) process.on(signal, other);
  }
}
