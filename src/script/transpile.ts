import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Jiti, JitiOptions, TransformOptions, TransformResult } from 'jiti';
import { UsageError } from '../core/errors.ts';
import { meantBy } from '../core/nearest.ts';
import { version } from '../core/version.ts';
import type { ScriptCache } from './cache.ts';

type Make = (
  id: string,
  options: JitiOptions,
  context: {
    readonly onError: (error: unknown) => never;
    readonly nativeImport: (id: string) => Promise<unknown>;
    readonly createRequire: (path: string) => NodeJS.Require;
  },
) => Jiti;

/** What runs user code. */
export interface Loader {
  readonly evalModule: (
    source: string,
    how: { readonly filename: string; readonly async: boolean; readonly forceTranspile: true },
  ) => unknown;
}

interface Loading {
  readonly cache: ScriptCache | undefined;
  /** Called when a file is parsed, right before it runs. */
  readonly started: (() => void) | undefined;
  /** Throws for a file that must not run. */
  readonly allowed: ((file: string) => void) | undefined;
}

const load = createRequire(import.meta.url);

/**
 * Requires a file of `dist/` with its compiled code; defined only in `dist/` (src/cli/compiled.ts).
 */
declare const requireCompiled: ((id: string) => unknown) | undefined;

/**
 * Returns the path of a file of jiti: in `dist/` beside this file, otherwise in the package of
 * jiti.
 */
function fileOf(name: 'jiti.cjs' | 'babel.cjs'): string {
  const beside = join(dirname(fileURLToPath(import.meta.url)), name);
  return existsSync(beside) ? beside : join(dirname(load.resolve('jiti/package.json')), 'dist', name);
}

/**
 * Returns a loader for user code: TypeScript, ESM, `using` and top-level await on every Node.js,
 * with correct line numbers. In the code `bofh` is the running instance, in whatever directory the
 * code is. The cache of jiti itself is off, because it is in a directory that every user can write,
 * and its content is executed.
 */
export function loader(
  from: string,
  modules: Record<string, unknown>,
  { cache, started, allowed }: Loading,
): Loader {
  const createJiti = (
    typeof requireCompiled === 'undefined' ? load(fileOf('jiti.cjs')) : requireCompiled('./jiti.cjs')
  ) as Make;
  return createJiti(
    from,
    {
      // Sets every option that has a JITI_… variable, so that the environment has no influence.
      fsCache: false,
      interopDefault: false,
      moduleCache: false,
      sourceMaps: false,
      debug: false,
      tryNative: false,
      jsx: false,
      alias: {},
      nativeModules: [],
      transformModules: [],
      tsconfigPaths: false,
      esmEvalTempFile: false,
      virtualModules: modules,
      transform: (options) => {
        if (options.filename !== undefined) allowed?.(options.filename);
        const result = transform(options, cache);
        refuseUnknownNames(result.code, options.filename, modules);
        if (result.error === undefined) started?.();
        return result;
      },
    },
    {
      onError,
      nativeImport: (id) => {
        const file = fileIn(id);
        if (file !== undefined) allowed?.(file);
        return nativeImport(id);
      },
      createRequire: (path) => guarded(createRequire(path), allowed),
    },
  );
}

/**
 * jiti first tries the import of Node.js and transpiles if that fails, so a script that throws
 * would run twice. Therefore Node.js imports only packages, not the files of the user.
 */
async function nativeImport(id: string): Promise<unknown> {
  const own = /^(?:file:|\/|data:)/.test(id) && !id.includes('/node_modules/');
  if (own) throw new Error(`${id.slice(0, 200)} is transpiled`);
  return (await import(id)) as unknown;
}

/** Returns the file of an import; undefined for a module of Node.js or code without a file. */
function fileIn(id: string): string | undefined {
  if (id.startsWith('file:')) return fileURLToPath(id);
  return id.startsWith('/') ? id : undefined;
}

/**
 * Returns a `require` that checks the files that jiti loads with it: JSON, addons, some packages.
 */
function guarded(require: NodeJS.Require, allowed: Loading['allowed']): NodeJS.Require {
  if (allowed === undefined) return require;
  return new Proxy(require, {
    apply: (of, self, args: [id: string]): unknown => {
      const file = fileIn(of.resolve(args[0]));
      if (file !== undefined) allowed(file);
      return Reflect.apply(of, self, args);
    },
  });
}

/**
 * Throws UsageError, with the line, for an imported name that bofh does not export. Node.js does
 * the same before any code runs; in transpiled code the name would be undefined, and the code would
 * fail only when it uses the name.
 */
function refuseUnknownNames(code: string, file = '', modules: Record<string, unknown>): void {
  for (const { groups } of code.matchAll(/\bvar (?<name>_\w+) = [^;\n]*?\("(?<id>bofh[^"]*)"\)/g)) {
    const { name = '', id = '' } = groups ?? {};
    const exported = modules[id];
    if (typeof exported !== 'object' || exported === null) continue;
    for (const use of code.matchAll(new RegExp(`\\b${name}\\.(?<key>[\\w$]+)`, 'g'))) {
      const key = use.groups?.key ?? '';
      if (key in exported) continue;
      const line = code.slice(0, use.index).split('\n').length;
      const meant = meantBy(key, Object.keys(exported));
      throw new UsageError(`${file}:${line}: ${id} does not export "${key}"`, {
        remedy: meant === undefined ? 'docs/reference.md lists what it exports' : `did you mean ${meant}?`,
      });
    }
  }
}

function onError(error: unknown): never {
  throw error;
}

/** Loads the transpiler (1.5 MB) only for code that is not in the cache. */
function transform(options: TransformOptions, cache: ScriptCache | undefined): TransformResult {
  const key = JSON.stringify([version, process.version, options]);
  const cached = cache?.get(key);
  if (cached !== undefined) return { code: cached.toString() };
  const babel = load(fileOf('babel.cjs')) as (options: TransformOptions) => TransformResult;
  const result = babel({ ...options, retainLines: true });
  if (result.error === undefined) cache?.set(key, result.code);
  return result;
}
