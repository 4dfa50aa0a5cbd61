import { AsyncLocalStorage } from 'node:async_hooks';
import childProcess from 'node:child_process';
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { promisify } from 'node:util';
import workerThreads from 'node:worker_threads';

/** A call of a script that Node.js's permission model denied. */
export interface Attempt {
  /** The call, and the function that was called: `write /etc/motd (fs.writeFile)`. */
  readonly what: string;
  /** An error whose stack shows where the script made the call. */
  readonly call: Error;
}

/**
 * Reports each denied call from now on. Node.js 20 does not name the program that a script may not
 * start, and an error that the script catches would leave an invisible gap in the plan.
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
  // Named imports of ES modules are copies of these functions.
  syncBuiltinESMExports();
}

/** Describes a call. */
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

/** A watched call in progress. */
interface Watched {
  readonly describe: Describe;
  readonly argv: readonly unknown[];
  readonly at: Error;
}

/**
 * Functions of Node.js call each other: only the outermost call, made by the script, is reported.
 */
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
    // The target is not the function itself: a proxy must return the target's own value of a
    // property that is read-only and not configurable, such as util.promisify.custom.
    return new Proxy(target, {
      apply: (_target, self, argv: unknown[]) => calling(argv, (given) => Reflect.apply(of, self, given)),
      construct: (_target, argv: unknown[]) =>
        calling(argv, (given) => Reflect.construct(of, given)) as object,
      get: (_target, key) => {
        const value: unknown = Reflect.get(of, key);
        return key === promisify.custom && isCallable(value) ? watch(value, describe) : value;
      },
    });
  };
  return watch;
}

function target(): void {
  // Never called: each proxy calls another function.
}

/**
 * Returns an error with the stack of the call, deep enough to show the script behind the functions
 * of a package.
 */
function calledHere(): Error {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 50;
  const at = new Error('called here');
  Error.stackTraceLimit = stackTraceLimit;
  return at;
}

/** Returns whether Node.js itself made the call. The upper frames belong to the watcher. */
function isInternal({ stack = '' }: Error): boolean {
  const frames = stack.split('\n').slice(1);
  const proxied = frames.findIndex(
    (frame) => frame.includes('Object.apply') || frame.includes('Object.construct'),
  );
  return /[( ]node:/.test(frames[proxied + 1] ?? '');
}

/**
 * Calls made in the script's own callback are calls of the script; a callback of Node.js continues
 * the original call.
 */
function heard(callback: Callable, noted: (error: unknown) => void, own: boolean): Callable {
  return function (this: unknown, ...argv) {
    noted(argv[0]);
    const go = (): unknown => Reflect.apply(callback, this, argv);
    return own ? outer.exit(go) : go();
  };
}

/** Node.js reports denied native code as ERR_DLOPEN_DISABLED. */
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

/**
 * Returns the names of the functions of a module. Classes, which start with a capital, open their
 * files through these functions.
 */
function namesOf(module: object): readonly string[] {
  return Object.keys(module).filter((name) => /^[a-z]/.test(name));
}

function replace(module: object, name: string, by: (of: Callable) => Callable): void {
  const of: unknown = Reflect.get(module, name);
  if (isCallable(of)) Reflect.set(module, name, by(of));
}
