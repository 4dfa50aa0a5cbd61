import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Jiti, JitiOptions, TransformOptions, TransformResult } from 'jiti';
import { version } from '../version.ts';
import type { ScriptCache } from './cache.ts';

type Make = (
  id: string,
  options: JitiOptions,
  context: {
    readonly onError: (error: unknown) => never;
    readonly nativeImport: (id: string) => Promise<unknown>;
    readonly createRequire: typeof createRequire;
  },
) => Jiti;

interface Loading {
  readonly cache: ScriptCache | undefined;
  /** A file is understood, and about to be run. */
  readonly started: (() => void) | undefined;
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
export function loader(from: string, modules: Record<string, unknown>, { cache, started }: Loading): Jiti {
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
        const result = transform(options, cache);
        if (result.error === undefined) started?.();
        return result;
      },
    },
    { onError, nativeImport, createRequire },
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
