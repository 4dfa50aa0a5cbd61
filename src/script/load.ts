import { readFileSync, statSync } from 'node:fs';
import { extname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { messageOf, UsageError } from '../core/errors.ts';
import { exposedHere } from '../command/index.ts';
import { cacheDirectory, openCache } from './cache.ts';
import { loader } from './transpile.ts';

export interface LoadOptions {
  /**
   * `unused`: the user is not root. `read-only`: uses existing entries and adds none, for a dry
   * run.
   */
  readonly cache: 'read-write' | 'read-only' | 'unused';
  readonly warn: (message: string, facts: object) => void;
  /** Called before the user's code runs. A failure before this call has changed nothing. */
  readonly started?: () => void;
  /** Content of the file, if the caller has read it already. */
  readonly source?: string;
  /** Directory of the cache (default: /var/cache/bofh). */
  readonly cacheDirectory?: string;
  /** Called for each file before its code runs. Throws for a file that must not run. */
  readonly allowed?: (file: string) => void;
  /**
   * The modules that the code imports as `bofh`, `bofh/atomic` and `bofh/testing`, instead of this
   * instance.
   */
  readonly modules?: Readonly<Record<string, unknown>>;
}

const extensions = ['.ts', '.mts', '.js', '.mjs'];
const nameIt = 'name an existing, readable file';

/**
 * Runs a user's file as a module and returns its exports when its top level has ended. Throws
 * UsageError, with the line, if it cannot be read or parsed; errors of the code itself are thrown
 * unchanged.
 */
export async function loadScript(path: string, options: LoadOptions): Promise<unknown> {
  const { file, source, jiti } = opened(path, options, options.modules ?? (await modules()));
  try {
    return await jiti.evalModule(source, { filename: file, async: true, forceTranspile: true });
  } catch (error) {
    throw understood(error, file);
  }
}

/**
 * Like `loadScript`, but synchronous: for a file without `await` at its top level, after the
 * library has loaded.
 */
export function loadScriptSync(path: string, options: LoadOptions): unknown {
  const { file, source, jiti } = opened(path, options, { bofh: library });
  try {
    return jiti.evalModule(source, { filename: file, async: false, forceTranspile: true });
  } catch (error) {
    throw understood(error, file);
  }
}

function opened(path: string, options: LoadOptions, known: Readonly<Record<string, unknown>>) {
  const file = resolve(path);
  const source = options.source ?? readSource(file);
  const directory = options.cacheDirectory ?? cacheDirectory;
  const cache = options.cache === 'unused' ? undefined : openCache(directory, options.warn, options.cache);
  const { started, allowed = alikeTo(file) } = options;
  return { file, source, jiti: loader(file, { ...known }, { cache, started, allowed }) };
}

let library: object | undefined;

/**
 * Stores the public API for imports of user code that cannot wait. The API calls this function
 * itself.
 */
export function provideLibrary(all: object): void {
  library = all;
}

/**
 * Returns the check for the imports of a script. A script that root runs may import only files that
 * only root can write. If other users can write the script itself, it runs anyway because root
 * named it, and its imports are not checked.
 */
function alikeTo(script: string): LoadOptions['allowed'] {
  if (process.geteuid?.() !== 0 || exposedHere(script, 'content') !== undefined) return undefined;
  return (file) => {
    const found = exposedHere(file, 'content');
    if (found === undefined) return;
    throw new UsageError(`${file}, which ${script} loads, is refused: ${found.at} ${found.why}`, {
      remedy: found.repair,
    });
  };
}

/** Returns the running bofh, for imports of user code. */
async function modules(): Promise<Record<string, unknown>> {
  const [bofh, atomic, testing] = await Promise.all([
    import('../index.ts'),
    import('../atomic/index.ts'),
    import('../simulator/index.ts'),
  ]);
  return { bofh, 'bofh/atomic': atomic, 'bofh/testing': testing };
}

/** Returns the content of a user's file. UsageError if it cannot be read, or has another extension. */
export function readSource(path: string): string {
  const file = resolve(path);
  if (!extensions.includes(extname(file)) && !isDirectory(file))
    throw new UsageError(
      `${file} is not a script that bofh can run: its name must end in ${extensions.join(', ')}`,
      { remedy: `rename it, for example to ${file.slice(0, file.length - extname(file).length)}.ts` },
    );
  try {
    if (!statSync(file).isFile()) throw new UsageError(`${file} is not a regular file`, { remedy: nameIt });
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (error instanceof UsageError) throw error;
    const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    const why = missing ? 'there is no such file' : messageOf(error);
    throw new UsageError(`${file} cannot be read: ${why}`, { cause: error, remedy: nameIt });
  }
}

/** Whether a path is known to be a directory. */
function isDirectory(file: string): boolean {
  try {
    return statSync(file).isDirectory();
  } catch {
    return false;
  }
}

/**
 * Turns errors of jiti about a missing or invalid file into UsageError. Returns every other error,
 * which is one of the code, unchanged.
 */
function understood(error: unknown, file: string): unknown {
  if (!(error instanceof Error)) return error;
  const syntax = /^(?<code>\w+): (?<what>[^]*?)\s*\n\s*(?<where>\/.*:\d+:\d+)$/.exec(error.message)?.groups;
  if (syntax !== undefined)
    return new UsageError(`${String(syntax.where)}: ${String(syntax.what)}`, {
      cause: error,
      remedy: 'correct that line, then run it again',
    });
  if ('code' in error && (error.code === 'MODULE_NOT_FOUND' || error.code === 'ERR_MODULE_NOT_FOUND'))
    return new UsageError(`${file}: ${error.message.split('\n')[0] ?? ''}`, {
      cause: error,
      remedy: 'install the imported package, or correct its name',
    });
  return error;
}

/** Returns `FILE:LINE` of an error in a file, or the file. */
export function placeOf(error: unknown, file: string): string {
  const stack = error instanceof Error ? (error.stack ?? '') : '';
  for (const name of [file, pathToFileURL(file).href]) {
    const at = stack.indexOf(`${name}:`);
    const line = at < 0 ? undefined : /^:(?<line>\d+)/.exec(stack.slice(at + name.length))?.groups?.line;
    if (line !== undefined) return `${file}:${line}`;
  }
  return file;
}
