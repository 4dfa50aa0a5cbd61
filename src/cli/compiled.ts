import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { cachedDataVersionTag, deserialize, serialize } from 'node:v8';
import { Script } from 'node:vm';
import { cacheDirectory, openCache } from '../script/cache.ts';
import { present } from '../core/present.ts';

/** The exports of a file, and its compiled code for the next process. */
export interface Compiled<T> {
  readonly exports: T;
  /**
   * Writes the compiled code of all functions that ran so far to the cache, unless that was already done for
   * the same `work`.
   */
  readonly keep: (work: string) => void;
}

interface Kept {
  readonly works: readonly string[];
  /** The compiled code of each file, by its name. */
  readonly code: ReadonlyMap<string, Buffer>;
}

const parameters = 'exports, require, module, __filename, __dirname, importOfNode, requireCompiled';

/** Compiled code of V8 cannot contain import() (Node.js 20 to 24), so the build replaces it by this function. */
const importOfNode = (id: string): Promise<unknown> => import(id);

/**
 * Runs a CommonJS file of `dist/`, and the files that it requires, with the code that V8 compiled when root
 * ran them before: without it, compiling takes half of the time that bofh needs to start. `digest` is the
 * digest of their content, because V8 compares only the length of the source. The files have only ASCII
 * characters, because Node reads Latin-1 ten times as fast as UTF-8. Without a cache that only root can
 * write, Node.js compiles the files as usual.
 */
export function loadCompiled<T>(file: string, digest: string, directory = cacheDirectory): Compiled<T> {
  const key = `${file} ${digest} ${process.version} ${String(cachedDataVersionTag())}`;
  const cache = (access: 'read-write' | 'read-only') =>
    process.geteuid?.() === 0 ? openCache(directory, () => undefined, access) : undefined;
  const entry = cache('read-only')?.get(key);
  const { works, code } =
    entry === undefined ? { works: [], code: new Map<string, Buffer>() } : (deserialize(entry) as Kept);
  const loaded = new Map<string, { readonly script: Script; readonly module: { exports: unknown } }>();
  const outside = createRequire(file);

  const load = (name: string): unknown => {
    const known = loaded.get(name);
    if (known !== undefined) return known.module.exports;
    const path = join(dirname(file), name);
    const cachedData = code.get(name);
    const text = readFileSync(path, 'latin1');
    const script = new Script(`(function (${parameters}) {"use strict";${text}\n})`, {
      filename: path,
      ...present({ cachedData }),
    });
    const module = { exports: {} };
    // Before the file runs, because files that require each other get the exports so far.
    loaded.set(name, { script, module });
    const run = script.runInThisContext() as (...of: unknown[]) => void;
    run(module.exports, require, module, path, dirname(path), importOfNode, require);
    return module.exports;
  };
  const require = Object.assign(
    (id: string): unknown => (id.startsWith('./') ? load(basename(id)) : outside(id)),
    outside,
  );
  return {
    exports: load(basename(file)) as T,
    keep: (work) => {
      if (works.includes(work)) return;
      const now = [...loaded].map(([name, { script }]) => [name, script.createCachedData()] as const);
      const kept: Kept = { works: [...works, work], code: new Map([...code, ...now]) };
      cache('read-write')?.set(key, serialize(kept));
    },
  };
}
