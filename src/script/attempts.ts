import { AsyncLocalStorage } from 'node:async_hooks';
import childProcess from 'node:child_process';
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { promisify } from 'node:util';
import workerThreads from 'node:worker_threads';

/** What a script tried under Node's permission model, and was not let. */
export interface Attempt {
  /** `write /etc/motd (fs.writeFile)`. */
  readonly what: string;
  /** Its stack is that of the call. */
  readonly call: Error;
}

/**
 * Tells each denied attempt from now on, whether or not the script catches the error. Node 20's error does not name
 * the program that was to be started, and one that is caught would leave a plan with a hole that nobody sees.
 */
export function watchAttempts(tell: (attempt: Attempt) => void): void {
  const watch = watcher(tell);
  for (const name of namesOf(fs)) replace(fs, name, (of) => watch(of, writing(`fs.${name}`)));
  for (const name of namesOf(fs.promises))
    replace(fs.promises, name, (of) => watch(of, writing(`fs.promises.${name}`)));
  for (const name of namesOf(childProcess)) replace(childProcess, name, (of) => watch(of, starting(name)));
  replace(workerThreads, 'Worker', (of) =>
    watch(of, ([file]) => `start a thread: ${String(file)} (worker_threads.Worker)`),
  );
  replace(process, 'dlopen', (of) =>
    watch(of, ([, file]) => `load native code: ${String(file)} (process.dlopen)`),
  );
  replace(process, 'binding', (of) =>
    watch(of, ([name]) => `reach into Node itself: process.binding('${String(name)}')`),
  );
  // Named imports of ES modules are copies of these.
  syncBuiltinESMExports();
}

/** What a call wanted, in words. */
type Describe = (argv: readonly unknown[], error: object) => string;
type Callable = (...argv: unknown[]) => unknown;

const writing =
  (name: string): Describe =>
  (argv, error) =>
    `write ${'resource' in error && error.resource !== '' ? String(error.resource) : String(argv[0])} (${name})`;

const starting =
  (name: string): Describe =>
  ([file, words]) => {
    const argv: readonly unknown[] = Array.isArray(words) ? words : [];
    return `start a program: ${[file, ...argv].map(String).join(' ')} (child_process.${name})`;
  };

/** A watched call that is under way. */
interface Watched {
  readonly describe: Describe;
  readonly argv: readonly unknown[];
  readonly at: Error;
}

/** Node's own functions call one another: what is told is the call that the script made. */
const outer = new AsyncLocalStorage<Watched>();

function watcher(tell: (attempt: Attempt) => void) {
  const watch = (of: Callable, describe: Describe): Callable => {
    const calling = (argv: unknown[], call: (argv: unknown[]) => unknown): unknown => {
      const own: Watched = { describe, argv, at: calledHere() };
      const watched = isInternal(own.at) ? (outer.getStore() ?? own) : own;
      const noted = (error: unknown): void => {
        if (isDenied(error)) tell({ what: watched.describe(watched.argv, error), call: watched.at });
      };
      const last = argv.at(-1);
      const given = isCallable(last) ? [...argv.slice(0, -1), heard(last, noted, watched === own)] : argv;
      try {
        const result: unknown = outer.run(watched, () => call(given));
        if (result instanceof Promise) result.catch(noted);
        return result;
      } catch (error) {
        noted(error);
        throw error;
      }
    };
    // Not a proxy of the function itself: one must give its fixed properties as they are, and promisify's is one.
    return new Proxy(stand, {
      apply: (_stand, self, argv: unknown[]) => calling(argv, (given) => Reflect.apply(of, self, given)),
      construct: (_stand, argv: unknown[]) =>
        calling(argv, (given) => Reflect.construct(of, given)) as object,
      get: (_stand, key) => {
        const value: unknown = Reflect.get(of, key);
        return key === promisify.custom && isCallable(value) ? watch(value, describe) : value;
      },
    });
  };
  return watch;
}

function stand(): void {
  // Never called: each of its proxies has another function behind it.
}

/** Where a watched function was called, deep enough to reach the script through a package. */
function calledHere(): Error {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 50;
  const at = new Error('called here');
  Error.stackTraceLimit = stackTraceLimit;
  return at;
}

/** Was it Node itself that called? The frames before that one are the watcher's. */
function isInternal({ stack = '' }: Error): boolean {
  const frames = stack.split('\n').slice(1);
  const proxied = frames.findIndex(
    (frame) => frame.includes('Object.apply') || frame.includes('Object.construct'),
  );
  return /[( ]node:/.test(frames[proxied + 1] ?? '');
}

/** What the script does in its own callback is its call again; Node's callback goes on with what it was called for. */
function heard(callback: Callable, noted: (error: unknown) => void, own: boolean): Callable {
  return function (this: unknown, ...argv) {
    noted(argv[0]);
    const go = (): unknown => Reflect.apply(callback, this, argv);
    return own ? outer.exit(go) : go();
  };
}

/** ERR_DLOPEN_DISABLED: how Node says it of native code. */
function isDenied(error: unknown): error is Error {
  return (
    error instanceof Error &&
    'code' in error &&
    (error.code === 'ERR_ACCESS_DENIED' || error.code === 'ERR_DLOPEN_DISABLED')
  );
}

function isCallable(value: unknown): value is Callable {
  return typeof value === 'function';
}

/** Functions alone: classes begin with a capital, and open their files by these functions. */
function namesOf(module: object): readonly string[] {
  return Object.keys(module).filter((name) => /^[a-z]/.test(name));
}

function replace(module: object, name: string, by: (of: Callable) => Callable): void {
  const of: unknown = Reflect.get(module, name);
  if (isCallable(of)) Reflect.set(module, name, by(of));
}
