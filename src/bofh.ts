import { AsyncLocalStorage } from 'node:async_hooks';
import { setImmediate as turn } from 'node:timers/promises';
import { checkUnlessBusy } from './atomic/locks/claims.ts';
import {
  type AnyOperation,
  AtomicOperationSequence,
  type Engine,
  type Key,
  type Place,
  type SequenceEvent,
  type SequenceOptions,
  type Steps,
} from './atomic/index.ts';
import { otherHost } from './atomic/place.ts';
import { type EventLog } from './atomic/event-log.ts';
import { UsageError } from './core/errors.ts';
import { processSignals, watchExit } from './host/process.ts';
import {
  bindEnsure,
  bindOperations,
  type EnsureMethods,
  checkOwn,
  type DriverName,
  driverNames,
  findAmong,
  loadExisting,
  loadOperations,
  type OperationMethods,
  stepWithoutRoot,
  type Tx,
  withoutRoot,
} from './operations.ts';
import { overrideSite, type SiteSettings } from './site.ts';
import { siteSettings, type SiteSetting } from './site-settings.ts';
import { harmless } from './core/listener.ts';
import { present } from './core/present.ts';
import { withRandom } from './core/random.ts';
import { checkFunction } from './core/checks.ts';
import { callable, milliseconds, parsed } from './core/request.ts';
import * as z from 'zod/mini';
import { endOf } from './atomic/sequence/event-reporter.ts';
import { ambient, type Bofh, connect, eventLog, refuseOtherCopy } from './connect.ts';

const sequences = new AsyncLocalStorage<AtomicOperationSequence>();
/** The handle of the open sequence that a recipe is part of. */
const joined = new AsyncLocalStorage<Tx>();
/** The host of each handle. */
const handles = new WeakMap<Tx, Place>();
/** The drivers that the body of a single change uses. */
const uses = new WeakMap<object, readonly DriverName[]>();

let local: Bofh | undefined;

/**
 * Returns the ambient `Bofh`: that of the enclosing `withBofh`, or else `connect()`. Throws UsageError
 * if the site file cannot be used, or in the context of another copy of this library.
 */
export function currentBofh(): Bofh {
  refuseOtherCopy();
  return ambient.getStore() ?? (local ??= guarded(connect()));
}

/** Runs a body with another ambient `Bofh`. Returns what the body returns. */
export function withBofh<T>(bofh: Bofh, body: () => T): T {
  checkBofh(bofh);
  checkFunction('withBofh: the body', body);
  return withRandom(bofh.random, () => ambient.run(guarded(bofh), body));
}

const contextOf = z.looseObject({ host: z.looseObject({}), engine: z.looseObject({}) });

function checkBofh(value: unknown): void {
  if (contextOf.safeParse(value).success) return;
  throw new UsageError('withBofh: the first argument is not a context', {
    remedy: 'pass what connect() returns',
  });
}

/**
 * Runs a body with some site settings replaced, each as a whole: `await withSite({ volumeGroup: 'vg1' },
 * async () => …)`. It can be nested, also inside `atomic()`. Concurrent code keeps its own settings, and the
 * old settings apply again when the body ends or fails. Throws UsageError for an unknown setting, before the
 * body runs.
 */
export function withSite<T>(overrides: SiteSettings, body: () => T): T {
  checkFunction('withSite: the body', body);
  const bofh = currentBofh();
  return ambient.run({ ...bofh, site: overrideSite(bofh.site, overrides) }, body);
}

/** Returns every site setting: its value, its description and where it was set. */
export function settings(): readonly SiteSetting[] {
  return siteSettings(currentBofh().site);
}

/**
 * Guards the engine too: `new AtomicOperationSequence({ engine })` opens its locks, which is
 * refused inside an open sequence.
 */
function guarded(bofh: Bofh): Bofh {
  const { locks } = bofh.engine;
  const open: Engine['locks']['open'] = () => {
    refuseNested('a sequence');
    return locks.open();
  };
  return { ...bofh, engine: { ...bofh.engine, locks: { ...locks, open } } };
}

/** The schema of the options of `atomic`. */
export const atomicOptions = z.strictObject({
  signal: z.exactOptional(z.instanceof(AbortSignal)),
  timeout: z.exactOptional(milliseconds.check(z.positive())),
  wait: z.exactOptional(milliseconds),
  host: z.exactOptional(z.string().check(z.minLength(1))),
  onEvent: z.exactOptional(callable<NonNullable<AtomicOptions['onEvent']>>()),
  log: z.exactOptional(eventLog),
  reverse: z.exactOptional(callable<NonNullable<AtomicOptions['reverse']>>()),
  writes: z.exactOptional(z.enum(['script', 'steps'])),
  confirm: z.exactOptional(milliseconds.check(z.positive())),
});

function checkAtomic(options: AtomicOptions) {
  return parsed('atomic', atomicOptions, options);
}

/** How a sequence runs. */
export interface AtomicOptions extends Pick<SequenceOptions, 'reverse' | 'writes'> {
  /** Aborting it undoes the sequence: InterruptedError with the `reason` of the signal. */
  readonly signal?: AbortSignal;
  /** Undoes the sequence after this many milliseconds: InterruptedError with the code `timeout`. */
  readonly timeout?: number;
  /**
   * How many milliseconds to wait for objects that another sequence works on (default: that of the enclosing
   * context, otherwise 0).
   */
  readonly wait?: number;
  /** The host to work on, by name (default: that of the enclosing context). */
  readonly host?: string;
  /**
   * After the last step, wait this many milliseconds for `bofh confirm ID`, or `confirm(ID)`, from another
   * process. Without one, undo everything and throw RolledBackError, whose cause has the code `timeout`. A
   * reboot undoes everything too. For changes that can cut the connection to the host. Needs systemd, and
   * only works on the host that bofh runs on.
   */
  readonly confirm?: number;
  /** Called for each event of the sequence. */
  readonly onEvent?: (event: SequenceEvent) => void;
  /** Gets each event of the sequence, with its text: a logger of pino (default: none). */
  readonly log?: EventLog;
}

/**
 * Runs a sequence and returns the value of its body after the commit.
 *
 * Throws RolledBackError if it failed and everything was undone, newest first; StuckError if something is
 * left; the original error if it failed before the first change; UsageError inside another open sequence.
 * `tx.call` asks `reverse` for the inverse of a function that has none.
 */
export async function atomic<T>(
  name: string,
  body: (tx: Tx) => T | Promise<T>,
  options: AtomicOptions = {},
): Promise<T> {
  const now = { begun: false };
  try {
    return await started(name, body, options, () => {
      now.begun = true;
    });
  } catch (error) {
    if (!now.begun) tellRefused(name, error, options);
    throw error;
  }
}

/** Reports the last event of a sequence that was refused before it began: listeners wait for that event. */
function tellRefused(name: string, error: unknown, options: Pick<AtomicOptions, 'onEvent'> | null): void {
  const onEvent = options?.onEvent;
  if (typeof onEvent !== 'function') return;
  const of = { id: '', name, number: 1, at: Date.now(), direction: 'forward' } as const;
  harmless(`a listener of the events of "${name}"`, onEvent)({ ...of, ...endOf('none', { error }) });
}

async function started<T>(
  name: string,
  body: (tx: Tx) => T | Promise<T>,
  options: AtomicOptions,
  begins: () => void,
): Promise<T> {
  checkFunction('atomic: the body', body);
  refuseNested(`atomic('${name}')`);
  const { signal, timeout, wait, host, onEvent, log, reverse, writes, confirm } = checkAtomic(options);
  const around = within(currentBofh(), present({ host, waitMs: wait }));
  // A scoped mount in the body is a separate sequence with its own events.
  const bofh = within(around, present({ onEvent, log }));
  // Before the first await: a signal that comes now must not end the program without an error.
  const watched = bofh.signals === undefined ? processSignals() : undefined;
  const limit = timeout === undefined ? undefined : after(timeout);
  try {
    const how = present({ signal, reverse, writes, confirm });
    return await watchedBy(name, body, { ...how, bofh, around, watched, limit, begins });
  } finally {
    limit?.clear();
    watched?.release();
  }
}

async function watchedBy<T>(
  name: string,
  body: (tx: Tx) => T | Promise<T>,
  of: Pick<AtomicOptions, 'signal' | 'reverse' | 'writes' | 'confirm'> & {
    readonly bofh: Bofh;
    /** The context, without the options of this sequence. */
    readonly around: Bofh;
    readonly watched: ReturnType<typeof processSignals> | undefined;
    readonly limit: ReturnType<typeof after> | undefined;
    readonly begins: () => void;
  },
): Promise<T> {
  const { bofh, around, watched, limit, signal, reverse, writes, confirm, begins } = of;
  const { engine, stateDir, planning } = bofh;
  const confirmation =
    confirm === undefined || planning
      ? undefined
      : (await import('./service/guard.ts')).confirmationOf(engine, stateDir, confirm);
  const names = uses.get(body) ?? driverNames;
  const loaded = await loadOperations(names);
  const existing = await loadExisting(names);
  const signals = bofh.signals ?? watched?.signals ?? {};
  // Node handles a signal in a turn of the event loop, and Node 24 loads the operations without such a turn.
  // Without this turn, a program that catches every error in a loop would never handle another signal either.
  if (watched !== undefined || signals.stop?.aborted === true) await turn();
  const stops = [signals.stop, signal, limit?.signal].filter((each) => each !== undefined);
  const own: AnyOperation[] = [];
  const sequence = new AtomicOperationSequence({
    engine: { ...bofh.engine, find: (kind, version) => findAmong(own, bofh.engine.find)(kind, version) },
    name,
    ...present({ reverse, writes, confirmation }),
    ...signals,
    ...(stops.length === 0 ? {} : { stop: AbortSignal.any(stops) }),
  });
  const typed = (steps: Steps, place: Place): Tx => {
    const tx = handle(steps, place);
    handles.set(tx, place);
    return tx;
  };
  const handle = (steps: Steps, place: Place): Tx => ({
    ...bindOperations(loaded, {
      step: (code, args) => refusal(steps, place, code) ?? steps.step(code, args),
      temporary: (code, args) =>
        refusal(steps, place, code) ?? steps.temporary<never, object>(code as never, args),
    }),
    ensure: bindEnsure(existing, steps, place.host),
    signal: steps.signal,
    planning: bofh.planning,
    step: async (code, args) => {
      if (!own.includes(code)) {
        checkOwn([...own, code]);
        own.push(code);
      }
      return steps.step({ ...code, actsElsewhere: true }, args);
    },
    effect: (title, forward, inverse, claims) => steps.effect(title, forward, inverse, claims),
    call: (f, ...args) => steps.call(f, ...args),
    reserve: (claims) => steps.reserve(claims),
    scope: (title, inner) => steps.scope(title, (own) => inner(typed(own, place))),
    on: (host) => typed(steps.on(host), otherHost(bofh.engine, host)),
  });
  begins();
  // The command line reports its own exits, and a plan has no journal on disk.
  const unwatch =
    watched === undefined || planning
      ? undefined
      : watchExit({ name, unfinished: () => sequence.unfinished });
  try {
    // Reads of the body without tx also use the host of the sequence.
    return await ambient.run(around, () =>
      sequences.run(sequence, () => sequence.run((steps) => body(typed(steps, bofh.engine)))),
    );
  } finally {
    unwatch?.();
  }
}

/** Returns a failed call of the sequence, awaited or not, if the step needs root and this process is not root. */
function refusal(steps: Steps, { host }: Place, { kind }: AnyOperation): Promise<never> | undefined {
  const refused = stepWithoutRoot(host, kind);
  return refused === undefined ? undefined : steps.scope(kind, () => Promise.reject(refused));
}

/** A context with the options of one sequence. */
function within(bofh: Bofh, options: Parameters<typeof connect>[0] & object): Bofh {
  return Object.keys(options).length === 0 ? bofh : ambient.run(bofh, () => connect(options));
}

function after(timeout: number): { readonly signal: AbortSignal; readonly clear: () => void } {
  const over = new AbortController();
  const timer = setTimeout(
    () => over.abort(new DOMException(`more than ${String(timeout)} ms`, 'TimeoutError')),
    timeout,
  );
  return { signal: over.signal, clear: () => clearTimeout(timer) };
}

/**
 * Runs a body whose sequences begin even after a first signal, because they close devices that an earlier
 * sequence opened. A second signal stops them.
 */
export async function afterSignal<T>(body: () => Promise<T>): Promise<T> {
  const bofh = currentBofh();
  const watched = bofh.signals === undefined ? processSignals('begins') : undefined;
  const { abandon } = bofh.signals ?? watched?.signals ?? {};
  const signals = present({ stop: abandon, abandon });
  try {
    return await ambient.run({ ...bofh, signals }, body);
  } finally {
    watched?.release();
  }
}

/**
 * Runs a recipe as a scope of an open sequence, on the host of its handle: a change of `single` becomes a
 * step of that scope instead of a sequence of its own.
 */
export function joinedTo<T>(tx: Tx, name: string, recipe: () => Promise<T>): Promise<T> {
  const bofh = currentBofh();
  const { host, on, reservations } = handles.get(tx) ?? bofh.engine;
  const engine = { ...bofh.engine, host, on, ...present({ reservations }) };
  return tx.scope(name, (own) => ambient.run({ ...bofh, host, engine }, () => joined.run(own, recipe)));
}

/** Returns whether the caller is a recipe that is part of an open sequence. */
export function isJoined(): boolean {
  return joined.getStore() !== undefined;
}

/**
 * Runs a single change in a sequence of its own, or as a part of the open sequence that the recipe is part
 * of. Throws UsageError inside any other open sequence, where the change would be committed separately and
 * never undone. `drivers` are those that the body uses (default: all): loading the others takes a
 * fifth of the time of a small change.
 */
export async function single<T, N extends DriverName = DriverName>(
  name: string,
  body: (tx: Omit<Tx, Exclude<DriverName, N>>) => Promise<T>,
  drivers?: readonly N[],
): Promise<T> {
  const tx = joined.getStore();
  if (tx !== undefined) return joined.exit(() => body(tx));
  refuseInside(name);
  if (drivers !== undefined) uses.set(body, drivers);
  return atomic(name, body, { writes: 'steps' });
}

/**
 * Plans a recipe. If the plan is refused while another sequence works on an object of the recipe, plans again
 * when that sequence has ended; at the time limit the error names that sequence.
 */
export function checkedUnlessBusy<T>(
  recipe: string,
  isAbout: (key: Key) => boolean,
  plan: () => Promise<T>,
): Promise<T> {
  const { engine, signals } = currentBofh();
  const stop = signals?.stop ?? new AbortController().signal;
  const id = sequences.getStore()?.id ?? '';
  return checkUnlessBusy({ engine, id, stop }, { kind: recipe, args: {}, isAbout }, plan);
}

/** Checks the arguments of a method of `tx` before anything is read. Throws UsageError. */
export async function checkArgs<N extends keyof OperationMethods>(
  driver: N,
  method: keyof OperationMethods[N] & string,
  args: unknown,
): Promise<void> {
  const operations = (await loadOperations([driver]))[driver] as Readonly<
    Record<string, AnyOperation | undefined>
  >;
  operations[method]?.parseArgs(args);
}

/** Returns a function that runs one operation of `tx` in a sequence of its own, named after it. */
export function inOwnSequence<N extends keyof OperationMethods, M extends keyof OperationMethods[N] & string>(
  driver: N,
  method: M,
): OperationMethods[N][M] {
  type Call = (args: unknown) => Promise<unknown>;
  const run: Call = (args) =>
    single(
      `${driver}.${method}`,
      (tx) => ((tx as unknown as OperationMethods)[driver][method] as Call)(args),
      [driver],
    );
  return run as OperationMethods[N][M];
}

/** Returns `ensure` of a create method in a sequence of its own. */
export function ensureInOwnSequence<N extends keyof EnsureMethods, M extends keyof EnsureMethods[N] & string>(
  driver: N,
  method: M,
): EnsureMethods[N][M] {
  type Call = (args: unknown) => Promise<unknown>;
  const run: Call = (args) =>
    single(`ensure.${driver}.${method}`, (tx) => ((tx as Tx).ensure[driver][method] as Call)(args), [driver]);
  return run as EnsureMethods[N][M];
}

/**
 * Throws UsageError if a sequence is open: the change would be committed separately. `alone`: the change has
 * no method of `tx`.
 */
export function refuseInside(name: string, what: 'method' | 'alone' = 'method'): void {
  if (joined.getStore() !== undefined || sequences.getStore()?.open !== true) return;
  if (what === 'method')
    throw new UsageError(
      `${name} was called on the module inside atomic(): call it on tx, or it would never be undone`,
    );
  throw new UsageError(`${name} was called inside atomic(), but it is a separate sequence`, {
    remedy: 'call it before or after atomic()',
  });
}

/** Throws as `refuseInside` does, and RefusedError for a recipe that needs root, before its first step. */
export function beginRecipe(name: string, what: 'method' | 'alone' = 'method'): void {
  refuseInside(name, what);
  const refused = withoutRoot(currentBofh().host, name);
  if (refused !== undefined) throw refused;
}

/**
 * Throws UsageError if a sequence is open: a nested one would be committed separately, and stay when the
 * outer one is undone.
 */
function refuseNested(what: string): void {
  if (sequences.getStore()?.open === true)
    throw new UsageError(
      `${what} was started inside atomic(): it would commit separately, and stay when the outer sequence is undone`,
      {
        remedy:
          'for a part that is undone with the whole sequence, use await tx.scope(name, async (tx) => …)',
      },
    );
}

/** Takes new witnesses of the filesystems of the enclosing open sequence, if there is one. */
export async function renewWitnesses(): Promise<void> {
  const around = sequences.getStore();
  if (around?.open === true) await around.renewWitnesses();
}

/**
 * Runs a body outside every sequence. For a sequence that always undoes itself, so the enclosing one need not
 * undo it.
 */
export function apart<T>(body: () => T): T {
  return sequences.exit(body);
}

/**
 * Returns a function that runs a body in the present sequence, and so outside a sequence that is started
 * later.
 */
export function outsideSequence(): <T>(body: () => T) => T {
  const outer = sequences.getStore();
  return (body) => (outer === undefined ? sequences.exit(body) : sequences.run(outer, body));
}
