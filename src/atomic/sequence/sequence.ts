import {
  BofhError,
  CommandError,
  type InterruptedError,
  JournalError,
  messageOf,
  RefusedError,
  ToolError,
  UsageError,
} from '../../core/errors.ts';
import { Announcements } from './announcement.ts';
import { checkClaims } from '../locks/check-claims.ts';
import { claim } from '../locks/claims.ts';
import { keyInWords } from '../locks/host-key.ts';
import { commit, endSteps, type Ending, rollBack, type Thrower } from '../undo/finish.ts';
import type { Engine, Signals } from '../engine.ts';
import { signalPolicyOf, type SignalPolicy } from './signal-policy.ts';
import { newFrame, runBody, trackCall, type Frame } from './frame.ts';
import { append, type Journal } from '../journal/journal-writer.ts';
import type { ObjectLocks } from '../locks/lock.ts';
import type { AnyOperation, Claims, Operation } from '../operation.ts';
import { stepsInside } from '../undo/next.ts';
import { takeCall, takeEffect } from './function-pair.ts';
import { otherHost, type Place } from '../place.ts';
import { nameOf, type Reverse } from './reverse.ts';
import { takeStep, type StepHome } from './run-step.ts';
import { directoriesOver, exclusive, stepOf } from '../journal/state.ts';
import { interruption } from './signal.ts';
import type { Steps, Temporary } from './steps.ts';
import { undoNow, type Unwinding } from '../undo/act.ts';
import { unwind } from '../undo/unwind.ts';
import { awaitingLine, type Confirmation, noticeOf, untilConfirmed } from '../recovery/await-confirmation.ts';
import { reachedByBody, renewedWitnesses } from '../undo/witness.ts';
import { newId } from '../journal/lines.ts';
import { endOf, eventReporterOf } from './event-reporter.ts';
import { stepName } from '../../core/option.ts';
import { present } from '../../core/present.ts';

export type { Steps, Temporary };

export interface SequenceOptions extends Signals {
  readonly engine: Engine;
  readonly name: string;
  /** Returns the inverse for a function called by `tx.call` that has none. */
  readonly reverse?: Reverse;
  /**
   * Who may write into the new filesystems and devices until the sequence ends. `script`: the body too, with
   * any program, so the undo removes everything there. `steps`: only the steps of bofh, so other content
   * belongs to others: the undo keeps it, and throws StuckError (default: `script`).
   */
  readonly writes?: 'script' | 'steps';
  /** The sequence must be confirmed after its last step; otherwise it is rolled back. */
  readonly confirmation?: Confirmation | undefined;
}

/**
 * Runs steps that are either all kept or all undone, newest first, also after a crash or a power cut. Knows
 * no tool. Call `run` only once.
 */
export class AtomicOperationSequence {
  readonly id = newId();
  readonly #engine: Engine;
  readonly #name: string;
  readonly #signalPolicy: SignalPolicy;
  readonly #root: Frame;
  readonly #locks: ObjectLocks;
  readonly #reverse: Reverse | undefined;
  readonly #writes: 'script' | 'steps';
  readonly #confirmation: Confirmation | undefined;
  readonly #inverses = new Map<number, () => Promise<string | undefined>>();
  readonly #temporaries: number[] = [];
  readonly #claims: StepHome['running'] = new Map();
  /**
   * Acts that still run after a second signal: until they end they need the journal and the locks.
   */
  readonly #stillRunning: Promise<unknown>[] = [];
  /** Objects that the undo of scopes left untouched. A scope itself throws only the error of its body. */
  readonly #leftUntouched: string[] = [];
  readonly #lines: Announcements;
  /** Calls that run now: of operations, and of functions of the body. */
  readonly #calls = { step: 0, call: 0 };
  #last: string | undefined;
  /** The call that threw each error. */
  readonly #thrownBy = new WeakMap<object, Thrower>();
  #boot = '';
  #numbers = 0;
  #scopes = 0;
  #begun = false;
  #letGoAlready = false;

  constructor(options: SequenceOptions) {
    this.#name = checkName('a sequence', options.name);
    const { onEvent } = options.engine;
    const reporter =
      onEvent === undefined ? undefined : eventReporterOf(onEvent, { id: this.id, name: this.#name });
    this.#engine = reporter === undefined ? options.engine : { ...options.engine, reporter };
    this.#reverse = options.reverse;
    this.#writes = options.writes ?? 'script';
    this.#confirmation = options.confirmation;
    this.#root = newFrame(options.name);
    this.#signalPolicy = signalPolicyOf(
      options,
      { name: this.#name, now: () => this.#now(), last: () => this.#last },
      options.engine.onWaiting,
    );
    this.#locks = options.engine.locks.open();
    this.#lines = new Announcements(this.#engine, {
      id: this.id,
      name: this.#name,
      stop: this.#signalPolicy.stop,
      ...present({ confirm: options.confirmation?.seconds, created: options.confirmation?.startGuard }),
    });
  }

  /** Whether steps can still be added. */
  get open(): boolean {
    return this.#begun && !this.#root.ended;
  }

  /** Whether steps were started, and the sequence has not ended yet. */
  get unfinished(): boolean {
    return !this.#letGoAlready && this.#journal !== undefined && this.#journal.state.closed === undefined;
  }

  /**
   * Runs the body. Resolves to its value when everything is committed. Throws the error of the body if
   * nothing was done yet, RolledBackError or InterruptedError if all is undone, StuckError if something is
   * left.
   */
  async run<T>(body: (tx: Steps) => T | Promise<T>): Promise<T> {
    if (this.#begun) throw new UsageError(`the sequence "${this.#name}" was already run: create a new one`);
    this.#begun = true;
    const { reporter } = this.#engine;
    if (!this.#signalPolicy.stop.aborted) reporter?.report({ type: 'started' });
    try {
      const value = await this.#run(body);
      reporter?.report(endOf(this.#journal === undefined ? 'none' : 'some'));
      return value;
    } catch (error) {
      reporter?.report(endOf(this.#journal === undefined ? 'none' : 'some', { error }));
      throw error;
    }
  }

  async #run<T>(body: (tx: Steps) => T | Promise<T>): Promise<T> {
    try {
      if (this.#signalPolicy.stop.aborted) throw notBegun(this.#name, this.#signalPolicy.stop);
      this.#boot = (await this.#engine.host.facts()).boot;
      const outcome = await runBody(this.#root, this.#signalPolicy, () => body(this.#steps(this.#root)));
      if (outcome.ok) return await this.#commit(outcome.value);
      throw await this.#rollBack(outcome.error);
    } finally {
      this.#root.ended = true;
      this.#signalPolicy.forget();
      this.#letGo();
    }
  }

  get #journal(): Journal | undefined {
    return this.#lines.journal;
  }

  #now(): 'body' | 'call' | 'step' | 'nothing' {
    if (!this.#root.body) return 'nothing';
    if (this.#calls.step > 0) return 'step';
    return this.#calls.call > 0 ? 'call' : 'body';
  }

  #letGo(): void {
    if (this.#letGoAlready) return;
    this.#letGoAlready = true;
    const over = (): void => {
      this.#locks.release();
      this.#journal?.file.close();
    };
    const left = [...this.#stillRunning, ...this.#root.running.keys()];
    if (left.length === 0) over();
    else void Promise.allSettled(left).then(over);
  }

  #steps(own: Frame, place: Place = this.#engine): Steps {
    const tracked = <T>(
      name: string,
      work: () => Promise<T>,
      what: 'step' | 'scope' | 'call' = 'step',
    ): Promise<T> =>
      trackCall(
        own,
        { name, what: what === 'scope' ? 'scope' : 'step', stop: this.#signalPolicy.stop },
        what === 'scope' ? work : () => this.#called({ failed: name, failedOn: place.host.name }, what, work),
      );
    const home = () => ({ ...this.#home(own, place), inverses: this.#inverses });
    return {
      signal: this.#signalPolicy.stop,
      step: (code, args) =>
        tracked(stepName(code.kind), async () => {
          const refuseOnTemporary = this.#refuseOnTemporary.bind(this);
          return (await takeStep({ ...this.#home(own, place), refuseOnTemporary }, code, args))
            .value as never;
        }),
      temporary: (code, args) => tracked(stepName(code.kind), () => this.#temporary(own, place, code, args)),
      effect: (name, forward, inverse, options) =>
        tracked(
          textOf(name),
          () =>
            takeEffect(
              home(),
              { name: checkName('a pair of functions', name), claims: options?.claims },
              forward,
              inverse,
            ),
          'call',
        ),
      call: (f, ...args) => tracked(nameOf(f), () => takeCall(home(), f, args, this.#reverse), 'call'),
      reserve: (claims) => tracked('reserve', () => this.#reserve(own, place, claims)),
      scope: (name, body) =>
        tracked(`scope "${textOf(name)}"`, () => this.#scope(own, place, name, body), 'scope'),
      on: (host) => this.#steps(own, otherHost(this.#engine, host)),
    };
  }

  /** Remembers a call while it runs: after a signal, a message says what the body is doing. */
  async #called<T>(by: Thrower, what: 'step' | 'call', work: () => Promise<T>): Promise<T> {
    this.#last = by.failed;
    this.#calls[what] += 1;
    try {
      return await work();
    } catch (error) {
      if (typeof error === 'object' && error !== null) this.#thrownBy.set(error, by);
      throw error;
    } finally {
      this.#calls[what] -= 1;
    }
  }

  #home(own: Frame, { host, on, reservations }: Place): StepHome {
    const { reservations: _, ...engine } = this.#engine;
    return {
      engine: { ...engine, host, on, ...present({ reservations }) },
      id: this.id,
      boot: this.#boot,
      enter: () => this.#lines.enter(own, host.name, reservations?.reach),
      scope: own.scope,
      locks: this.#locks,
      running: this.#claims,
      stop: this.#signalPolicy.stop,
      takeNumber: () => (this.#numbers += 1),
      isNewest: (n) => this.#numbers === n,
      announce: (intent) => this.#lines.announce(own, intent),
    };
  }

  async #reserve(own: Frame, place: Place, claims: Claims): Promise<void> {
    checkClaims('tx.reserve', claims);
    const home = this.#home(own, place);
    const n = home.takeNumber();
    try {
      await claim(home, 'reserve', n, claims);
    } finally {
      home.running.delete(n);
    }
  }

  async #temporary<A, V extends object>(
    own: Frame,
    place: Place,
    code: Operation<A, V>,
    args: A,
  ): Promise<V & Temporary> {
    const { n, value } = await takeStep(this.#home(own, place), code, args);
    this.#temporaries.push(n);
    // If the scope that created the object succeeded, the scope around it releases the object.
    const release = (): Promise<void> => {
      let still = own;
      while (still.ended && still.parent !== undefined) still = still.parent;
      const call = {
        name: `release of ${stepName(code.kind)}`,
        what: 'step',
        stop: this.#signalPolicy.stop,
      } as const;
      return trackCall(still, call, () => this.#release(n));
    };
    return { ...(value as V), release };
  }

  /**
   * Throws UsageError for a lasting change of a device that a temporary step opened, or of a file in a
   * filesystem that it mounted: when that is closed, the change can be neither synced nor undone.
   */
  #refuseOnTemporary({ kind, lives }: AnyOperation, claims: Claims): void {
    const state = this.#journal?.state;
    if (lives !== 'disk' || state === undefined) return;
    for (const n of this.#temporaries) {
      const { intent, undone } = stepOf(state, n) ?? {};
      const { makes = [], changes = [] } =
        intent?.lives === 'boot' && undone === undefined ? (intent.claims ?? {}) : {};
      const opened = [...makes, ...changes.filter((key) => key.startsWith('mnt:'))];
      const key = exclusive(claims).find((each) =>
        [each, ...directoriesOver(each)].some((one) => opened.includes(one)),
      );
      if (key !== undefined && intent !== undefined)
        throw new UsageError(
          `${stepName(kind)} makes a lasting change to ${keyInWords(intent.host, key)}, which only the temporary step ${stepName(intent.kind)} gives access to; that step ends before the commit`,
          {
            remedy: `call ${stepName(intent.kind)} without tx.temporary, and close or unmount it with a step at the end of the sequence`,
          },
        );
    }
  }

  async #release(n: number): Promise<void> {
    const journal = this.#journal;
    const step = journal === undefined ? undefined : stepOf(journal.state, n);
    if (journal === undefined || step === undefined || step.undone !== undefined) return;
    await this.#renew(journal, { of: 'files', way: step });
    const unwinding = { ...this.#unwinding(journal), trusted: 'all' } as const;
    const { lines, leftUntouched } = await undoNow(unwinding, step, stepsInside(journal.state, step));
    append(journal, lines);
    if (leftUntouched.length > 0) throw new JournalError(`${leftUntouched.join('; ')}: it was not released`);
  }

  /**
   * Takes new witnesses of all objects of the sequence. Call it when the body may have written to them
   * without a step, through a mount that is about to end.
   */
  async renewWitnesses(): Promise<void> {
    if (this.#journal !== undefined) await this.#renew(this.#journal, { of: 'files' });
  }

  async #renew(journal: Journal, what: Parameters<typeof renewedWitnesses>[1]): Promise<void> {
    const lines = await renewedWitnesses({ engine: this.#engine, journal }, what);
    if (lines.length > 0) append(journal, lines);
  }

  async #scope<T>(
    parent: Frame,
    place: Place,
    name: string,
    body: (tx: Steps) => T | Promise<T>,
  ): Promise<T> {
    checkName('a scope', name);
    const s = (this.#scopes += 1);
    const own = newFrame(this.#name, s, parent);
    const around = present({ parent: parent.scope });
    this.#lines.queue({ t: 'scope', s, name, ...around });
    const outcome = await runBody(own, this.#signalPolicy, () => body(this.#steps(own, place)));
    if (outcome.ok) return outcome.value;
    if (this.#signalPolicy.abandon.aborted) this.#stillRunning.push(...own.running.keys());
    else if (this.#journal !== undefined) await this.#undoScope(this.#journal, s, outcome.error);
    throw outcome.error;
  }

  /** A scope whose undo is blocked, fails, or cannot be journalled makes the sequence fail. */
  async #undoScope(journal: Journal, s: number, error: unknown): Promise<void> {
    try {
      append(journal, [{ t: 'rollback', scope: s, because: messageOf(error) }]);
      const { end, stillRunning, leftUntouched } = await unwind({
        ...this.#unwinding(journal),
        trusted: this.#trusted(journal),
        scope: s,
      });
      this.#leftUntouched.push(...leftUntouched);
      if (stillRunning !== undefined) this.#stillRunning.push(stillRunning);
      if (end === 'stuck' || journal.incomplete !== undefined) this.#root.failed ??= { error };
      append(journal, [{ t: 'scope-end', s }]);
    } catch (failure) {
      this.#root.failed ??= { error: failure };
    }
  }

  #trusted(journal: Journal): NonNullable<Unwinding['trusted']> {
    return this.#writes === 'script' ? 'all' : reachedByBody(journal);
  }

  async #commit<T>(value: T): Promise<T> {
    const journal = this.#journal;
    if (journal === undefined) return value;
    const confirmation = this.#confirmation;
    if (confirmation === undefined) return await commit(this.#ending(journal), value);
    await endSteps(this.#ending(journal), () => awaitingLine(journal, confirmation));
    // The process that confirms the sequence, or rolls it back, takes the journal and the locks.
    this.#letGo();
    const notice = noticeOf(this.id, confirmation);
    this.#engine.reporter?.report({ type: 'waiting', for: notice });
    this.#engine.onWaiting?.(notice);
    const of = { id: this.id, name: this.#name, seconds: confirmation.seconds };
    await untilConfirmed(of, { ...this.#signalPolicy, engine: this.#engine });
    return value;
  }

  async #rollBack(cause: unknown): Promise<unknown> {
    const error = this.#journal === undefined ? cause : await rollBack(this.#ending(this.#journal), cause);
    // A RolledBackError names the other host. The error of the first step must name it too.
    const by = error === cause && isOfHost(error) ? this.#thrownBy.get(error) : undefined;
    if (by !== undefined && by.failedOn !== this.#engine.host.name && isOfHost(error))
      error.message = `on ${by.failedOn}: ${error.message}`;
    return error;
  }

  #ending(journal: Journal): Ending {
    return {
      unwinding: this.#unwinding(journal),
      leftUntouched: this.#leftUntouched,
      stop: this.#signalPolicy.stop,
      trusted: () => this.#trusted(journal),
      release: async () => {
        for (const n of this.#temporaries.toReversed()) await this.#release(n);
      },
      leave: (acting) => this.#stillRunning.push(acting),
      thrownBy: (error) =>
        typeof error === 'object' && error !== null ? this.#thrownBy.get(error) : undefined,
    };
  }

  #unwinding(journal: Journal): Unwinding {
    return {
      engine: this.#engine,
      journal,
      inverses: this.#inverses,
      abandon: this.#signalPolicy.abandon,
    };
  }
}

function notBegun(name: string, stop: AbortSignal): InterruptedError {
  return interruption(name, stop, {
    how: 'was not started, because a signal came before it',
    // The signal came from the process, not from the caller.
    ...(stop.reason instanceof BofhError
      ? { remedy: 'a program that handles signals itself says so: withBofh(connect({ signals: {} }), …)' }
      : {}),
  });
}

/** A name as text, also for the refusal of an invalid name. */
function textOf(name: unknown): string {
  return typeof name === 'string' ? name : 'without a name';
}

/**
 * Throws UsageError for an invalid name: scripts are not type-checked, and a journal needs names to be
 * readable.
 */
function checkName(what: string, name: unknown): string {
  if (typeof name === 'string' && name.trim() !== '') return name;
  throw new UsageError(`${what} needs a name (a non-empty string)`, {
    remedy: `name what it does: atomic('web1', …)`,
  });
}

/** Whether an error is about a host, and does not name it itself. */
function isOfHost(error: unknown): error is RefusedError | UsageError | ToolError | CommandError {
  return [RefusedError, UsageError, ToolError, CommandError].some((kind) => error instanceof kind);
}
