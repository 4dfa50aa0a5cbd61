import { isAbsolute, resolve } from 'node:path';
import { connect, hostNamed, type Bofh } from '../../connect.ts';
import type { Engine, SequenceEvent } from '../../atomic/index.ts';
import { logEvents } from '../../atomic/event-log.ts';
import { BofhError, InterruptedError, RefusedError, UsageError } from '../../core/errors.ts';
import { localHost } from '../../host/local.ts';
import type { HostEvent } from '../../host/setting.ts';
import { findAmong } from '../../operations.ts';
import { readSite } from '../../script/site.ts';
import { defaultSite, type Site, siteFileHere } from '../../site.ts';
import { askKey } from './ask-key.ts';
import { startedIn } from '../errors/sequences.ts';
import { readOnlyStore } from '../plan/read-only-store.ts';
import { printable, typed } from '../output/text.ts';
import { reportProgress, type ProgressReport } from '../output/progress.ts';
import type { Runtime } from './runtime.ts';

/** A verb running on a host. */
export interface Session {
  readonly bofh: Bofh;
  readonly progress: ProgressReport;
}

/**
 * Opens this host for a verb. `site: 'unused'` is for verbs that must work with a broken site file.
 * Throws RefusedError for a change without root, UsageError for a bad site file.
 */
export async function openSession(
  runtime: Runtime,
  needs: { readonly site: 'used' | 'unused'; readonly root: 'needed' | 'not-needed' },
): Promise<Session> {
  const { settings, log } = runtime;
  if (needs.root === 'needed' && settings.mode === 'act') refuseUnlessRoot(runtime);
  const progress = reportProgress(runtime.terminal, {
    silent: settings.quiet || settings.logLevel === 'silent',
  });
  if (runtime.bofh !== undefined) {
    const { bofh } = runtime;
    return { bofh: { ...bofh, engine: counted(bofh.engine, runtime) }, progress };
  }
  let site = defaultSite;
  const options = {
    log: ({ event, ...facts }: HostEvent) => log.debug(event, { ...facts }),
    askKey: (question: string) => askKey(runtime.terminal, question, { stop: runtime.signals.stop }),
  };
  const local = localHost({ ...options, siteKeys: () => site.keys });
  const name = settings.host;
  // The site file is always that of this host, and may contain the connection to another one.
  if (needs.site === 'used' || name !== undefined) site = await siteOf(runtime);
  const ask = runtime.terminal.interactive ? 'terminal' : 'never';
  const host = name === undefined ? local : hostNamed(name, site, { ...options, ask });
  const bofh = connect({
    host,
    site,
    stateDir: settings.stateDir,
    signals: runtime.signals,
    argv: runtime.recorded,
    waitMs: settings.waitMs,
    onLeftUntouched: (found) => runtime.terminal.line(`left untouched: ${printable(found)}`),
    onWaiting: (notice) => runtime.terminal.line(`bofh: ${printable(notice)}`),
    ...(settings.answer === 'json' && !runtime.terminal.live ? {} : { onProgress: progress.onProgress }),
  });
  const engine = counted({ ...bofh.engine, find: findLater(runtime, site, bofh.engine.find) }, runtime);
  if (settings.mode === 'act') return { bofh: { ...bofh, engine }, progress };
  return { bofh: { ...bofh, engine: { ...engine, store: readOnlyStore(engine.store) } }, progress };
}

/** Prints whose journals a verb uses, because a user may expect those of root. */
export function tellWhose({ root, settings, terminal }: Runtime): void {
  if (root || settings.quiet || settings.stateDirBy === 'named') return;
  terminal.line(`bofh: these are your own journals, in ${settings.stateDir}; use sudo for those of root`);
}

/** Throws UsageError for `--host` with a verb about bofh's own files. */
export function refuseOtherHost({ settings, verb }: Runtime, what: string): void {
  const { host } = settings;
  if (host === undefined) return;
  throw new UsageError(`"${verb}" works only on the host that bofh runs on, because it is about ${what}`, {
    remedy: `omit --host, or run the command on ${host}`,
  });
}

/**
 * Returns the absolute path. Throws UsageError for a relative path with another host, which has no current
 * directory.
 */
export function pathOn(runtime: Pick<Runtime, 'settings'>, path: string): string;
/** Undefined for an omitted option. */
export function pathOn(runtime: Pick<Runtime, 'settings'>, path: string | undefined): string | undefined;
export function pathOn(
  { settings: { host } }: Pick<Runtime, 'settings'>,
  path: string | undefined,
): string | undefined {
  if (path === undefined) return undefined;
  if (host === undefined || isAbsolute(path)) return resolve(path);
  throw new UsageError(`"${path}" is relative, but there is no current directory on ${host}`, {
    remedy: 'give its absolute path',
  });
}

/** Waits for work before the sequence. Throws at the first signal, because nothing must be undone. */
export async function untilInterrupted<T>(runtime: Runtime, work: Promise<T>): Promise<T> {
  const { stop } = runtime.signals;
  let hear = (): void => undefined;
  const interrupted = new Promise<never>((_resolve, reject) => {
    hear = () => reject(new InterruptedError(`"${runtime.verb}" was interrupted before it changed anything`));
    if (stop.aborted) hear();
    stop.addEventListener('abort', hear, { once: true });
  });
  try {
    return await Promise.race([work, interrupted]);
  } finally {
    stop.removeEventListener('abort', hear);
  }
}

function refuseUnlessRoot({ root, verb, commandLine }: Runtime): void {
  if (root) return;
  throw new RefusedError(`"${verb}" changes the host, and only root may do that`, {
    remedy: `sudo ${typed(commandLine)}`,
  });
}

async function siteOf(runtime: Runtime): Promise<Site> {
  const { settings, root, log } = runtime;
  const path = siteFileHere(settings.site);
  if (path === undefined) return defaultSite;
  log.debug('site file', { path });
  const load = readSite(path, {
    cache: !root ? 'unused' : settings.mode === 'plan' ? 'read-only' : 'read-write',
    warn: (message, facts) => log.warn(message, { ...facts }),
  });
  return await siteGiven(runtime, path, load);
}

/**
 * Finds operations of the site for journals, also for a verb that reads no site file. An unusable site file
 * does not stop the recovery of other journals.
 */
function findLater(runtime: Runtime, site: Site, find: Engine['find']): Engine['find'] {
  let loaded: Promise<Site> | undefined;
  return async (kind, version) => {
    const known = await find(kind, version);
    if (known !== undefined || site !== defaultSite) return known;
    loaded ??= siteOf(runtime).catch((error: unknown) => {
      if (!(error instanceof BofhError)) throw error;
      runtime.log.warn(`the site file was not read: ${error.message}`, {});
      return defaultSite;
    });
    return findAmong((await loaded).operations)(kind, version);
  };
}

/** Waits for the exports of the site file: it is code, and may wait for ever. */
export async function siteGiven(runtime: Runtime, path: string, load: Promise<Site>): Promise<Site> {
  let drained = (): void => undefined;
  const never = new Promise<never>((_resolve, reject) => {
    drained = () => reject(new UsageError(`the top-level await of the site file ${path} never ends`));
  });
  runtime.site = path;
  process.once('beforeExit', drained);
  try {
    return await Promise.race([load, never]);
  } finally {
    process.off('beforeExit', drained);
    runtime.site = undefined;
  }
}

/** Reports every sequence that opens or closes, its journal and its events, to the runtime. */
function counted(engine: Engine, { sequences, events }: Runtime): Engine {
  const open: Engine['locks']['open'] = () => {
    const locks = engine.locks.open();
    let released = false;
    sequences.opened();
    return {
      ...locks,
      release: () => {
        locks.release();
        if (!released) sequences.released();
        released = true;
      },
    };
  };
  const { store } = engine;
  const create: Engine['store']['create'] = (name) => {
    const file = store.create(name);
    const id = /^(?<id>.+)\.new$/.exec(name)?.groups?.id;
    if (id !== undefined) sequences.register(id, () => startedIn(store, id));
    return file;
  };
  const found = { ...engine, locks: { open }, store: { ...store, create } };
  if (events === undefined) return found;
  const onEvent = (event: SequenceEvent): void => {
    engine.onEvent?.(event);
    logEvents(events.child({ sequence: event.id }))(event);
  };
  return { ...found, onEvent };
}
