import { setTimeout as delay } from 'node:timers/promises';
import { JournalError, RefusedError } from '../errors.ts';
import { codeOf, ownerLine, type Engine, type Signals } from './engine.ts';
import { adopt, append, close, retire, type Journal } from './journal.ts';
import { decode, type Line } from './lines.ts';
import type { AnyOperation, Claims } from './operation.ts';
import type { LockHolder } from './processes.ts';
import { apply, blocks, exclusive, fold, type State, type Step } from './state.ts';
import type { StoreFile } from './store.ts';
import { next } from './next.ts';
import { describe, stuck, unwind } from './unwind.ts';

/** A journal that is not closed, as it lies on the disk. */
export interface OpenJournal {
  readonly id: string;
  readonly lines: readonly Line[];
  readonly state: State;
  /** `running`: its owner lives. `orphan`: a tool of its dead owner still runs. */
  readonly owner: 'running' | 'orphan' | 'dead';
  readonly holders: readonly LockHolder[];
}

export interface RecoverOptions extends Signals {
  readonly engine: Engine;
  /** Also undo what is in use by now. */
  readonly yes: boolean;
  /** Told when recovery waits for a tool of the dead process. */
  readonly onWait?: (id: string, holder: LockHolder) => void;
}

/** What became of one journal. */
export interface Recovered {
  readonly id: string;
  readonly name: string;
  readonly end: 'rolled-back' | 'committed' | 'nothing-to-do' | 'running';
  readonly leftAlone: readonly string[];
}

/** All journals that are not closed. Throws JournalError for one that cannot be read: nothing is touched then. */
export async function openJournals(engine: Engine): Promise<readonly OpenJournal[]> {
  const { boot } = await engine.host.facts();
  return journalIds(engine).flatMap((id) => {
    const file = engine.store.open(`${id}.journal`);
    if (file === undefined) return [];
    try {
      const { lines } = decode(file.read(), `${id}.journal`);
      const state = fold(lines);
      const alive = engine.processes.alive(state.owner, file.inode, boot);
      const holders = alive ? [] : engine.processes.holders(file.inode);
      const owner = alive ? 'running' : holders.length > 0 ? 'orphan' : 'dead';
      return [{ id, lines, state, owner, holders }];
    } finally {
      file.close();
    }
  });
}

/**
 * Brings one journal to its end: back when it has no `committed`, forward when it has. Waits for a tool that still
 * runs. Throws RefusedError when something it made is in use and `yes` was not said, StuckError when something is
 * left, JournalError when the journal cannot be read or taken.
 */
export async function recover(id: string, options: RecoverOptions): Promise<Recovered> {
  const { engine } = options;
  const file = await takeJournal(id, options);
  if (file === 'running' || file === undefined)
    return { id, name: '', end: file === undefined ? 'nothing-to-do' : 'running', leftAlone: [] };
  const locks = engine.locks.open();
  try {
    const { state: seen } = { state: fold(decode(file.read(), `${id}.journal`).lines) };
    if (seen.closed !== undefined) {
      retire(engine.store, id);
      return { id, name: seen.begin.name, end: 'nothing-to-do', leftAlone: [] };
    }
    const codes = await knownCodes(engine, id, seen);
    await lockObjects(locks, seen);
    if (!options.yes) await refuseInUse(engine, id, seen, codes);
    const journal = adopt(engine.store, file, id);
    append(journal, [{ t: 'recovery', ...(await ownerLine(engine)) }]);
    return await bringToEnd(journal, options);
  } finally {
    locks.release();
    file.close();
  }
}

async function bringToEnd(journal: Journal, { engine, abandon }: RecoverOptions): Promise<Recovered> {
  const boots = { [engine.host.name]: (await engine.host.facts()).boot };
  const { end, leftAlone, errors } = await unwind({ engine, journal, boots, inverses: new Map(), abandon });
  if (end === 'stuck') throw stuck(journal, { cause: errors[0], errors: errors.slice(1) });
  if (journal.incomplete !== undefined) throw stuck(journal, { cause: journal.incomplete });
  close(journal, { t: 'closed', outcome: end });
  return { id: journal.id, name: journal.state.begin.name, end, leftAlone };
}

/** The journal, locked; waits for an orphan tool, ends one that may be ended, and leaves a living owner alone. */
async function takeJournal(id: string, options: RecoverOptions): Promise<StoreFile | 'running' | undefined> {
  const { engine } = options;
  const { boot } = await engine.host.facts();
  const told = new Set<number>();
  for (;;) {
    const file = engine.store.open(`${id}.journal`);
    if (file === undefined) return undefined;
    if ((await engine.host.flock([{ fd: file.fd, mode: 'exclusive' }])) === undefined) {
      if (engine.store.inode(`${id}.journal`) === file.inode) return file;
    }
    const { state, inode } = { state: fold(decode(file.read(), `${id}.journal`).lines), inode: file.inode };
    file.close();
    if (engine.processes.alive(state.owner, inode, boot)) return 'running';
    if (options.stop?.aborted === true)
      throw new JournalError(`journal ${id} is still locked by a running tool`);
    for (const holder of engine.processes.holders(inode)) {
      if (told.has(holder.pid)) continue;
      told.add(holder.pid);
      options.onWait?.(id, holder);
      if (holder.safe) engine.processes.end(holder.pid);
    }
    await delay(100);
  }
}

/** Every kind must be known before anything is touched. */
async function knownCodes(
  engine: Engine,
  id: string,
  state: State,
): Promise<ReadonlyMap<number, AnyOperation>> {
  const codes = new Map<number, AnyOperation>();
  for (const { n, intent, undone } of state.steps)
    if (intent.kind !== 'bare' && undone === undefined) codes.set(n, await codeOf(engine, intent, id));
  return codes;
}

async function lockObjects(locks: ReturnType<Engine['locks']['open']>, state: State): Promise<void> {
  const claims = left(state).flatMap(({ intent }) => (intent.claims === null ? [] : [intent.claims]));
  const all: Claims = {
    changes: claims.flatMap(exclusive),
    needs: claims.flatMap((each) => each.needs ?? []),
  };
  const key = await locks.take(all);
  if (key === undefined) return;
  throw new JournalError(`${key} is in use by another bofh that is running now`, {
    remedy: 'recover again when it has ended',
  });
}

/**
 * A kill between "domain started" and `committed` must not cost a guest that has worked for days. Only the newest
 * step on an object is asked: what older ones see in use is used by the newer ones.
 */
async function refuseInUse(
  engine: Engine,
  id: string,
  state: State,
  codes: ReadonlyMap<number, AnyOperation>,
): Promise<void> {
  if (state.committed) return;
  const { boot } = await engine.host.facts();
  const steps = left(state);
  const used: string[] = [];
  for (const step of steps) {
    const code = codes.get(step.n);
    const newest = !steps.some(
      (other) => isNewer(steps, other, step) && isThere(other, boot) && blocks(other, step),
    );
    if (code === undefined || code.deferred || !newest || !isThere(step, boot)) continue;
    const result = step.done === undefined ? {} : { result: step.done.result };
    const look = await code.look({ undo: step.intent.undo, host: engine.host, ...result });
    if (look.state === 'ours' && look.holders !== undefined && look.holders.length > 0)
      used.push(`${describe(step)}: ${look.holders.join(', ')}`);
  }
  if (used.length === 0) return;
  throw new RefusedError(`journal ${id} is left open: what it made is in use by now: ${used.join('; ')}`, {
    remedy: `bofh recover --yes undoes it all the same; bofh journal show ${id} shows what that is`,
  });
}

function isNewer(steps: readonly Step[], other: Step, step: Step): boolean {
  return steps.indexOf(other) > steps.indexOf(step);
}

function isThere(step: Step, boot: string): boolean {
  return step.intent.lives === 'disk' || step.intent.boot === boot;
}

/** Steps that are not at their end. */
function left(state: State): readonly Step[] {
  return state.steps.filter((step) =>
    state.committed
      ? step.undone === undefined && step.intent.after && !step.finished
      : step.undone === undefined,
  );
}

/** What recovery would do, in its order, when nothing fails. */
export function plan(state: State, boots: Readonly<Record<string, string>>): readonly PlannedStep[] {
  const steps: PlannedStep[] = [];
  let now = state.committed ? state : apply(state, { t: 'recovery', ...state.owner });
  for (;;) {
    const decision = next(now, { boots, owner: 'me', inverses: new Set() });
    if (decision.do === 'undo') {
      const ended = [...decision.riders, decision.step];
      steps.push({
        do: decision.boot === 'same' ? 'undo' : 'look',
        step: decision.step,
        riders: decision.riders,
      });
      for (const { n } of ended) now = apply(now, { t: 'undone', n });
    } else if (decision.do === 'finish') {
      steps.push({ do: 'finish', step: decision.step, riders: [] });
      now = apply(now, { t: 'finished', n: decision.step.n });
    } else if (decision.do === 'block') {
      steps.push({ do: 'blocked', step: decision.step, riders: [] });
      now = apply(now, { t: 'blocked', n: decision.step.n, why: decision.why });
    } else return steps;
  }
}

export interface PlannedStep {
  readonly do: 'undo' | 'look' | 'finish' | 'blocked';
  readonly step: Step;
  /** Steps that go with it. */
  readonly riders: readonly Step[];
}

/** Closes a journal without touching the host; the reason is written into it. */
export async function abandon(engine: Engine, id: string, because: string): Promise<void> {
  const file = await takeDead(engine, id);
  try {
    const journal = adopt(engine.store, file, id);
    close(journal, { t: 'closed', outcome: 'abandoned', because, user: engine.who.user });
  } finally {
    file.close();
  }
}

/** The journal without its last line, for one whose end is damaged; gives the text that was cut off. */
export async function cutLastLine(engine: Engine, id: string): Promise<string> {
  const file = await takeDead(engine, id);
  try {
    const bytes = file.read();
    const cut = bytes.subarray(0, Math.max(0, bytes.length - 1)).lastIndexOf(0x0a) + 1;
    if (cut === 0) throw new JournalError(`journal ${id} has no line but its first`);
    file.truncate(cut);
    file.datasync();
    return bytes.subarray(cut).toString('utf8').trimEnd();
  } finally {
    file.close();
  }
}

/** What a birth that was cut short left behind: whoever can lock it removes it. */
export async function sweepUnborn(engine: Engine): Promise<void> {
  const names = engine.store.names('.');
  for (const name of names.filter((each) => each.endsWith('.new'))) {
    const id = name.slice(0, -'.new'.length);
    const file = engine.store.open(name);
    if (file === undefined) continue;
    try {
      const refused = await engine.host.flock([{ fd: file.fd, mode: 'exclusive' }]);
      if (refused !== undefined || engine.store.inode(name) !== file.inode) continue;
      for (const left of [`${id}.d`, `${id}.ballast`, name]) engine.store.remove(left);
    } finally {
      file.close();
    }
  }
}

async function takeDead(engine: Engine, id: string): Promise<StoreFile> {
  const file = engine.store.open(`${id}.journal`);
  if (file === undefined) throw new JournalError(`there is no open journal ${id}`);
  if ((await engine.host.flock([{ fd: file.fd, mode: 'exclusive' }])) === undefined) return file;
  file.close();
  throw new JournalError(
    `journal ${id} is in use: its sequence, or a tool that it started, is still running`,
  );
}

function journalIds(engine: Engine): readonly string[] {
  return engine.store.names('.').flatMap((name) => /^(?<id>.+)\.journal$/.exec(name)?.groups?.id ?? []);
}
