import type { Cell, Titled } from './cells.ts';
import type { FaultName } from './fault-names.ts';
import { counterOf, type Ends, type Point, pointsOf } from './points.ts';
import { conclude, next, recoverAll, run, type Subject, type Then } from './trial.ts';

type Crash = Extract<
  FaultName,
  'SIGKILL' | 'second SIGKILL during recovery' | 'reboot before recovery' | 'power cut'
>;

const both: readonly Ends[] = ['well', 'badly'];

/** The process, or the host, ends at each access. */
export const crashCells: Readonly<Record<Crash, Cell>> = {
  SIGKILL: (subject) => crashes(subject, ['restart'], ['crash here', 'acts then crash']),
  'second SIGKILL during recovery': secondCrash,
  'reboot before recovery': (subject) => crashes(subject, ['reboot'], ['acts then crash']),
  'power cut': (subject) =>
    crashes(subject, ['power cut, none', 'power cut, all'], ['crash here', 'acts then crash']),
};

function isChange({ what }: Point): boolean {
  return what !== 'question';
}

async function* crashes(
  subject: Subject,
  thens: readonly Then[],
  modes: readonly ('crash here' | 'acts then crash')[],
): AsyncIterable<Titled> {
  for (const ends of both)
    for (const [index, point] of (await pointsOf(subject, ends)).filter(isChange).entries()) {
      // What is before the end of the body is the same in both.
      if (ends === 'badly' && point.when === 'body') continue;
      for (const mode of modes) {
        // Just before an access is just after the one before it.
        if (mode === 'crash here' && index > 0) continue;
        for (const then of thens) {
          const staged = subject.start();
          staged.host.fault(point.fault(mode));
          const ending = await run(staged, { ends });
          const tried = await conclude(subject, staged.host, ending, then);
          yield { title: `${point.title} ${mode}, ${then} (${ends})`, tried };
        }
      }
    }
}

/** A change, or a line that is durable: what lies between two of them is the same as one of them to a recovery. */
function isTold({ what, verb }: Pick<Point, 'what' | 'verb'>): boolean {
  return what === 'journal' ? verb === 'datasync' || verb === 'rename' : what !== 'question';
}

/** Killed after each change and each durable line, then recovery is killed at each access of its own. */
async function* secondCrash(subject: Subject): AsyncIterable<Titled> {
  for (const ends of both)
    for (const point of (await pointsOf(subject, ends)).filter(isChange)) {
      if (!isTold(point)) continue;
      // What is before the end of the body is the same in both.
      if (ends === 'badly' && point.when === 'body') continue;
      const crashed = async () => {
        const staged = subject.start();
        staged.host.fault(point.fault('acts then crash'));
        const ending = await run(staged, { ends });
        staged.host.clearFaults();
        return { host: next(staged.host, 'restart'), ending };
      };
      const whole = await crashed();
      const seconds: Omit<Point, 'when'>[] = [];
      const counter = counterOf();
      whole.host.faults.watch((access) => {
        const second = counter(access);
        if (second !== undefined && isTold(second)) seconds.push(second);
      });
      await recoverAll(whole.host);
      for (const second of seconds) {
        const { host } = await crashed();
        host.fault(second.fault('acts then crash'));
        const ending = await recoverAll(host);
        const tried = await conclude(subject, host, ending);
        yield { title: `${point.title}; then ${second.title}`, tried };
      }
    }
}
