import { fork } from '../../../src/simulator/fork.ts';
import { explain } from '../../../src/cli/errors/explain.ts';
import { type Ends, type Point, pointsOf } from '../../../src/simulator/matrix/points.ts';
import {
  type Cell,
  conclude,
  next,
  run,
  type Subject,
  type Titled,
  type Tried,
} from '../../../src/simulator/matrix/trial.ts';
import { simulatedBofh, type SimulatedHost } from '../../../src/simulator/index.ts';
import { runVerb } from '../../unit/cli/support/run-verb.ts';
import { testRuntime } from '../../unit/cli/support/runtime.ts';
import type { FaultName } from './fault-names.ts';

type JournalFault = Extract<FaultName, 'disk full in the journal' | 'torn tail' | 'flipped bit'>;

const both: readonly Ends[] = ['well', 'badly'];
const folder = '/var/lib/bofh/journal';

/** What happens to the journal, at each of its lines. */
export const journalCells: Readonly<Record<JournalFault, Cell>> = {
  'disk full in the journal': diskFull,
  'torn tail': tornTail,
  'flipped bit': flippedBit,
};

function isLine({ what, verb }: Point): boolean {
  return what === 'journal' && verb === 'write';
}

/** At each write: nothing of it arrives, or a few bytes; the ballast that is given up then helps, or does not. */
async function* diskFull(subject: Subject): AsyncIterable<Titled> {
  for (const ends of both) {
    const writes = [...(await pointsOf(subject, ends)).filter(isLine).entries()].filter(isOwn(ends));
    for (const [index, point] of subject.sample(writes))
      for (const arrives of ['nothing', '7 bytes'] as const)
        for (const ballast of ['helps', 'does not help'] as const) {
          const staged = subject.start();
          const times = ballast === 'helps' ? 1 : Number.POSITIVE_INFINITY;
          const full = { tool: 'store', argvIncludes: 'write', mode: 'no space', times } as const;
          if (arrives === '7 bytes')
            staged.host.fault({ ...full, nth: index + 1, mode: 'short write', times: 1 });
          staged.host.fault({ ...full, nth: index + (arrives === 'nothing' ? 1 : 2) });
          const ending = await run(staged, { ends });
          const tried = await conclude(subject, staged.host, ending);
          yield { title: `${point.title}: ${arrives} arrives, the ballast ${ballast} (${ends})`, tried };
        }
  }
}

/** What is before the end of the body is the same in both, and comes with those that end well. */
function isOwn(ends: Ends): (each: readonly [number, Point]) => boolean {
  return ([, { when }]) => ends === 'well' || when === 'ending';
}

/** The power fails while a line is written: of the write only a part is on the disk. */
async function* tornTail(subject: Subject): AsyncIterable<Titled> {
  for (const ends of both) {
    const lines = (await pointsOf(subject, ends)).filter((each) => isLine(each) && !isBallast(each));
    for (const [, point] of subject.sample([...lines.entries()].filter(isOwn(ends))))
      for (const part of ['one byte', 'half', 'all but the newline'] as const) {
        const staged = subject.start();
        const { host } = staged;
        let before = 0;
        host.faults.watch((access) => {
          if (access.tool === 'store' && access.argv[0] === 'write')
            before = journalOf(host)?.text.length ?? 0;
        });
        host.fault(point.fault('acts then crash'));
        const ending = await run(staged, { ends });
        const journal = journalOf(host);
        if (journal === undefined) throw new Error(`there is no journal after ${point.title}`);
        const written = journal.text.length - before;
        const kept = part === 'one byte' ? 1 : part === 'half' ? Math.ceil(written / 2) : written - 1;
        host.admin.writeFile(journal.path, journal.text.slice(0, before + kept), 0o600);
        const tried = await conclude(subject, host, ending, 'power cut, none');
        yield { title: `${point.title}: ${part} (${ends})`, tried };
      }
  }
}

function isBallast({ title }: Point): boolean {
  return title.endsWith('.ballast');
}

/** One bit of a whole line is another one: nothing is touched, exit 4, the line is named. With the bit back all goes on. */
async function* flippedBit(subject: Subject): AsyncIterable<Titled> {
  for (const ends of both) {
    const all = await pointsOf(subject, ends);
    // The journals with the most lines: every line is in them, and in the last one the journal is closed but not moved.
    const last = all.filter(({ what, verb }) => what === 'journal' && verb === 'datasync').slice(-2);
    for (const [index, point] of last.entries()) {
      const template = await crashedAt(subject, point, ends);
      const where = index === 0 ? 'body' : 'sum';
      for (const line of subject.sample([...template.lines.keys()])) {
        const crashed = { ...template, host: fork(template.host) };
        const why = await flip(crashed, line, where);
        const tried = await conclude(subject, crashed.host, { how: 'died' });
        const title = `${point.title}: line ${line + 1}, in its ${where} (${ends})`;
        yield { title, tried: why === '' ? tried : ({ ...tried, ended: 'neither', why } satisfies Tried) };
      }
    }
  }
}

interface Crashed {
  readonly host: SimulatedHost;
  readonly path: string;
  readonly lines: readonly string[];
}

async function crashedAt(subject: Subject, point: Point, ends: Ends): Promise<Crashed> {
  const staged = subject.start();
  staged.host.fault(point.fault('acts then crash'));
  await run(staged, { ends });
  staged.host.clearFaults();
  const host = next(staged.host, 'restart');
  const journal = journalOf(host);
  // Not born yet: no line was ever announced.
  const isBorn = journal?.path.endsWith('.journal') === true;
  return { host, path: journal?.path ?? '', lines: isBorn ? journal.text.trimEnd().split('\n') : [] };
}

/** Flips, recovers by the command, looks, and flips back. Says what is wrong. */
async function flip({ host, path, lines }: Crashed, line: number, where: 'sum' | 'body'): Promise<string> {
  const text = lines[line] ?? '';
  const at = where === 'sum' ? 3 : Math.floor((9 + text.length) / 2);
  const other = String.fromCharCode(text.charCodeAt(at) ^ 1);
  const bad = `${text.slice(0, at)}${other}${text.slice(at + 1)}`;
  const whole = `${lines.join('\n')}\n`;
  const damaged = `${[...lines.slice(0, line), bad, ...lines.slice(line + 1)].join('\n')}\n`;
  host.admin.writeFile(path, damaged, 0o600);
  const before = host.snapshot();
  const { said, code } = await recoverByCommand(host);
  const wrong = [
    ...(code === 4 ? [] : [`exit ${code}, not 4`]),
    ...(said.includes(`line ${line + 1}`) ? [] : [`line ${line + 1} is not named: ${said}`]),
    ...(host.snapshot() === before ? [] : ['the host was changed']),
    ...(host.admin.readFile(path) === damaged ? [] : ['the journal was changed']),
  ];
  host.admin.writeFile(path, whole, 0o600);
  return wrong.join('; ');
}

async function recoverByCommand(
  host: SimulatedHost,
): Promise<{ readonly said: string; readonly code: number }> {
  const { runtime, stderr } = testRuntime(simulatedBofh({ host }), { yes: true });
  try {
    return { code: await runVerb(runtime, 'recover'), said: stderr() };
  } catch (error) {
    const { failed, exitCode } = explain(error, runtime);
    return { code: exitCode, said: `${stderr()}\n${failed}` };
  }
}

/** The only journal in the state directory, as it is there. */
function journalOf(host: SimulatedHost): { readonly path: string; readonly text: string } | undefined {
  const { store } = simulatedBofh({ host: host.process.alive ? host : host.restart() }).engine;
  const name = store.names('.').find((each) => /\.(?:journal|new)$/.test(each));
  return name === undefined
    ? undefined
    : { path: `${folder}/${name}`, text: host.admin.readFile(`${folder}/${name}`) };
}
