import { AsyncLocalStorage } from 'node:async_hooks';
import { diskStore } from './atomic/journal/store.ts';
import { hostProcesses } from './atomic/locks/processes.ts';
import { lockTable } from './atomic/locks/lock.ts';
import { reservedIn } from './atomic/locks/reservations.ts';
import {
  AtomicOperationSequence,
  type Engine,
  type Place,
  type SequenceOptions,
  type Signals,
  type Steps,
} from './atomic/index.ts';
import { keysOf } from './blockdevice/index.ts';
import type { Host, LocalHost } from './command/index.ts';
import { UsageError } from './core/errors.ts';
import { localHost } from './host/local.ts';
import type { SshDestination } from './host/ssh/destination.ts';
import { sshHost, type SshHost, type SshHostOptions } from './host/ssh/host.ts';
import { processSignals, thisUser } from './host/process.ts';
import {
  bindOperations,
  findOperation,
  loadOperations,
  type OperationMethods,
  type Tx,
} from './operations.ts';
import { defaultSite, overrideSite, type Site, type SiteSettings } from './site.ts';
import { siteSettings, type SiteSetting } from './site-settings.ts';
import { version } from './core/version.ts';

/** What every call of the public API works with: a host, its site's policy, and where its journals are. */
export interface Bofh {
  readonly host: Host;
  readonly site: Site;
  /** /var/lib/bofh unless told otherwise. */
  readonly stateDir: string;
  readonly engine: Engine;
  /** Undefined: a sequence watches the signals of this process itself. */
  readonly signals?: Signals;
  /** True in a dry run: nothing is done, only planned. */
  readonly planning: boolean;
}

const ambient = new AsyncLocalStorage<Bofh>();
const sequences = new AsyncLocalStorage<AtomicOperationSequence>();

/**
 * Makes a `Bofh`; what is not named has its default. A `host` by its name is another one, over ssh: one of `hosts` in the
 * site's policy, or any that ssh knows. Whatever is done there, its journal is on the host that bofh runs on.
 */
export function connect(
  options: {
    readonly host?: LocalHost | SshHost | string;
    readonly site?: Site;
    readonly stateDir?: string;
    readonly signals?: Signals;
    readonly argv?: readonly string[];
    readonly waitMs?: number;
    readonly onProgress?: Engine['onProgress'];
    /** Missing: a warning of the process (`process.on('warning', …)`). */
    readonly onLeftAlone?: Engine['onLeftAlone'];
  } = {},
): Bofh {
  const { site = defaultSite } = options;
  const places = placesOf(options.host, site);
  const { host } = places;
  const stateDir = options.stateDir ?? '/var/lib/bofh';
  const self = thisUser();
  return {
    host,
    site,
    stateDir,
    planning: false,
    ...(options.signals === undefined ? {} : { signals: options.signals }),
    engine: {
      ...places,
      store: diskStore(`${stateDir}/journal`),
      locks: lockTable([`${stateDir}/journal/locks`, '/run/bofh/locks'], places),
      reserved: reservedIn(stateDir, '/run/bofh', places),
      processes: hostProcesses(),
      who: { user: self.user, argv: options.argv ?? self.argv, bofh: version },
      find: findOperation,
      onLeftAlone: options.onLeftAlone ?? warn,
      ...(options.waitMs === undefined ? {} : { waitMs: options.waitMs }),
      ...(options.onProgress === undefined ? {} : { onProgress: options.onProgress }),
    },
  };
}

/** The host of a name: as the site's policy says that ssh reaches it, else as ssh itself knows it. */
export function hostNamed(
  name: string,
  site: Site,
  more: Pick<SshHostOptions, 'ask' | 'askKey' | 'log'> = {},
): SshHost {
  const known = Object.hasOwn(site.hosts, name) ? site.hosts[name] : undefined;
  return sshHost({ ...known, ...more, name, siteKeys: () => site.keys });
}

/** A host as a journal, which nobody but root can have written, says that it was reached. */
function hostAgain(name: string, reach: unknown, site: Site): SshHost {
  return sshHost({ ...(reach as SshDestination), name, siteKeys: () => site.keys });
}

/** The host that was asked for, and every other one by its name: each is connected to once, when it is needed. */
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
  return { host, on: (path) => keysOf(host, path), ...away };
}

function warn(found: string): void {
  process.emitWarning(`left alone, for it is not ours: ${found}`, 'BofhWarning');
}

let local: Bofh | undefined;

/** The ambient `Bofh`: that of `withBofh`, else this host with all defaults. */
export function currentBofh(): Bofh {
  return ambient.getStore() ?? (local ??= guarded(connect()));
}

/** Runs a body with another ambient `Bofh`. */
export function withBofh<T>(bofh: Bofh, body: () => T): T {
  return ambient.run(guarded(bofh), body);
}

/**
 * Runs a body with some settings of the site replaced, each as a whole: `await withSite({ volumeGroup: 'vg1' }, async () =>
 * …)`. It may stand in another one, and inside `atomic()`; what runs beside it keeps its own, and when the body has
 * ended, in whatever way, all is as before. Throws UsageError for what is no setting, before the body runs.
 */
export function withSite<T>(overrides: SiteSettings, body: () => T): T {
  const bofh = currentBofh();
  return ambient.run({ ...bofh, site: overrideSite(bofh.site, overrides) }, body);
}

/** Every setting of the site as it is here, with its description and who has said what it is. */
export function settings(): readonly SiteSetting[] {
  return siteSettings(currentBofh().site);
}

/** Its engine begins no sequence inside an open one: `new AtomicOperationSequence({ engine })` asks it for locks. */
function guarded(bofh: Bofh): Bofh {
  const { locks } = bofh.engine;
  const open: Engine['locks']['open'] = () => {
    refuseNested('a sequence');
    return locks.open();
  };
  return { ...bofh, engine: { ...bofh.engine, locks: { open } } };
}

/**
 * Runs a sequence: resolves to the body's value when all of it is committed. Throws RolledBackError when it failed
 * and everything is undone, newest first, StuckError when something is left, and the error itself when it failed
 * before anything was done. Inside another one that is open: UsageError. `reverse` is what undoes a function that
 * `tx.call` calls and that has no inverse of its own.
 */
export async function atomic<T>(
  name: string,
  body: (tx: Tx) => T | Promise<T>,
  options: Pick<SequenceOptions, 'reverse' | 'writes'> = {},
): Promise<T> {
  refuseNested(`atomic('${name}')`);
  const bofh = currentBofh();
  const loaded = await loadOperations();
  const watched = bofh.signals === undefined ? processSignals() : undefined;
  const sequence = new AtomicOperationSequence({
    engine: bofh.engine,
    name,
    ...options,
    ...(bofh.signals ?? watched?.signals),
  });
  const typed = (steps: Steps): Tx => ({
    ...bindOperations(loaded, {
      step: (code, args) => steps.step(code, args),
      temporary: (code, args) => steps.temporary<never, object>(code as never, args),
    }),
    signal: steps.signal,
    planning: bofh.planning,
    effect: (title, forward, inverse, claims) => steps.effect(title, forward, inverse, claims),
    call: (f, ...args) => steps.call(f, ...args),
    reserve: (claims) => steps.reserve(claims),
    scope: (title, inner) => steps.scope(title, (own) => inner(typed(own))),
    on: (host) => typed(steps.on(host)),
  });
  try {
    return await sequences.run(sequence, () => sequence.run((steps) => body(typed(steps))));
  } finally {
    watched?.release();
  }
}

/** A single change: a sequence of one. Inside an open sequence it would commit alone and never be undone: refused. */
export async function single<T>(name: string, body: (tx: Tx) => Promise<T>): Promise<T> {
  refuseInside(name);
  return atomic(name, body, { writes: 'steps' });
}

/** One operation of `tx` as a function that runs it in a sequence of its own, named after it. */
export function once<N extends keyof OperationMethods, M extends keyof OperationMethods[N] & string>(
  driver: N,
  method: M,
): OperationMethods[N][M] {
  type Call = (args: unknown) => Promise<unknown>;
  const run: Call = (args) =>
    single(`${driver}.${method}`, (tx) => ((tx as OperationMethods)[driver][method] as Call)(args));
  return run as OperationMethods[N][M];
}

/** A change that would commit alone is refused while a sequence is open. */
export function refuseInside(name: string): void {
  if (sequences.getStore()?.open === true)
    throw new UsageError(
      `${name} was called on the module inside atomic(): call it on tx, or it would never be undone`,
    );
}

/** A sequence that begins inside another one would commit alone: what it did would stay when the outer one is undone. */
function refuseNested(what: string): void {
  if (sequences.getStore()?.open === true)
    throw new UsageError(
      `${what} was begun inside atomic(): it would commit alone, and stay when the outer one is undone`,
      { remedy: 'await tx.scope(name, async (tx) => …) is a part that is undone with the whole' },
    );
}

/** Tells the open sequence around this call, if there is one, that what is on its filesystems now is its own. */
export async function renewWitnesses(): Promise<void> {
  const around = sequences.getStore();
  if (around?.open === true) await around.renewWitnesses();
}

/**
 * Runs a body outside of every sequence: for one that leaves nothing behind, however it ends, and so need not be undone
 * with what is around it.
 */
export function apart<T>(body: () => T): T {
  return sequences.exit(body);
}

/** Gives a function that runs a body as if called from here: outside a sequence that is begun in between. */
export function outsideSequence(): <T>(body: () => T) => T {
  const outer = sequences.getStore();
  return (body) => (outer === undefined ? sequences.exit(body) : sequences.run(outer, body));
}
