import { readFile, stat } from 'node:fs/promises';
import { extname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { UsageError } from '../core/errors.ts';
import { exposedHere } from '../command/index.ts';
import { cacheDirectory, openCache } from './cache.ts';
import { loader } from './transpile.ts';

export interface LoadOptions {
  /** `unused` when not root. `read`: what is there is used and nothing is added, as in a dry run. */
  readonly cache: 'used' | 'read' | 'unused';
  readonly warn: (message: string, facts: object) => void;
  /** Called before the first of the user's code runs: what fails until then has changed nothing. */
  readonly started?: () => void;
  /** /var/cache/bofh unless told otherwise. */
  readonly cacheDirectory?: string;
  /** Throws for a file that must not be run: asked for each file before any of its code is. */
  readonly allowed?: (file: string) => void;
  /** What the code finds as `bofh`, `bofh/atomic` and `bofh/testing`, in place of this instance. */
  readonly modules?: Readonly<Record<string, unknown>>;
}

const extensions = ['.ts', '.mts', '.js', '.mjs'];
const nameIt = 'name a file that is there and can be read';

/**
 * Runs a user's file as a module and resolves to what it exports, when its top level has ended. Throws UsageError when
 * it cannot be read or understood, naming its line; what the code itself throws is thrown as it is.
 */
export async function loadScript(path: string, options: LoadOptions): Promise<unknown> {
  const file = resolve(path);
  const source = await read(file);
  const directory = options.cacheDirectory ?? cacheDirectory;
  const cache = options.cache === 'unused' ? undefined : openCache(directory, options.warn, options.cache);
  const jiti = loader(
    file,
    { ...(options.modules ?? (await modules())) },
    { cache, started: options.started, allowed: options.allowed ?? alikeTo(file) },
  );
  try {
    return await jiti.evalModule(source, { filename: file, async: true, forceTranspile: true });
  } catch (error) {
    throw understood(error, file);
  }
}

/**
 * What root runs may load only what root alone can write. A script that another user can write is run all the same: whoever
 * names it to root knows where it is. But then no import is held to more.
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

/** The running bofh, for the imports of user code. */
async function modules(): Promise<Record<string, unknown>> {
  const [bofh, atomic, testing] = await Promise.all([
    import('../index.ts'),
    import('../atomic/index.ts'),
    import('../simulator/index.ts'),
  ]);
  return { bofh, 'bofh/atomic': atomic, 'bofh/testing': testing };
}

async function read(file: string): Promise<string> {
  if (!extensions.includes(extname(file)))
    throw new UsageError(
      `${file} is no script that bofh can run: its name must end in ${extensions.join(', ')}`,
      { remedy: `give it such a name, for example ${file}.ts` },
    );
  try {
    if (!(await stat(file)).isFile()) throw new UsageError(`${file} is not a file`, { remedy: nameIt });
    return await readFile(file, 'utf8');
  } catch (error) {
    if (error instanceof UsageError) throw error;
    const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    const why = missing ? 'there is no such file' : String(error);
    throw new UsageError(`${file} cannot be read: ${why}`, { cause: error, remedy: nameIt });
  }
}

/** What jiti says of a file that it could not parse or find, as wrong input; everything else is the code's own error. */
function understood(error: unknown, file: string): unknown {
  if (!(error instanceof Error)) return error;
  const syntax = /^(?<code>\w+): (?<what>[^]*?)\s*\n\s*(?<where>\/.*:\d+:\d+)$/.exec(error.message)?.groups;
  if (syntax !== undefined)
    return new UsageError(`${String(syntax.where)}: ${String(syntax.what)}`, {
      cause: error,
      remedy: 'mend that line, then run it again',
    });
  if ('code' in error && (error.code === 'MODULE_NOT_FOUND' || error.code === 'ERR_MODULE_NOT_FOUND'))
    return new UsageError(`${file}: ${error.message.split('\n')[0] ?? ''}`, {
      cause: error,
      remedy: 'install what it imports, or mend the name',
    });
  return error;
}

/** `FILE:LINE` where an error was thrown in a file, else the file. */
export function placeOf(error: unknown, file: string): string {
  const stack = error instanceof Error ? (error.stack ?? '') : '';
  for (const name of [file, pathToFileURL(file).href]) {
    const at = stack.indexOf(`${name}:`);
    const line = at < 0 ? undefined : /^:(?<line>\d+)/.exec(stack.slice(at + name.length))?.groups?.line;
    if (line !== undefined) return `${file}:${line}`;
  }
  return file;
}
