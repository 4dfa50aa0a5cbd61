import { AsyncLocalStorage } from 'node:async_hooks';
import { isAbsolute, resolve } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { diskStore } from './atomic/journal/store.ts';
import { checkUnlessBusy } from './atomic/locks/claims.ts';
import { hostProcesses } from './atomic/locks/processes.ts';
import { lockTable } from './atomic/locks/lock.ts';
import { reservedIn } from './atomic/locks/reservations.ts';
import {
  type AnyOperation,
  AtomicOperationSequence,
  type Engine,
  type Key,
  type Place,
  type SequenceEvent,
  type SequenceOptions,
  type Signals,
  type Steps,
} from './atomic/index.ts';
import { otherHost } from './atomic/place.ts';
import { type EventLog, logEvents } from './atomic/event-log.ts';
import { withCurrentNames } from './blockdevice/current-names.ts';
import { keysOf } from './blockdevice/index.ts';
import type { Host, LocalHost } from './command/index.ts';
import { RefusedError, UsageError } from './core/errors.ts';
import { localHost } from './host/local.ts';
import type { SshDestination } from './host/ssh/destination.ts';
import { sshHost, type SshHost, type SshHostOptions } from './host/ssh/host.ts';
import { isRoot, rootRunDir, usualRunDir, usualStateDir } from './host/own-places.ts';
import { processSignals, thisUser } from './host/process.ts';
import {
  bindEnsure,
  bindOperations,
  type EnsureMethods,
  checkOwn,
  type DriverName,
  driverNames,
  findAmong,
  fullBeneath,
  loadExisting,
  loadOperations,
  type OperationMethods,
  stepWithoutRoot,
  type Tx,
  withoutRoot,
} from './operations.ts';
import { defaultSite, overrideSite, type Site, siteOfProgram, type SiteSettings } from './site.ts';
import { siteSettings, type SiteSetting } from './site-settings.ts';
import { present } from './core/present.ts';
import { type Random, withRandom } from './core/random.ts';
import { checkFunction, naming } from './core/checks.ts';
import { callable, milliseconds, parsed } from './core/request.ts';
import { version } from './core/version.ts';
import * as z from 'zod/mini';
import { endOf } from './atomic/sequence/event-reporter.ts';

/**
 * The context of every call of the public API: a host, the policy of its site, and the place of its
 * journals.
 */
export interface Bofh {
  readonly host: Host;
  readonly site: Site;
  /** (default: /var/lib/bofh; for other users than root: bofh below XDG_STATE_HOME) */
  readonly stateDir: string;
  readonly engine: Engine;
  /** If undefined, the signals of this process stop each sequence. */
  readonly signals?: Signals;
  /** True in a dry run: steps are planned and not run. */
  readonly planning: boolean;
  /** Source of identifiers (default: the kernel). */
  readonly random?: Random;
}

const ambient = new AsyncLocalStorage<Bofh>();
const sequences = new AsyncLocalStorage<AtomicOperationSequence>();
/** The handle of the open sequence that a recipe is part of. */
const joined = new AsyncLocalStorage<Tx>();
/** The host of each handle. */
const handles = new WeakMap<Tx, Place>();
/** The drivers that the body of a single change uses. */
const uses = new WeakMap<object, readonly DriverName[]>();

/**
 * Creates a `Bofh`. Missing options come from the enclosing context (such as that of `bofh run`); without
 * one, they are the defaults of the command line: the site file (BOFH_SITE, or the one in /etc/bofh) and
 * BOFH_STATE_DIR. A `host` given by name is reached over ssh: one of `hosts` in the site file, or any host
 * that ssh knows. The journal of a remote change stays on the host that bofh runs on. `waitMs` limits the
 * wait for locks, in milliseconds.
 */
export function connect(
  options: {
    /**
     * The host to work on: its name, or a host of `localHost()` or `sshHost()` (default: the host of the
     * context, or this host).
     */
    readonly host?: LocalHost | SshHost | string;
    /** The settings of the site (default: those of the site file). */
    readonly site?: Site;
    /** Absolute path of the directory for journals (default: /var/lib/bofh). */
    readonly stateDir?: string;
    /**
     * Abort signals that stop every sequence (default: SIGINT, SIGTERM and SIGHUP of this process). `{}`: no
     * signal stops a sequence, because the program handles signals itself.
     */
    readonly signals?: Signals;
    /** The command line that journals show, without secrets. */
    readonly argv?: readonly string[];
    /**
     * Milliseconds to wait for objects that another sequence works on (default: 0, an error with the code
     * `busy` at once).
     */
    readonly waitMs?: number;
    /** Called when a program of a step starts, or reports its progress. */
    readonly onProgress?: Engine['onProgress'];
    /** Called for each event of each sequence. */
    readonly onEvent?: Engine['onEvent'];
    /** Gets each event of each sequence, with its text: a logger of pino (default: none). */
    readonly log?: EventLog;
    /**
     * Called for each object left untouched (default: emits a process warning,
     * `process.on('warning', …)`).
     */
    readonly onLeftUntouched?: Engine['onLeftUntouched'];
    /**
     * Called when a signal has to wait for the function of a sequence, or no longer waits for it
     * (default: emits a process warning).
     */
    readonly onWaiting?: Engine['onWaiting'];
  } = {},
): Bofh {
  const around = ambient.getStore();
  parsed('connect', connectOptions, options);
  const { signals = around?.signals } = options;
  const site =
    options.site === undefined ? (around?.site ?? usualSite()) : siteOfProgram('connect: site', options.site);
  const named = process.env.BOFH_STATE_DIR;
  const stateDir =
    options.stateDir ?? around?.stateDir ?? (named === undefined || named === '' ? usualStateDir() : named);
  const by = options.stateDir === undefined ? 'BOFH_STATE_DIR' : 'connect: stateDir';
  if (!isAbsolute(stateDir))
    throw new UsageError(`${by}: the state directory must be an absolute path, not "${stateDir}"`, {
      remedy: `give its absolute path, for example ${resolve(stateDir)}`,
    });
  const byName = typeof options.host === 'string' ? { host: options.host } : {};
  const places = naming('connect', byName, () =>
    around === undefined ? placesOf(options.host, site) : placesWithin(around, options.host, site),
  );
  const { waitMs, onProgress } = { ...around?.engine, ...options };
  const self = thisUser();
  const engine: Engine = {
    who: { ...self, bofh: version },
    find: findAmong(site.operations),
    currentNames: withCurrentNames,
    fullBeneath,
    onLeftUntouched: (found) => warn(`left untouched, not created by this sequence: ${found}`),
    onWaiting: warn,
    ...around?.engine,
    ...(options.site === undefined || around?.planning === true ? {} : { find: findAmong(site.operations) }),
    // A plan has journals of its own, which are not written to disk.
    ...(around !== undefined && (around.planning || stateDir === around.stateDir)
      ? filesOf(around)
      : filesIn(stateDir, places)),
    ...(options.argv === undefined ? {} : { who: { user: self.user, argv: options.argv, bofh: version } }),
    ...places,
    ...present({
      onLeftUntouched: options.onLeftUntouched,
      onWaiting: options.onWaiting,
      waitMs,
      onProgress,
    }),
    ...listening(around?.engine.onEvent, options),
  };
  return {
    ...{ host: around !== undefined && options.host === undefined ? around.host : places.host },
    ...{ site, stateDir, engine, planning: around?.planning ?? false },
    ...present({ signals }),
  };
}

/** Calls both listeners: that of a sequence does not replace that of the program. */
function listening(
  around: Engine['onEvent'],
  { onEvent, log }: { readonly onEvent?: Engine['onEvent']; readonly log?: EventLog },
): Pick<Engine, 'onEvent'> {
  const all = [around, onEvent, log === undefined ? undefined : logEvents(log)].filter(
    (each) => each !== undefined,
  );
  if (all.length === 0) return {};
  return {
    onEvent: (event) => {
      for (const each of all) each(event);
    },
  };
}

let usualSite = (): Site => defaultSite;

/** Registers the function that loads the default site; called by the module that loads files of users. */
export function provideSite(load: () => Site): void {
  usualSite = load;
}

type PlacesOf = ReturnType<typeof placesOf>;

/**
 * The hosts of a context, for the same site file. In a plan and on a simulated host, the other hosts come
 * from that context.
 */
function placesWithin(
  { engine, planning, site: own }: Bofh,
  asked: Parameters<typeof placesOf>[0],
  site: Site,
): PlacesOf {
  if (asked === undefined) {
    const { host, on, flock, place, reservations } = engine;
    return { host, on, flock, ...present({ place, reservations }) };
  }
  const isKnown = typeof asked === 'string' && site === own && engine.place !== undefined;
  if (!planning && !isKnown) return placesOf(asked, site);
  const name = typeof asked === 'string' ? asked : asked.name;
  const there = engine.place?.(name);
  if (there === undefined)
    throw planning
      ? new RefusedError(`a dry run cannot reach ${name}`, { remedy: 'leave host out of connect()' })
      : new UsageError(`there is no host "${name}"`, { code: 'not-found' });
  return { ...there, flock: engine.flock, ...present({ place: engine.place }) };
}

type Files = Pick<Engine, 'store' | 'locks' | 'processes' | 'reserved'>;

function filesIn(stateDir: string, places: Pick<Engine, 'flock'>): Files {
  const runDir = usualRunDir();
  const shared = runDir === undefined ? [] : [`${runDir}/locks`];
  return {
    store: diskStore(`${stateDir}/journal`),
    locks: lockTable([`${stateDir}/journal/locks`, ...shared], places),
    // Root reserves objects on this host for sequences of other hosts.
    ...(isRoot() ? { reserved: reservedIn(stateDir, rootRunDir, places) } : {}),
    processes: hostProcesses(),
  };
}

function filesOf({ engine: { store, locks, processes, reserved } }: Bofh): Files {
  return { store, locks, processes, ...present({ reserved }) };
}

/** Returns the host of a name, reached as in the site file, or else as in the configuration of ssh. */
export function hostNamed(
  name: string,
  site: Site,
  more: Pick<SshHostOptions, 'ask' | 'askKey' | 'log'> = {},
): SshHost {
  const known = Object.hasOwn(site.hosts, name) ? site.hosts[name] : undefined;
  return sshHost({ ...known, ...more, name, siteKeys: () => site.keys });
}

/** Returns a host from the ssh destination in a journal, which only root can write. */
function hostAgain(name: string, reach: unknown, site: Site): SshHost {
  return sshHost({ ...(reach as SshDestination), name, siteKeys: () => site.keys });
}

/** Returns the requested host, and a function for any other host. Each host is connected once, when needed. */
function placesOf(
  asked: LocalHost | SshHost | string | undefined,
  site: Site,
): Pick<Engine, 'host' | 'on' | 'reservations' | 'flock' | 'place'> {
  const host = typeof asked === 'string' ? hostNamed(asked, site) : asked;
  const local = host !== undefined && 'flock' in host ? host : localHost({ siteKeys: () => site.keys });
  const known = new Map<string, Place>([['', placeOn(local)]]);
  const place = (name: string, reach?: unknown): Place => {
    const found =
      known.get(name) ?? placeOn(reach === undefined ? hostNamed(name, site) : hostAgain(name, reach, site));
    known.set(name, found);
    return found;
  };
  if (host !== undefined && host !== local) known.set(host.name, placeOn(host));
  return { ...place(host?.name ?? ''), flock: local.flock, place };
}

function placeOn(host: Host | SshHost): Place {
  const away = 'reservations' in host ? { reservations: host.reservations } : {};
  return { host, on: (path, asked = host) => keysOf(asked, path), ...away };
}

function warn(notice: string): void {
  process.emitWarning(notice, 'BofhWarning');
}

let local: Bofh | undefined;

/**
 * Returns the ambient `Bofh`: that of the enclosing `withBofh`, or else `connect()`. Throws UsageError
 * if the site file cannot be used.
 */
export function currentBofh(): Bofh {
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
  return { ...bofh, engine: { ...bofh.engine, locks: { open } } };
}

function levelIn(log: unknown, level: string): unknown {
  return typeof log === 'object' && log !== null ? Reflect.get(log, level) : undefined;
}

const eventLog = z.custom<EventLog>(
  (value) => ['debug', 'info', 'warn', 'error'].every((level) => typeof levelIn(value, level) === 'function'),
  'must have the methods debug, info, warn and error',
);

const called = callable<(...args: never) => unknown>();

// A host and a site are checked where they are used.
const signal = z.instanceof(AbortSignal);
const signals = z.strictObject({
  stop: z.optional(signal),
  abandon: z.optional(signal),
  again: z.optional(z.readonly(z.array(signal))),
  beneath: z.optional(signal),
});

const connectOptions = z.strictObject({
  host: z.optional(
    z.union(
      [z.string().check(z.minLength(1)), z.looseObject({ name: z.string(), run: called, during: called })],
      'must be a name, or a host',
    ),
  ),
  site: z.optional(z.looseObject({})),
  stateDir: z.optional(z.string()),
  signals: z.optional(signals),
  argv: z.optional(z.readonly(z.array(z.string()))),
  waitMs: z.optional(milliseconds),
  onProgress: z.optional(called),
  onEvent: z.optional(called),
  log: z.optional(eventLog),
  onLeftUntouched: z.optional(called),
  onWaiting: z.optional(called),
});

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
 * `reverse` returns the inverse for functions without one that `tx.call` calls.
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
  onEvent({ ...of, ...endOf('none', { error }) });
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
  // Reads of the body without tx also use the host of the sequence.
  return ambient.run(around, () =>
    sequences.run(sequence, () => sequence.run((steps) => body(typed(steps, bofh.engine)))),
  );
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
export function once<N extends keyof OperationMethods, M extends keyof OperationMethods[N] & string>(
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
export function onceEnsured<N extends keyof EnsureMethods, M extends keyof EnsureMethods[N] & string>(
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
