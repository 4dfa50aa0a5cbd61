import { option } from '../../core/option.ts';
import { accessTo } from '../undo/next.ts';
import { uptime } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { ConnectionError, JournalError, RefusedError, UsageError } from '../../core/errors.ts';
import { releaseHosts } from '../undo/finish.ts';
import { codeOf, ownerLine, type Engine, type Signals } from '../engine.ts';
import { keyInWords } from '../locks/host-key.ts';
import { AppendError, adoptAgain, append, close, retire, type Journal } from '../journal/journal-writer.ts';
import { newId, type Line } from '../journal/lines.ts';
import type { ObjectLocks } from '../locks/lock.ts';
import type { AnyOperation, Key, Look } from '../operation.ts';
import { meet, placeOf } from '../place.ts';
import { isOtherMachine, isSameView, type LockHolder } from '../locks/processes.ts';
import { describe, stuck } from '../undo/report.ts';
import {
  cannotTell,
  isOwned,
  journalOf,
  journals,
  openLocked,
  refuseRestored,
  see,
  type Seen,
  workedOn,
  type Worked,
} from '../journal/scan.ts';
import {
  containerOf,
  blocks,
  endedWithBoot,
  exclusive,
  isLeft,
  journalled,
  type State,
  type Step,
} from '../journal/state.ts';
import { endOf, eventReporterOf } from '../sequence/event-reporter.ts';
import { movedByOthers } from '../undo/ownership.ts';
import { outputsOf, type StoreFile } from '../journal/store.ts';
import { hostsLeft, unwind } from '../undo/unwind.ts';
import { reachedByWriters } from '../undo/witness.ts';
import { letGo } from './close-journal.ts';

export { bootsOf, plan, type PlannedStep } from './plan.ts';
export {
  abandon,
  cutLastLine,
  damagedEnd,
  refuseUnresolvable,
  resolveStep,
  removeJournalLeftovers,
} from './close-journal.ts';

/** A journal on the disk that is not in the history. */
export interface OpenJournal {
  readonly id: string;
  readonly lines: readonly Line[];
  readonly state: State;
  /**
   * `running`: its owner is alive. `orphan`: its owner is dead, but a program of it still runs. `unknown`: a
   * process that /proc does not show here holds its lock.
   */
  readonly owner: Worked['owner'];
  readonly holders: readonly LockHolder[];
}

export interface RecoverOptions extends Signals {
  readonly engine: Engine;
  /** Also undo changes of objects that are in use now. */
  readonly yes: boolean;
  /**
   * Objects (`fs:UUID`, `lv:vg0/web1`) that may be destroyed together with what others wrote there.
   * `all`: this is a plan, which destroys nothing and cannot know the content of the real host's
   * disks.
   */
  readonly discard?: readonly Key[] | 'all';
  /** Also recover a journal that was started under another machine-id, because this host got a new one. */
  readonly ignoreMachineId?: boolean;
  /** Also roll back a sequence that still waits for its confirmation. */
  readonly unconfirmed?: boolean;
  /** Called when recovery waits for a tool of the dead process. */
  readonly onWait?: (id: string, holder: LockHolder) => void;
}

/** Whether a sequence still waits for its confirmation; `boot` is the current boot id. */
export function isWaiting({ awaiting }: Pick<State, 'awaiting'>, boot: string): boolean {
  return awaiting !== undefined && awaiting.boot === boot && uptime() < awaiting.until;
}

/** The result for one journal. */
export interface Recovered {
  readonly id: string;
  readonly name: string;
  /** `unconfirmed`: the sequence waits for its confirmation, and recovery did nothing. */
  readonly end: 'rolled-back' | 'committed' | 'nothing-to-do' | 'running' | 'unconfirmed';
  readonly leftUntouched: readonly string[];
}

/**
 * Lists all journals outside the history. A closed one is there if a crash came before its move. Throws
 * JournalError for one that cannot be read: nothing is touched then.
 */
export async function openJournals(engine: Engine): Promise<readonly OpenJournal[]> {
  return await withOwners(engine, journals(engine));
}

/** Journals that were read, with who works on them; without those that have moved to the history since. */
export async function withOwners(engine: Engine, seen: readonly Seen[]): Promise<readonly OpenJournal[]> {
  const worked = await workedOn(engine, seen);
  const open = seen.map(async (read, i): Promise<readonly OpenJournal[]> => {
    const by = worked[i];
    if (by === undefined) return [];
    const { id, lines, state } = read;
    const isDead = by.owner === 'dead' || by.owner === 'orphan';
    if (!isDead || state.closed !== undefined) return [{ id, lines, state, ...by }];
    // The owner may have ended the sequence between the two looks: then it was not interrupted.
    const now = journalOf(engine, id);
    if (now === undefined) return [];
    if (now.lines.length === lines.length) return [{ id, lines, state, ...by }];
    return await withOwners(engine, [now]);
  });
  return (await Promise.all(open)).flat();
}

/**
 * Recovers one journal: rolls back without `committed`, forward with it. Waits for a tool that still runs.
 * Throws RefusedError if one of its objects is in use (unless `yes`), StuckError if something is left,
 * JournalError if the journal cannot be read or locked.
 */
export async function recover(id: string, options: RecoverOptions): Promise<Recovered> {
  const file = await takeJournal(id, options);
  if (file === 'running' || file === undefined)
    return { id, name: '', end: file ?? 'nothing-to-do', leftUntouched: [] };
  const locks = options.engine.locks.open();
  let stillRunning: Promise<unknown> | undefined;
  try {
    const { state } = see(id, file);
    if (options.unconfirmed !== true && isWaiting(state, options.engine.processes.self.boot))
      return { id, name: state.begin.name, end: 'unconfirmed', leftUntouched: [] };
    const token = newId();
    if (state.closed === undefined) await check(id, state, { locks, token }, options);
    const adopted = adoptAgain(options.engine.store, file, id, token);
    if (state.closed === undefined)
      return await telling(adopted, options, (journal, engine) =>
        finishSequence(journal, { ...options, engine }, (acting) => {
          stillRunning = acting;
        }),
      );
    retire(options.engine.store, id);
    return { id, name: state.begin.name, end: 'nothing-to-do', leftUntouched: [] };
  } finally {
    letGo(stillRunning, locks, file);
  }
}

/** Runs a recovery and reports its events to the listener of the engine, as a continued sequence. */
async function telling(
  journal: Journal,
  { engine }: Pick<RecoverOptions, 'engine'>,
  work: (journal: Journal, engine: Engine) => Promise<Recovered>,
): Promise<Recovered> {
  if (engine.reporter !== undefined) return await work({ ...journal, reporter: engine.reporter }, engine);
  if (engine.onEvent === undefined) return await work(journal, engine);
  const { id, state } = journal;
  const reporter = eventReporterOf(engine.onEvent, { id, name: state.begin.name });
  try {
    const recovered = await work({ ...journal, reporter }, { ...engine, reporter });
    reporter.report({ type: 'ended', outcome: recovered.end === 'committed' ? 'committed' : 'rolled-back' });
    return recovered;
  } catch (error) {
    reporter.report(endOf('some', { error }));
    throw error;
  }
}

export async function finishSequence(
  journal: Journal,
  { engine, abandon, discard = [], yes }: RecoverOptions,
  leave: (acting: Promise<unknown>) => void,
): Promise<Recovered> {
  append(journal, [{ t: 'recovery', ...ownerLine(engine) }]);
  try {
    const unwound = await unwind({
      ...{ engine, journal, inverses: new Map(), abandon },
      discard: discard === 'all' ? discard : new Set(discard),
      trusted: yes ? await reachedByWriters(engine, journal) : undefined,
    });
    const { end, leftUntouched, errors, stillRunning } = unwound;
    if (stillRunning !== undefined) leave(stillRunning);
    if (end === 'stuck' || journal.incomplete !== undefined)
      throw await stuck(
        { engine, journal, abandon },
        { cause: errors[0] ?? journal.incomplete, errors: errors.slice(1), leftUntouched },
      );
    await releaseHosts(engine, journal).catch(async (cause: unknown) => {
      throw await stuck({ engine, journal, abandon }, { cause, leftUntouched });
    });
    close(journal, { t: 'closed', outcome: end });
    return { id: journal.id, name: journal.state.begin.name, end, leftUntouched };
  } catch (error) {
    // The host may already be changed, so a line that cannot be written makes the sequence stuck.
    throw error instanceof AppendError || error instanceof ConnectionError
      ? await stuck({ engine, journal, abandon }, { cause: error })
      : error;
  }
}

/**
 * Locks the journal and returns it. Waits for a program of its dead owner, or ends it if that is safe. Does
 * not touch a journal with a living owner.
 */
async function takeJournal(id: string, options: RecoverOptions): Promise<StoreFile | 'running' | undefined> {
  const { engine } = options;
  const reported = new Set<number>();
  let isKnown = false;
  let unseen = 0;
  for (;;) {
    const file = await openLocked(engine, `${id}.journal`);
    if (file === undefined) return undefined;
    const free = file === 'held' ? undefined : file;
    // The lock is also free if the shell that held it was killed, but not its program.
    const left =
      free === undefined ? [] : engine.processes.holders()(free.inode, outputsOf(engine.store, id));
    if (free !== undefined && left.length === 0) return free;
    free?.close();
    const seen = journalOf(engine, id);
    if (seen === undefined) return undefined;
    if (isOwned(engine, seen)) return 'running';
    const holders = free === undefined ? holdersOf(engine, seen) : left;
    unseen = holders.length === 0 ? unseen + 1 : 0;
    if (unseen > unseenLimit) throw cannotTell(id);
    // Also before a program is ended, because that changes the host.
    if (!isKnown) await codesOf(engine, id, seen.state);
    isKnown = true;
    if (options.stop?.aborted === true)
      throw new JournalError(`journal ${id} is still locked by a running tool`, {
        remedy: 'run the command again: it waits for that tool',
      });
    for (const holder of holders) {
      if (reported.has(holder.pid)) continue;
      reported.add(holder.pid);
      options.onWait?.(id, holder);
      if (holder.safe) engine.processes.end(holder.pid);
    }
    await delay(100);
  }
}

/** Attempts: a reader may hold the lock for a moment, or the process that held it has just ended. */
const unseenLimit = 20;

/**
 * The programs that hold the lock; none if the owner may live in another PID namespace, because bofh must not
 * end its programs from here.
 */
function holdersOf(engine: Engine, { id, inode, state }: Seen): readonly LockHolder[] {
  if (!isSameView(state.owner, engine.processes.self)) return [];
  return engine.processes.holders()(inode, outputsOf(engine.store, id));
}

/** Makes all checks before anything is touched, and locks the objects. */
export async function check(
  id: string,
  state: State,
  { locks, token }: { readonly locks: ObjectLocks; readonly token: string },
  { engine, yes, stop, onWait, discard = [], ignoreMachineId = false }: RecoverOptions,
): Promise<void> {
  refuseRestored(engine, id, state);
  if (!ignoreMachineId) refuseOtherMachine(engine, id, state);
  const codes = await codesOf(engine, id, state);
  await lockObjects(locks, state);
  const of = { id, name: state.begin.name, token };
  const { boots } = await meet(engine, hostsLeft(state), of, {
    signal: stop,
    onWait: (holder) => onWait?.(id, holder),
  });
  if (stop?.aborted === true)
    throw new JournalError(`journal ${id} is left open: its recovery was interrupted`);
  const objects = new Set(state.steps.map(containerOf));
  const unknown = discard === 'all' ? undefined : discard.find((key) => !objects.has(key));
  if (unknown !== undefined)
    throw new UsageError(
      `the journal ${id} has no object "${unknown}"; its objects: ${[...objects].join(', ') || 'none'}`,
      { remedy: `see what each step did: bofh journal show ${id}` },
    );
  if (!yes && !state.committed) await refuseInUse(engine, { id, state, boots }, codes);
}

/**
 * Throws for a journal of another host: its objects are not on this one. If they were treated as gone, the
 * journal would be closed, and the objects would stay on that host.
 */
export function refuseOtherMachine({ processes }: Engine, id: string, { owner }: Pick<State, 'owner'>): void {
  if (!isOtherMachine(owner, processes.self)) return;
  throw new JournalError(`journal ${id} was started under another machine-id, probably by another host`, {
    remedy: `recover it on that host; if it is this one, with a new machine-id: bofh recover ${id} --ignore-machine-id`,
  });
}

/** The code of each step that is not undone. Throws JournalError for an unknown kind or host. */
export async function codesOf(engine: Engine, id: string, state: State): Promise<Codes> {
  const codes = new Map<number, AnyOperation>();
  for (const { name, reach } of state.hosts) engine.place?.(name, reach);
  for (const { n, intent, undone } of state.steps)
    if (intent.kind !== 'bare' && undone === undefined) {
      placeOf(engine, intent.host);
      codes.set(n, await codeOf(engine, intent, id));
    }
  return codes;
}

async function lockObjects(locks: ObjectLocks, state: State): Promise<void> {
  const left = state.steps.filter((step) => isLeft(state, step));
  const claims = left.flatMap(({ intent }) => intent.claims ?? []);
  const key = await locks.take({
    changes: claims.flatMap(exclusive),
    needs: claims.flatMap(({ needs = [] }) => needs),
  });
  if (key === undefined) return;
  const of = left.find(({ intent }) =>
    [...exclusive(intent.claims ?? {}), ...(intent.claims?.needs ?? [])].includes(key),
  );
  throw new JournalError(
    `${keyInWords(of?.intent.host ?? '', key)} is in use by another bofh that is running now`,
    {
      remedy: 'when it has ended: bofh recover',
    },
  );
}

/**
 * Refuses objects in use, or renamed: after a kill between "domain started" and `committed`, recovery must
 * not end a guest that has run for days, nor remove a volume that an administrator renamed. Use by a mount or
 * guest of the sequence, a newer step of this boot, does not count; that step is checked itself.
 */
async function refuseInUse(engine: Engine, of: Looked, codes: Codes): Promise<void> {
  const used = await usesOf(engine, of, codes);
  if (used.length === 0) return;
  const { id } = of;
  throw new RefusedError(
    `journal ${id} is left open: objects that it created or changed are in use now, or were renamed: ${used.join('; ')}`,
    {
      remedy: `to undo it anyway: ${option(`bofh recover ${id} --yes`, `recover({ id: '${id}', inUse: true })`)}; to see these objects: bofh journal show ${id}`,
    },
  );
}

interface Looked {
  readonly id: string;
  readonly state: State;
  readonly boots: Readonly<Record<string, string>>;
}

type Codes = ReadonlyMap<number, AnyOperation>;

/** Texts for the objects of a sequence that others use or have moved, with their users. */
export async function usesOf(
  engine: Engine,
  { state, boots }: Omit<Looked, 'id'>,
  codes: Codes,
): Promise<readonly string[]> {
  // Objects on an unreachable host stay untouched anyway.
  const there = state.steps.filter((step) => {
    const boot = boots[step.intent.host];
    return boot !== undefined && isLeft(state, step) && !endedWithBoot(step, boot);
  });
  const isUsedByOurs = (step: Step): boolean =>
    there
      .slice(there.indexOf(step) + 1)
      .some(({ intent }) => intent.lives === 'boot' && blocks(intent, step.intent));
  const lookAt = async (step: Step): Promise<Look | undefined> => {
    const code = codes.get(step.n);
    if (code === undefined || code.defers(step.intent.undo)) return undefined;
    const { host } = placeOf(engine, step.intent.host);
    return lookUnlessRefused(code, { ...journalled(state, step), host });
  };
  const used: string[] = [];
  for (const step of there) {
    const look = await lookAt(step);
    if (look?.state !== 'ours') continue;
    // A recovery that was killed while it opened a device again left it under its tag: others did not move it.
    const isHalfOpen = accessTo(state, step).some(({ done }) => done === undefined);
    const movedTo = isHalfOpen ? undefined : await movedByOthers(engine, () => there, { step, look, lookAt });
    const holders = isUsedByOurs(step) ? [] : (look.holders ?? []).map(({ words }) => words);
    const found = [...(movedTo === undefined ? [] : [`it is ${movedTo} now`]), ...holders];
    if (found.length > 0) used.push(`${describe(step)}: ${found.join(', ')}`);
  }
  return used;
}

/**
 * Looks at the object of a step. Undefined if the look is refused, for example because a device is
 * missing: the undo looks again.
 */
async function lookUnlessRefused(
  code: AnyOperation,
  input: Parameters<AnyOperation['look']>[0],
): Promise<Look | undefined> {
  try {
    return await code.look(input);
  } catch (error) {
    if (error instanceof RefusedError) return undefined;
    throw error;
  }
}
