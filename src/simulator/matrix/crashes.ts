import { fork } from '../fork.ts';
import type { SimulatedHost } from '../host.ts';
import { counterOf, type Ends, type Point, pointsOf } from './points.ts';
import {
  type Cell,
  conclude,
  type Ending,
  recoverAll,
  run,
  type Subject,
  type Then,
  type Titled,
} from './trial.ts';

const both: readonly Ends[] = ['well', 'badly'];

/** Crashes the process, or the host, at each access. */
export const crashes = {
  SIGKILL: (subject) => crashesOf(subject, ['restart'], ['crash here', 'acts then crash']),
  'second SIGKILL during recovery': secondCrash,
  'reboot before recovery': (subject) => crashesOf(subject, ['reboot'], ['acts then crash']),
  'power cut': (subject) =>
    crashesOf(subject, ['power cut, none', 'power cut, all'], ['crash here', 'acts then crash']),
} satisfies Record<string, Cell>;

interface Crashed {
  readonly host: SimulatedHost;
  readonly ending: Ending;
}

/**
 * The crashed hosts of the last kind of operation: the run up to each crash is done once, and what follows is
 * tried on copies.
 */
let kept:
  | { readonly kind: string; readonly crashed: Map<Subject, Map<string, Promise<Crashed>>> }
  | undefined;

/** Returns a host whose process has crashed at this access. */
function crashedAt(
  subject: Subject,
  where: { readonly point: Point; readonly ends: Ends; readonly mode: 'crash here' | 'acts then crash' },
): Promise<Crashed> {
  if (kept?.kind !== subject.kind) kept = { kind: subject.kind, crashed: new Map() };
  const ofSubject = kept.crashed.get(subject) ?? new Map<string, Promise<Crashed>>();
  kept.crashed.set(subject, ofSubject);
  const key = `${where.point.title} ${where.mode} ${where.ends}`;
  const crashed = ofSubject.get(key) ?? crash(subject, where);
  ofSubject.set(key, crashed);
  return crashed;
}

async function crash(
  subject: Subject,
  { point, ends, mode }: Parameters<typeof crashedAt>[1],
): Promise<Crashed> {
  const staged = subject.start();
  staged.host.fault(point.fault(mode));
  const ending = await run(staged, { ends });
  staged.host.kill();
  return { host: staged.host, ending };
}

/**
 * Returns the accesses at which to crash. Those of the body are the same in runs that succeed and in
 * runs that fail, so they are tried only in runs that succeed.
 */
async function changesOf(subject: Subject, ends: Ends): Promise<readonly Point[]> {
  const points = (await pointsOf(subject, ends)).filter(({ what }) => what !== 'question');
  return ends === 'well' ? points : points.filter(({ when }) => when === 'ending');
}

async function* crashesOf(
  subject: Subject,
  thens: readonly Then[],
  modes: readonly ('crash here' | 'acts then crash')[],
): AsyncIterable<Titled> {
  for (const ends of both)
    for (const [index, point] of subject.sample([...(await changesOf(subject, ends)).entries()]))
      for (const mode of modes) {
        // A crash just before an access equals one just after the access before it.
        if (mode === 'crash here' && index > 0) continue;
        for (const then of thens) {
          const { host, ending } = await crashedAt(subject, { point, ends, mode });
          const tried = await conclude(subject, fork(host), ending, then);
          yield { title: `${point.title} ${mode}, ${then} (${ends})`, tried };
        }
      }
}

/**
 * Whether an access is a change, or makes a line of the journal durable. For recovery, a crash
 * between two of these equals one at the first.
 */
function isVisible({ what, verb }: Pick<Point, 'what' | 'verb'>): boolean {
  return what === 'journal' ? verb === 'datasync' || verb === 'rename' : what !== 'question';
}

/** Kills the process after each visible access, then kills recovery after each of its visible accesses. */
async function* secondCrash(subject: Subject): AsyncIterable<Titled> {
  for (const ends of both)
    for (const point of subject.sample((await changesOf(subject, ends)).filter(isVisible))) {
      const crashed = await crashedAt(subject, { point, ends, mode: 'acts then crash' });
      const whole = fork(crashed.host);
      const seconds: Omit<Point, 'when'>[] = [];
      const counter = counterOf();
      whole.faults.watch((access) => {
        const second = counter(access);
        if (second !== undefined && isVisible(second)) seconds.push(second);
      });
      await recoverAll(whole, { operations: subject.operations });
      for (const second of seconds) {
        const host = fork(crashed.host);
        host.fault(second.fault('acts then crash'));
        const ending = await recoverAll(host, { operations: subject.operations });
        const tried = await conclude(subject, host, ending);
        yield { title: `${point.title}; then ${second.title}`, tried };
      }
    }
}
