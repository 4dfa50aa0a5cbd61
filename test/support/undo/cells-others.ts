import { recover } from '../../../src/atomic/recovery/recover.ts';
import { StuckError } from '../../../src/core/errors.ts';
import { fork } from '../../../src/simulator/fork.ts';
import { simulatedBofh, type SimulatedHost } from '../../../src/simulator/index.ts';
import { isWhole } from '../sampled.ts';
import type { FaultName } from './fault-names.ts';
import { deedsOf } from './others/deeds.ts';
import {
  directoryOf,
  mountAgain,
  ownFilesystem,
  tryWithdrawal,
  unmountNow,
  withdrawalsOf,
} from './others/reach.ts';
import { differences, stateOf, uuidsIn } from '../../../src/simulator/matrix/judge.ts';
import { movesOf } from './others/moves.ts';
import { replacementsOf } from './others/replacements.ts';
import { type Deed, laterFile } from './others/theirs.ts';
import { tryDeed } from './others/trial.ts';
import { pointsOf } from '../../../src/simulator/matrix/points.ts';
import {
  fateOf,
  next,
  recoverAll,
  run,
  type Cell,
  type Staged,
  words,
  type Subject,
  type Then,
  type Titled,
  type Tried,
} from '../../../src/simulator/matrix/trial.ts';

type Others = Extract<
  FaultName,
  'foreign content' | 'identity reused' | 'the world moved on' | 'out of reach'
>;

/** What others do between a crash and its recovery. */
export const othersCells: Readonly<Record<Others, Cell>> = {
  'foreign content': (subject) => killed(subject, deedsOf),
  'identity reused': (subject) => killed(subject, replacementsOf),
  'the world moved on': movedOn,
  'out of reach': outOfReach,
};

/** With BOFH_MATRIX=whole all of them; else one, which is another one for each specimen. */
function chosen<T>(all: readonly T[], { kind, specimen }: Subject): readonly T[] {
  if (isWhole || all.length === 0) return all;
  const sum = Buffer.from(`${kind} ${specimen.title ?? ''}`).reduce((total, byte) => total + byte, 0);
  return all.slice(sum % all.length, (sum % all.length) + 1);
}

/**
 * Others close, detach, unmount or deactivate what they can, after they have written to it or not. The undo must neither take
 * what it cannot see for undone, nor lose what they wrote.
 */
async function* outOfReach(subject: Subject): AsyncIterable<Titled> {
  const all: { readonly title: string; readonly try: () => Promise<Tried> }[] = [];
  const crashed = await killedAt(subject, 'in a later step');
  const directory = directoryOf(subject.start().host, crashed);
  for (const then of ['restart', 'reboot'] as const) {
    const host = next(fork(crashed), then);
    const before = next(subject.start().host, then);
    if (directory !== undefined)
      all.push({
        title: `${then}: ${directory} is not mounted`,
        try: () => tryUnmounted(subject, directory, then),
      });
    for (const withdrawal of withdrawalsOf(host))
      all.push({
        title: `${then}: ${withdrawal.title}`,
        try: () => tryWithdrawal(subject, { host, before, then }, withdrawal),
      });
    for (const deed of deedsOf(before, host).filter(isSeenLater)) {
      const act: Deed['act'] = (on) => {
        const { isKept, leave } = deed.act(on);
        leave?.(on);
        withdrawalsOf(on).at(-1)?.away(on);
        return { isKept };
      };
      if (withdrawalsOf(host).length > 0)
        all.push({
          title: `${then}: ${deed.title}, and all of it`,
          try: () => tryDeed(host, { ...deed, act }),
        });
    }
  }
  for (const { title, try: tries } of chosen(all, subject)) yield { title, tried: await tries() };
}

/** The same with the directory of its files as a filesystem of its own, which is not mounted at the recovery. */
export async function tryUnmounted(subject: Subject, directory: string, then: Then): Promise<Tried> {
  const staged = (): Staged => {
    const { host, ...rest } = subject.start();
    ownFilesystem(host, directory);
    return { host, ...rest };
  };
  const untouched = staged().host;
  subject.specimen.restored?.(untouched);
  const before = next(untouched, then);
  mountAgain(before, directory);
  const host = next(await killNow({ ...subject, start: staged }, 'in a later step'), then);
  unmountNow(host, directory);
  const first = await recoverAll(host, { operations: subject.operations });
  const stuck = first.how !== 'done';
  mountAgain(host, directory);
  const last = stuck ? await recoverAll(host.restart(), { operations: subject.operations }) : first;
  const known = uuidsIn(before.snapshot());
  const off = differences(stateOf(before, known), stateOf(host, known));
  if (last.how === 'done' && off.length === 0) return { ended: 'before', stuck, why: '' };
  const why = last.how === 'thrown' ? words(last.error) : `${last.how}: ${off.join(' ')}`;
  return { ended: 'neither', stuck, why };
}

/** A thin snapshot that others activate, write to and deactivate again looks as the step left it (docs/undo.md). */
function isSeenLater({ title }: Deed): boolean {
  return !title.endsWith(', which they activated');
}

type Killed = 'before the next line' | 'in a later step';

/** After its act: before another line of the journal is written, or when a later step has begun; then also after a boot. */
async function* killed(
  subject: Subject,
  deeds: (before: SimulatedHost, now: SimulatedHost) => readonly Deed[],
): AsyncIterable<Titled> {
  const all: {
    readonly at: Killed;
    readonly then: Then;
    readonly host: SimulatedHost;
    readonly deed: Deed;
  }[] = [];
  const thens: readonly Then[] = ['restart', 'reboot', ...(isWhole ? (['power cut, all'] as const) : [])];
  const where: readonly Killed[] = [
    'in a later step',
    ...(isWhole ? (['before the next line'] as const) : []),
  ];
  for (const at of where) {
    const crashed = await killedAt(subject, at);
    for (const then of thens) {
      if (!isWhole && all.length > 0) break;
      const host = next(fork(crashed), then);
      const before = next(subject.start().host, then);
      all.push(...deeds(before, host).map((deed) => ({ at, then, host, deed })));
    }
  }
  for (const { at, then, host, deed } of chosen(all, subject))
    yield { title: `killed ${at}, ${then}: ${deed.title}`, tried: await tryDeed(host, deed) };
}

/** Of one kind: what others do then is tried on copies, the run before it once. */
let kept:
  | { readonly kind: string; readonly hosts: Map<Subject, Map<Killed, Promise<SimulatedHost>>> }
  | undefined;

export function killedAt(subject: Subject, at: Killed): Promise<SimulatedHost> {
  if (kept?.kind !== subject.kind) kept = { kind: subject.kind, hosts: new Map() };
  const ofSubject = kept.hosts.get(subject) ?? new Map<Killed, Promise<SimulatedHost>>();
  kept.hosts.set(subject, ofSubject);
  const host = ofSubject.get(at) ?? killNow(subject, at);
  ofSubject.set(at, host);
  return host;
}

async function killNow(subject: Subject, at: Killed): Promise<SimulatedHost> {
  const { host, act } = subject.start();
  const more: typeof act = async (tx) => {
    await act(tx);
    if (at === 'in a later step') await tx.file.create({ path: laterFile, content: '', mode: 0o600 });
  };
  await run({ host, act: more }, { ends: 'well', onBodyEnds: () => host.kill() });
  return host.restart();
}

/** Killed right after the commit: an object that will be destroyed then is used, renamed, or replaced. */
async function* movedOn(subject: Subject): AsyncIterable<Titled> {
  const points = await pointsOf(subject, 'well');
  const committed = points.find(
    ({ when, what, verb }) => when === 'ending' && what === 'journal' && verb === 'datasync',
  );
  if (committed === undefined) throw new Error('there is no commit');
  const staged = subject.start();
  staged.host.fault(committed.fault('acts then crash'));
  await run(staged, { ends: 'well' });
  staged.host.clearFaults();
  const all: { readonly then: Then; readonly host: SimulatedHost; readonly deed: Deed }[] = [];
  for (const then of isWhole ? (['restart', 'reboot'] as const) : (['restart'] as const)) {
    staged.host.kill();
    const host = next(fork(staged.host), then);
    if (fateOf(host) !== 'after') throw new Error('it is not committed');
    const done = fork(host);
    await recoverAll(done);
    all.push(
      ...[...deedsOf(done, host), ...replacementsOf(done, host), ...movesOf(host)].map((deed) => ({
        ...{ then, host, deed },
      })),
    );
  }
  for (const { then, host, deed } of chosen(all, subject))
    yield { title: `committed, ${then}: ${deed.title}`, tried: await tryDeed(host, deed) };
}

/**
 * A program of the undo hangs at boot. The limit of recovery ends the recovery, not the program; the journal stays open and
 * names it. When the program has come to its end, recovery goes on.
 */
export async function* hangsAtBoot(subject: Subject): AsyncIterable<Titled> {
  const crashed = await killedAt(subject, 'in a later step');
  const boot = (): SimulatedHost => next(fork(crashed), 'reboot');
  const programs: { readonly nth: number; readonly title: string }[] = [];
  const counted = boot();
  let changes = 0;
  counted.faults.watch(({ tool, access, argv }) => {
    if (access !== 'change' || tool === 'store') return;
    changes += 1;
    if (tool !== 'file') programs.push({ nth: changes, title: `${tool} ${argv.join(' ')}` });
  });
  const whole = await recoverAll(counted);
  if (whole.how !== 'done') return;
  for (const { nth, title } of isWhole ? programs : programs.slice(0, 1)) {
    const host = boot();
    host.fault({ nth, mode: 'hangs' });
    const why = await hung(host);
    const ended = why === '' ? 'before' : 'neither';
    yield { title: title.replaceAll(/[0-9a-f]{12}/g, 'ID'), tried: { ended, stuck: true, why } };
  }
}

/** What is wrong, or nothing. */
async function hung(host: SimulatedHost): Promise<string> {
  const over = new AbortController();
  const { engine } = simulatedBofh({ host });
  const names = (): readonly string[] => engine.store.names('.').filter((name) => name.endsWith('.journal'));
  const id = names()[0]?.replace('.journal', '') ?? '';
  const recovering = recover(id, { engine, yes: false, stop: over.signal, abandon: over.signal }).then(
    () => undefined,
    (error: unknown) => error,
  );
  for (let turn = 0; turn < 10_000 && host.world.orphans.length === 0; turn += 1)
    await new Promise((resolve) => setImmediate(resolve));
  const [orphan] = host.world.orphans;
  if (orphan === undefined) return 'no program hangs';
  over.abort();
  const error = await recovering;
  if (!(error instanceof StuckError)) return `at the limit it ended by ${String(error)}`;
  if (names().length !== 1) return 'the journal is not open';
  if (!orphan.safe && !host.world.orphans.includes(orphan)) return 'the program was ended';
  host.letGo();
  host.clearFaults();
  const again = host.restart();
  const ending = await recoverAll(again);
  return ending.how === 'done' ? '' : `later it ended by ${String('error' in ending ? ending.error : '')}`;
}
