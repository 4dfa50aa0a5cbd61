import { InterruptedError, JournalError, RolledBackError, SequenceEnded, UsageError } from '../errors.ts';
import { changing, codeOf, newId, ownerLine, type Engine, type Signals } from './engine.ts';
import { append, AppendError, bear, close, note, type Journal } from './journal.ts';
import type { BeginLine, IntentLine, Line } from './lines.ts';
import type { ObjectLocks } from './lock.ts';
import { json, type Claims, type Operation } from './operation.ts';
import type { StoreFile } from './store.ts';
import { takePair, takeStep, type StepHome } from './step.ts';
import { aborted, stuck, undo, unwind, type Unwinding, type Unwound } from './unwind.ts';

/** What the body of a sequence works with. */
export interface Steps {
  /** Aborted at the first signal. */
  readonly signal: AbortSignal;
  /** Runs an operation: journalled, looked after, undone when the sequence fails. */
  step<A, V>(code: Operation<A, V>, args: A): Promise<V>;
  /** The same for what the sequence needs only for a while: released at the end at the latest. */
  temporary<A, V extends object>(code: Operation<A, V>, args: A): Promise<V & Temporary>;
  /**
   * Runs a pair of functions for what bofh has no operation for. `inverse` is also called, without a result, when
   * `forward` failed: it must find out what is there. It is code and cannot be journalled: after a crash recovery
   * reports it. Without claims it conflicts with every older step.
   */
  effect<T>(
    name: string,
    forward: () => T | Promise<T>,
    inverse: (result: T | undefined) => unknown,
    options?: { readonly claims?: Claims },
  ): Promise<T>;
  /** A savepoint with its own steps: its failure undoes them and is thrown; its success joins this one. */
  scope<T>(name: string, body: (tx: Steps) => T | Promise<T>): Promise<T>;
}

export interface Temporary {
  /** Undoes the step now. A failed release is a failed step. */
  release(): Promise<void>;
}

/** A frame is the sequence itself or a scope of it. */
interface Frame {
  readonly scope: number | undefined;
  readonly parent: Frame | undefined;
  readonly running: Map<Promise<unknown>, string>;
  failed: { readonly error: unknown } | undefined;
  ended: boolean;
}

export interface SequenceOptions extends Signals {
  readonly engine: Engine;
  readonly name: string;
}

/**
 * Steps that all hold or are all undone, newest first, through crashes and power cuts too. It knows no tool.
 * `run` may be called once.
 */
export class AtomicOperationSequence {
  readonly id = newId();
  readonly #engine: Engine;
  readonly #name: string;
  readonly #signals: Signals;
  readonly #root = frame(undefined, undefined);
  readonly #locks: ObjectLocks;
  readonly #inverses = new Map<number, () => unknown>();
  readonly #temporaries: number[] = [];
  readonly #runningSteps: StepHome['running'] = new Map();
  readonly #stop: AbortSignal;
  #journal: Journal | undefined;
  #birth: Promise<Journal> | undefined;
  #early: Line[] = [];
  #boot = '';
  #numbers = 0;
  #scopes = 0;
  #begun = false;

  constructor(options: SequenceOptions) {
    this.#engine = options.engine;
    this.#name = options.name;
    this.#signals = options;
    this.#stop = options.stop ?? new AbortController().signal;
    this.#locks = options.engine.locks.open();
  }

  /** Whether steps can still be added. */
  get open(): boolean {
    return this.#begun && !this.#root.ended;
  }

  /**
   * Runs the body. Resolves to its value when everything is committed. Throws the error itself when nothing had been
   * done yet, RolledBackError or InterruptedError when all is undone, StuckError when something is left.
   */
  async run<T>(body: (tx: Steps) => T | Promise<T>): Promise<T> {
    if (this.#begun) throw new UsageError(`the sequence "${this.#name}" has been run already`);
    this.#begun = true;
    try {
      this.#boot = (await this.#engine.host.facts()).boot;
      const outcome = await this.#settleBody(this.#root, body);
      if (!outcome.ok) return await this.#rollBack(outcome.error);
      return await this.#commit(outcome.value);
    } finally {
      this.#root.ended = true;
      this.#locks.release();
      this.#journal?.file.close();
    }
  }

  /** Runs a body to its end and waits for what it started; a body that left something running has failed. */
  async #settleBody<T>(
    own: Frame,
    body: (tx: Steps) => T | Promise<T>,
  ): Promise<{ readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: unknown }> {
    let value: { readonly value: T } | undefined;
    const interruption = aborted(this.#stop);
    try {
      const running = (async () => ({ value: await body(this.#steps(own)) }))();
      value = await Promise.race([running, interruption.promise]);
    } catch (error) {
      own.failed ??= { error };
    } finally {
      interruption.forget();
    }
    if (this.#stop.aborted) own.failed ??= { error: new InterruptedError(`"${this.#name}" was interrupted`) };
    const forgotten = [...own.running.values()];
    if (forgotten.length > 0 && value !== undefined)
      own.failed ??= {
        error: new UsageError(
          `the body returned while ${forgotten.join(', ')} was running: an await is missing`,
        ),
      };
    while (own.running.size > 0) await Promise.allSettled(own.running.keys());
    own.ended = true;
    if (own.failed !== undefined) return { ok: false, error: own.failed.error };
    if (value === undefined)
      return { ok: false, error: new InterruptedError(`"${this.#name}" was interrupted`) };
    return { ok: true, value: value.value };
  }

  #steps(own: Frame): Steps {
    return {
      signal: this.#stop,
      step: (code, args) =>
        this.#track(
          own,
          code.kind,
          async () => (await takeStep(this.#home(), code, args, own.scope)).value as never,
        ),
      temporary: (code, args) => this.#track(own, code.kind, () => this.#temporary(own, code, args)),
      effect: (name, forward, inverse, options) =>
        this.#track(own, name, () => this.#effect(own, name, forward, inverse, options?.claims)),
      scope: (name, body) => this.#track(own, `scope "${name}"`, () => this.#scope(own, name, body), 'scope'),
    };
  }

  /** Counts a call as running until just before its promise settles; its failure is that of the frame. */
  #track<T>(own: Frame, name: string, work: () => Promise<T>, what: 'step' | 'scope' = 'step'): Promise<T> {
    const refusal = this.#refusal(own);
    if (refusal !== undefined) return Promise.reject(refusal);
    const settled: Promise<T> = Promise.resolve()
      .then(work)
      .catch((error: unknown) => {
        // What a scope throws is undone already: its parent decides whether to go on.
        if (what === 'step') own.failed ??= { error };
        throw error;
      })
      .finally(() => own.running.delete(settled));
    own.running.set(settled, name);
    settled.catch(() => undefined);
    return settled;
  }

  #refusal(own: Frame): SequenceEnded | undefined {
    for (let each: Frame | undefined = own; each !== undefined; each = each.parent) {
      if (each.failed !== undefined)
        return new SequenceEnded(`the sequence "${this.#name}" has failed: nothing more can be done in it`, {
          cause: each.failed.error,
        });
      if (each.ended) return new SequenceEnded(`the sequence "${this.#name}" has ended`);
    }
    return this.#stop.aborted ? new SequenceEnded(`the sequence "${this.#name}" was interrupted`) : undefined;
  }

  #home(): StepHome {
    return {
      engine: this.#engine,
      id: this.id,
      boot: this.#boot,
      locks: this.#locks,
      running: this.#runningSteps,
      stop: this.#stop,
      takeNumber: () => (this.#numbers += 1),
      announce: (intent) => this.#announce(intent),
    };
  }

  async #temporary<A, V extends object>(own: Frame, code: Operation<A, V>, args: A): Promise<V & Temporary> {
    const { n, value } = await takeStep(this.#home(), code, args, own.scope);
    this.#temporaries.push(n);
    const release = (): Promise<void> => this.#track(own, `release of ${code.kind}`, () => this.#release(n));
    return { ...(value as V), release };
  }

  async #release(n: number): Promise<void> {
    const journal = this.#journal;
    const step = journal?.state.steps.find((other) => other.n === n);
    if (journal === undefined || step === undefined || step.undone !== undefined) return;
    const { lines, leftAlone } = await undo(this.#unwinding(journal), step);
    append(journal, lines);
    if (leftAlone.length > 0) throw new JournalError(`the release of ${leftAlone.join('; ')}`);
  }

  async #effect<T>(
    own: Frame,
    name: string,
    forward: () => T | Promise<T>,
    inverse: (result: T | undefined) => unknown,
    claims: Claims | undefined,
  ): Promise<T> {
    const kept: { result?: T } = {};
    return takePair(this.#home(), { name, claims, scope: own.scope }, async (n, journal) => {
      this.#inverses.set(n, () => inverse(kept.result));
      const result = await forward();
      kept.result = result;
      append(journal, [{ t: 'done', n, result: null }], 'wait');
      return result;
    });
  }

  async #scope<T>(parent: Frame, name: string, body: (tx: Steps) => T | Promise<T>): Promise<T> {
    const s = (this.#scopes += 1);
    const own = frame(s, parent);
    this.#say([{ t: 'scope', s, name, ...(parent.scope === undefined ? {} : { parent: parent.scope }) }]);
    const outcome = await this.#settleBody(own, body);
    if (outcome.ok) return outcome.value;
    await this.#undoScope(own, s, outcome.error);
    throw outcome.error;
  }

  /** A scope whose undo is blocked or fails dooms the sequence. */
  async #undoScope(own: Frame, s: number, error: unknown): Promise<void> {
    const journal = this.#journal;
    if (journal === undefined) return;
    try {
      append(journal, [{ t: 'rollback', scope: s, because: messageOf(error) }]);
      const { end } = await unwind({ ...this.#unwinding(journal), scope: s });
      if (end === 'stuck') this.#root.failed ??= { error };
      append(journal, [{ t: 'scope-end', s }]);
    } catch (failure) {
      this.#root.failed ??= { error: failure };
      own.failed ??= { error };
    }
  }

  /** A line that may wait; before the birth it waits for that. */
  #say(lines: readonly Line[]): void {
    if (this.#journal === undefined) this.#early.push(...lines);
    else append(this.#journal, lines, 'wait');
  }

  async #announce(intent: IntentLine): Promise<Journal> {
    if (this.#birth === undefined) {
      this.#birth = this.#bear(intent);
      return this.#birth;
    }
    const journal = await this.#birth;
    append(journal, [intent]);
    return journal;
  }

  async #bear(intent: IntentLine): Promise<Journal> {
    const engine = this.#engine;
    const begin: BeginLine = {
      t: 'begin',
      format: 1,
      id: this.id,
      name: this.#name,
      argv: engine.who.argv,
      host: engine.host.name,
      ...(await ownerLine(engine)),
    };
    const file = await lockedFile(engine, this.id);
    try {
      const lines = [...this.#early, intent];
      this.#early = [];
      this.#journal = bear(engine.store, file, begin, lines);
      return this.#journal;
    } catch (error) {
      discard(engine, this.id, file);
      throw error instanceof JournalError ? error : unwritable(engine, error);
    }
  }

  async #commit<T>(value: T): Promise<T> {
    const journal = this.#journal;
    if (journal === undefined) return value;
    try {
      await this.#releaseAll();
      await this.#syncAll(journal);
      append(journal, [{ t: 'committed' }]);
    } catch (error) {
      return this.#rollBack(error);
    }
    try {
      const { end, errors } = await unwind(this.#unwinding(journal));
      if (end === 'stuck') throw stuck(journal, { cause: errors[0], value, errors });
      if (journal.incomplete !== undefined) throw stuck(journal, { cause: journal.incomplete, value });
      close(journal, { t: 'closed', outcome: 'committed' });
    } catch (error) {
      throw error instanceof AppendError ? stuck(journal, { cause: error, value }) : error;
    }
    return value;
  }

  async #releaseAll(): Promise<void> {
    for (const n of this.#temporaries.toReversed()) await this.#release(n);
  }

  /** What the steps wrote is on the disk before `committed` says so. */
  async #syncAll(journal: Journal): Promise<void> {
    for (const step of journal.state.steps) {
      if (step.undone !== undefined || step.intent.kind === 'bare') continue;
      const code = await codeOf(this.#engine, step.intent, this.id);
      if (code.deferred) continue;
      const host = changing(this.#engine, journal, { n: step.n, kind: code.kind });
      await code.sync({ undo: step.intent.undo, result: json(step.done?.result ?? null), host });
    }
  }

  async #rollBack(cause: unknown): Promise<never> {
    const journal = this.#journal;
    if (journal === undefined) throw cause;
    if (cause instanceof AppendError && cause.at === 'sync') throw stuck(journal, { cause });
    let unwound: Unwound;
    try {
      note(journal, [{ t: 'rollback', because: messageOf(cause) }]);
      unwound = await unwind(this.#unwinding(journal));
    } catch (error) {
      throw stuck(journal, { cause, errors: [error] });
    }
    if (unwound.end === 'stuck') throw stuck(journal, { cause, errors: unwound.errors });
    throw this.#rolledBack(journal, cause, unwound);
  }

  #rolledBack(journal: Journal, cause: unknown, { leftAlone }: Unwound): Error {
    let left = '';
    try {
      if (journal.incomplete !== undefined) throw journal.incomplete;
      close(journal, { t: 'closed', outcome: 'rolled-back' });
    } catch (error) {
      left = `; its journal stays open until "bofh recover" (${messageOf(error)})`;
    }
    if (cause instanceof InterruptedError && leftAlone.length === 0 && left === '') return cause;
    return new RolledBackError(`"${this.#name}" failed and is undone${left}: ${messageOf(cause)}`, {
      cause,
      id: this.id,
      leftAlone,
    });
  }

  #unwinding(journal: Journal): Unwinding {
    return {
      engine: this.#engine,
      journal,
      boots: { [this.#engine.host.name]: this.#boot },
      inverses: this.#inverses,
      abandon: this.#signals.abandon,
    };
  }
}

function frame(scope: number | undefined, parent: Frame | undefined): Frame {
  return { scope, parent, running: new Map(), failed: undefined, ended: false };
}

/** `ID.new`, locked by us and still the file of that name: recovery removes one that it can lock. */
async function lockedFile(engine: Engine, id: string): Promise<StoreFile> {
  for (let attempt = 0; attempt < 5; attempt += 1) {
    const file = create(engine, id);
    if ((await engine.host.flock([{ fd: file.fd, mode: 'exclusive' }])) === undefined) {
      if (engine.store.inode(`${id}.new`) === file.inode) return file;
    }
    file.close();
  }
  throw new JournalError(`the journal ${id} cannot be locked`);
}

function create(engine: Engine, id: string): StoreFile {
  try {
    return engine.store.create(`${id}.new`);
  } catch (error) {
    throw unwritable(engine, error);
  }
}

function discard(engine: Engine, id: string, file: StoreFile): void {
  for (const name of [`${id}.new`, `${id}.journal`, `${id}.ballast`, `${id}.d`]) {
    try {
      engine.store.remove(name);
    } catch {
      // The error that is on its way says more; recovery removes what is left.
    }
  }
  file.close();
}

function unwritable(engine: Engine, error: unknown): JournalError {
  return new JournalError(
    `the state directory ${engine.store.directory} cannot be written: ${messageOf(error)}`,
    {
      cause: error,
      remedy: 'make room in it or choose another with --state-dir; nothing was changed',
    },
  );
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
