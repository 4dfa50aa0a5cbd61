import { setTimeout as delay } from 'node:timers/promises';
import { IdentityTaken, JournalError, RefusedError, UsageError } from '../errors.ts';
import { changing, type Engine } from './engine.ts';
import { append, type Journal } from './journal.ts';
import { decode, type IntentLine } from './lines.ts';
import type { ObjectLocks } from './lock.ts';
import { json, type AnyOperation, type Claims, type Key } from './operation.ts';
import { conflicting, exclusive, fold, type State, type Step } from './state.ts';
import { describe, undo } from './unwind.ts';

/** What a step needs of its sequence. */
export interface StepHome {
  readonly engine: Engine;
  readonly id: string;
  readonly boot: string;
  readonly locks: ObjectLocks;
  /** Claims of the steps that run now. */
  readonly running: Map<number, { readonly kind: string; readonly claims: Claims }>;
  readonly stop: AbortSignal | undefined;
  readonly takeNumber: () => number;
  /** Writes an intent, durable; the first one bears the journal. */
  readonly announce: (intent: IntentLine) => Promise<Journal>;
}

export interface StepDone {
  readonly n: number;
  readonly value: unknown;
}

const identityTries = 5;

/** One step, from its checks to its `done` line. An identity that somebody took is chosen again. */
export async function takeStep(
  home: StepHome,
  code: AnyOperation,
  args: unknown,
  scope: number | undefined,
): Promise<StepDone> {
  for (let attempt = 1; ; attempt += 1) {
    const n = home.takeNumber();
    try {
      return await tryStep(home, code, args, n, scope);
    } catch (error) {
      if (!(error instanceof IdentityTaken) || attempt === identityTries) throw error;
    } finally {
      home.running.delete(n);
    }
  }
}

async function tryStep(
  home: StepHome,
  code: AnyOperation,
  input: unknown,
  n: number,
  scope: number | undefined,
): Promise<StepDone> {
  const { engine } = home;
  const args = code.parseArgs(input);
  const { undo: undoData, claims } = await prepare(home, code, args, n);
  const contains = code.contains({ args, undo: undoData });
  const within = code.within({ args, undo: undoData });
  const journal = await home.announce({
    ...intentHead(home, n, scope),
    kind: code.kind,
    version: code.version,
    args,
    undo: undoData,
    claims,
    ...(contains === undefined ? {} : { contains: hostKey(engine, contains) }),
    ...(within === undefined ? {} : { within: hostKey(engine, within) }),
    lives: code.lives,
    after: code.after,
  });
  return act(home, code, journal, n, args, undoData);
}

/** A bare pair: its intent is journalled, its code cannot be. */
export async function takePair<T>(
  home: StepHome,
  pair: { readonly name: string; readonly claims: Claims | undefined; readonly scope: number | undefined },
  run: (n: number, journal: Journal) => Promise<T>,
): Promise<T> {
  const n = home.takeNumber();
  try {
    const claims = pair.claims === undefined ? null : withHost(home.engine, pair.claims);
    if (claims !== null) await claim(home, pair.name, n, claims);
    const journal = await home.announce({
      ...intentHead(home, n, pair.scope),
      kind: 'bare',
      version: 1,
      args: { name: pair.name },
      undo: null,
      claims,
      lives: 'disk',
      after: false,
    });
    return await run(n, journal);
  } finally {
    home.running.delete(n);
  }
}

function intentHead(home: StepHome, n: number, scope: number | undefined) {
  const head = { t: 'intent', n, host: home.engine.host.name, boot: home.boot } as const;
  return scope === undefined ? head : { ...head, scope };
}

/** prepare → claims → locks → prepare again under them, keeping the identities chosen the first time. */
async function prepare(home: StepHome, code: AnyOperation, args: unknown, n: number) {
  const { engine } = home;
  const mark = `bofh.${home.id}.${n}`;
  const first = await code.prepare({ args, mark, host: engine.host });
  const claims = await claimsOf(engine, code, args, first);
  await claim(home, code.kind, n, claims);
  const chosen = await code.prepare({ args, mark, host: engine.host, chosen: first });
  const now = await claimsOf(engine, code, args, chosen);
  if (JSON.stringify(now) !== JSON.stringify(claims))
    throw new RefusedError(`${code.kind}: what it works on changed while it was being locked; try again`);
  if (home.stop?.aborted === true) throw new RefusedError(`${code.kind}: not begun, a signal came`);
  return { undo: chosen, claims };
}

async function claimsOf(
  engine: Engine,
  code: AnyOperation,
  args: unknown,
  undoData: unknown,
): Promise<Claims> {
  const raw = await code.claims({ args, undo: undoData, on: engine.on });
  return withHost(engine, raw);
}

async function claim(home: StepHome, kind: string, n: number, claims: Claims): Promise<void> {
  refuseParallel(home, kind, n, claims);
  await lock(home, claims);
  refuseUnfinished(home, claims);
}

function withHost(engine: Engine, claims: Claims): Claims {
  const keys = (list: readonly Key[] | undefined) => (list ?? []).map((key) => hostKey(engine, key));
  return { makes: keys(claims.makes), changes: keys(claims.changes), needs: keys(claims.needs) };
}

/** The keys of another host bear its name. */
function hostKey(engine: Engine, key: Key): Key {
  return engine.host.name === '' ? key : `${engine.host.name}!${key}`;
}

/** Two steps of one sequence that run side by side must not touch one object. */
function refuseParallel(home: StepHome, kind: string, n: number, claims: Claims): void {
  for (const [other, running] of home.running) {
    const key = conflicting(running.claims, claims);
    if (other !== n && key !== undefined)
      throw new UsageError(`${kind} and ${running.kind} run side by side on ${key}: await the first one`);
  }
  home.running.set(n, { kind, claims });
}

/** All locks in one go; refused at once, or tried again until the time given is over. */
async function lock(home: StepHome, claims: Claims): Promise<void> {
  const deadline = performance.now() + (home.engine.waitMs ?? 0);
  for (;;) {
    const key = await home.locks.take(claims);
    if (key === undefined) return;
    if (performance.now() >= deadline || home.stop?.aborted === true)
      throw new JournalError(`${key} is in use by ${whoHas(home.engine, home.id, key)}`, {
        remedy: 'try again when it has ended, or with --wait 60s',
      });
    await delay(200);
  }
}

/** The living sequence that claims a key, as its journal tells it. */
function whoHas(engine: Engine, own: string, key: Key): string {
  for (const { id, state } of openJournals(engine, own)) {
    const claims = state.steps.some(({ intent }) =>
      intent.claims === null
        ? false
        : [...exclusive(intent.claims), ...(intent.claims.needs ?? [])].includes(key),
    );
    if (claims)
      return `sequence ${id} "${state.begin.name}" (pid ${state.owner.pid}: ${state.begin.argv.join(' ')})`;
  }
  return 'another bofh that has only just begun';
}

/** A dead sequence blocks the objects that it makes or changes until it is recovered, and nothing else. */
function refuseUnfinished(home: StepHome, claims: Claims): void {
  const { engine } = home;
  for (const { id, state, inode } of openJournals(engine, home.id)) {
    if (engine.processes.alive(state.owner, inode, home.boot)) continue;
    const step = state.steps.find((other) => unfinished(state, other) && clash(other, claims) !== undefined);
    if (step === undefined) continue;
    throw new JournalError(
      `${clash(step, claims) ?? 'it'} belongs to the unfinished sequence ${id} "${state.begin.name}", step ${describe(step)}`,
      { remedy: `bofh recover, or look first with: bofh journal show ${id}` },
    );
  }
}

function clash(step: Step, claims: Claims): Key | undefined {
  return step.intent.claims === null ? undefined : conflicting(step.intent.claims, claims);
}

function unfinished(state: State, step: Step): boolean {
  if (step.undone !== undefined) return false;
  return !state.committed || (step.intent.after && !step.finished);
}

/** Every journal that is not closed, other than our own. One that cannot be read refuses the step: rule zero. */
function* openJournals(engine: Engine, own: string) {
  for (const name of engine.store.names('.')) {
    const id = /^(?<id>.+)\.journal$/.exec(name)?.groups?.id;
    if (id === undefined || id === own) continue;
    const file = engine.store.open(name);
    if (file === undefined) continue;
    try {
      const state = fold(decode(file.read(), name).lines);
      if (state.closed === undefined) yield { id, state, inode: file.inode };
    } finally {
      file.close();
    }
  }
}

async function act(
  home: StepHome,
  code: AnyOperation,
  journal: Journal,
  n: number,
  args: unknown,
  undoData: unknown,
): Promise<StepDone> {
  const host = changing(home.engine, journal, { n, kind: code.kind }, home.stop);
  let result: unknown;
  try {
    result = code.deferred ? null : json(await code.run({ args, undo: json(undoData), host }));
    if (!code.deferred) await expectOurs(code, { undo: undoData, result, host });
  } catch (error) {
    if (error instanceof IdentityTaken) await giveBack(home, journal, n);
    throw error;
  }
  append(journal, [{ t: 'done', n, result }], 'wait');
  return { n, value: code.value({ args, undo: undoData, result }) };
}

/** Tools exit 0 without effect. */
async function expectOurs(code: AnyOperation, input: Parameters<AnyOperation['look']>[0]): Promise<void> {
  const look = await code.look(input);
  if (look.state === 'ours') return;
  throw new RefusedError(
    `${code.kind}: its tool reported success, but ${look.found ?? 'there is no trace of what it should have done'}`,
  );
}

async function giveBack(home: StepHome, journal: Journal, n: number): Promise<void> {
  const step = journal.state.steps.find((other) => other.n === n);
  if (step === undefined) return;
  const { lines } = await undo({ engine: home.engine, journal, boots: {}, inverses: new Map() }, step);
  append(journal, lines);
}
