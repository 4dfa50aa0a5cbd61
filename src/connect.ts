import { AsyncLocalStorage } from 'node:async_hooks';
import { isAbsolute, resolve } from 'node:path';
import { diskStore } from './atomic/journal/store.ts';
import { hostProcesses } from './atomic/locks/processes.ts';
import { lockTable } from './atomic/locks/lock.ts';
import { reservedIn } from './atomic/locks/reservations.ts';
import type { Engine, Place, Signals } from './atomic/index.ts';
import { type EventLog, logEvents } from './atomic/event-log.ts';
import { withCurrentNames } from './blockdevice/current-names.ts';
import { keysOf, mountsUnder } from './blockdevice/index.ts';
import type { Host, LocalHost } from './command/index.ts';
import { RefusedError, UsageError } from './core/errors.ts';
import { localHost } from './host/local.ts';
import type { SshDestination } from './host/ssh/destination.ts';
import { sshHost, type SshHost, type SshHostOptions } from './host/ssh/host.ts';
import { isRoot, rootRunDir, usualRunDir, usualStateDir } from './host/own-places.ts';
import { thisUser } from './host/process.ts';
import { findAmong, fullBeneath } from './operations.ts';
import { defaultSite, type Site, siteOfProgram } from './site.ts';
import { harmless } from './core/listener.ts';
import { present } from './core/present.ts';
import type { Random } from './core/random.ts';
import { naming } from './core/checks.ts';
import { callable, milliseconds, parsed } from './core/request.ts';
import { version } from './core/version.ts';
import * as z from 'zod/mini';

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

/**
 * The current `Bofh` of the code that runs. The published types must not name AsyncLocalStorage: a program may have no types of Node.
 */
export const ambient: {
  readonly getStore: () => Bofh | undefined;
  readonly run: <T>(bofh: Bofh, body: () => T) => T;
} = new AsyncLocalStorage<Bofh>();

/**
 * For each copy of bofh in this process: whether the code that runs is in a context of that copy.
 */
const copies: Set<() => boolean> = ((globalThis as Record<symbol, unknown>)[Symbol.for('bofh.copies')] ??=
  new Set()) as Set<() => boolean>;
const isInContext = (): boolean => ambient.getStore() !== undefined;
copies.add(isInContext);

/**
 * Throws UsageError in the context or the sequence of another copy of bofh: this copy does not know
 * its host, nor that it is a dry run or a test, and would change this host in a sequence of its
 * own.
 */
export function refuseOtherCopy(): void {
  if (isInContext() || ![...copies].some((isIn) => isIn())) return;
  throw new UsageError('another copy of bofh is loaded, and this code runs in its context', {
    remedy:
      'load one copy: npm ls bofh; a package that uses bofh names it in peerDependencies, or gets its functions as arguments',
  });
}

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
  refuseOtherCopy();
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
  const waitMs = options.waitMs ?? around?.engine.waitMs;
  const self = thisUser();
  const engine: Engine = {
    who: { ...self, bofh: version },
    find: findAmong(site.operations),
    currentNames: withCurrentNames,
    fullBeneath,
    mountsUnder,
    onLeftUntouched: (found) => warn(`left untouched: ${found}`),
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
      onLeftUntouched: listener('onLeftUntouched', options.onLeftUntouched),
      onWaiting: listener('onWaiting', options.onWaiting),
      onProgress: listener('onProgress', options.onProgress),
      waitMs,
    }),
    ...listening(around?.engine.onEvent, options),
  };
  return {
    ...{ host: around !== undefined && options.host === undefined ? around.host : places.host },
    ...{ site, stateDir, engine, planning: around?.planning ?? false },
    ...present({ signals }),
  };
}

function listener<A extends readonly unknown[]>(name: string, listen?: (...args: A) => unknown) {
  return listen === undefined ? undefined : harmless(`the listener ${name}`, listen);
}

/** Calls both listeners: that of a sequence does not replace that of the program. */
function listening(
  around: Engine['onEvent'],
  { onEvent, log }: { readonly onEvent?: Engine['onEvent']; readonly log?: EventLog },
): Pick<Engine, 'onEvent'> {
  const all = [
    around,
    listener('onEvent', onEvent),
    listener('log', log === undefined ? undefined : logEvents(log)),
  ].filter((each) => each !== undefined);
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

function levelIn(log: unknown, level: string): unknown {
  return typeof log === 'object' && log !== null ? Reflect.get(log, level) : undefined;
}

/** A logger of pino, or one with the same methods. */
export const eventLog = z.custom<EventLog>(
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
  undoNow: z.optional(signal),
} satisfies Record<keyof Signals, unknown>);

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
