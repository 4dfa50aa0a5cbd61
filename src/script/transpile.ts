import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Jiti, JitiOptions, TransformOptions, TransformResult } from 'jiti';
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

interface Loading {
  readonly cache: ScriptCache | undefined;
  /** A file is understood, and about to be run. */
  readonly started: (() => void) | undefined;
  /** Throws for a file that must not be run. */
  readonly allowed: ((file: string) => void) | undefined;
}

const load = createRequire(import.meta.url);

/** jiti's two files: beside this one in `dist/`, in their package elsewhere. */
function fileOf(name: 'jiti.cjs' | 'babel.cjs'): string {
  const beside = join(dirname(fileURLToPath(import.meta.url)), name);
  return existsSync(beside) ? beside : join(dirname(load.resolve('jiti/package.json')), 'dist', name);
}

/**
 * A loader of user code: TypeScript, ESM, `using` and top-level await on every Node, with right line numbers; `bofh` in
 * it is the running instance, wherever the code lies. jiti's own cache is off: it lies in a directory that anybody
 * can write, and what is in it is executed.
 */
export function loader(
  from: string,
  modules: Record<string, unknown>,
  { cache, started, allowed }: Loading,
): Jiti {
  const createJiti = load(fileOf('jiti.cjs')) as Make;
  return createJiti(
    from,
    {
      // Each that has a JITI_… variable is said here, so that the environment decides nothing.
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
 * jiti tries Node's own import first and transpiles when that fails: a script that throws would run twice. Of the
 * user's own files Node imports none; packages it does.
 */
async function nativeImport(id: string): Promise<unknown> {
  const own = /^(?:file:|\/|data:)/.test(id) && !id.includes('/node_modules/');
  if (own) throw new Error(`${id.slice(0, 200)} is transpiled`);
  return (await import(id)) as unknown;
}

/** The file that an import names; undefined for a module of Node, and for code that is no file. */
function fileIn(id: string): string | undefined {
  if (id.startsWith('file:')) return fileURLToPath(id);
  return id.startsWith('/') ? id : undefined;
}

/** For what jiti loads by Node's own `require`: JSON, addons, some packages. */
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

function onError(error: unknown): never {
  throw error;
}

/** The transpiler (1.5 MB) is loaded for what is not in the cache alone. */
function transform(options: TransformOptions, cache: ScriptCache | undefined): TransformResult {
  const key = JSON.stringify([version, process.version, options]);
  const cached = cache?.get(key);
  if (cached !== undefined) return { code: cached };
  const babel = load(fileOf('babel.cjs')) as (options: TransformOptions) => TransformResult;
  const result = babel({ ...options, retainLines: true });
  if (result.error === undefined) cache?.set(key, result.code);
  return result;
}
