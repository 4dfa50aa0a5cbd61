import { posix } from 'node:path';
import * as z from 'zod/mini';
import { operation } from '../atomic/operation.ts';
import { type ReadHost, refuseExposed, textOf } from '../command/index.ts';
import { RefusedError } from '../core/errors.ts';
import { absolutePath, sha256, sha256Hex } from '../file/path.ts';
import { update } from './commands.ts';
import { listPath, listsDirectory, listsOf, sourcesIn } from './sources.ts';
import { removeStore } from './store.ts';

const sources = z.array(
  z.strictObject({
    uris: z.readonly(z.array(z.string())),
    suites: z.readonly(z.array(z.string())),
    components: z.readonly(z.array(z.string())),
  }),
);

const undo = z.strictObject({
  file: absolutePath,
  sources,
  /** Names of the lists before the step. */
  before: z.readonly(z.array(z.string())),
  /** Directory with the old lists; proves the step until the commit. */
  store: absolutePath,
});

/** The new lists, and the digest of each. */
const result = z.strictObject({ lists: z.array(z.strictObject({ name: z.string(), sha256: sha256Hex })) });

type Undo = z.infer<typeof undo>;
type Result = z.infer<typeof result>;

/**
 * `tx.packages.updateSource`: runs apt-get update for the archives of one file in
 * /etc/apt/sources.list.d. Fails if an archive cannot be reached, or is not signed as the file
 * requires. Undo restores the old lists of these archives, or removes the new ones.
 */
export const updateSource = operation({
  kind: 'packages.update',
  version: 1,
  args: z.strictObject({
    /** Absolute path of the file: `/etc/apt/sources.list.d/NAME.sources`. */
    file: absolutePath,
  }),
  undo,
  result,
  lives: 'disk',
  restores: 'state',
  prepare: async ({ args: { file }, mark, host }): Promise<Undo> => {
    await refuseExposed(host, file, 'content');
    const found = await sourcesIn(host, file);
    const { names } = await listsOf(host, found);
    // Next to the directory of the lists, so that a rename moves them; apt would remove them from
    // that directory.
    const store = posix.join(posix.dirname(listsDirectory), `.bofh-${mark}`);
    return { file, sources: [...found], before: names, store };
  },
  claims: ({ undo: { file } }) => ({ changes: ['packages:lists'], needs: [`file:${file}`] }),
  run: async ({ undo: { file, sources: of, before, store }, host }) => {
    await host.makeDir(store, { mode: 0o700 });
    await host.sync(posix.dirname(store));
    for (const name of before) await host.rename(listPath(name), posix.join(store, name));
    await host.run(update(file));
    const now = await listsOf(host, of);
    if (!now.isComplete)
      throw new RefusedError(`apt-get reported success, but has no list of an archive in ${file}`, {
        remedy: `see its output: apt-get update`,
      });
    const lists: { name: string; sha256: string }[] = [];
    for (const name of now.names) lists.push({ name, sha256: sha256(await host.readFile(listPath(name))) });
    // If bofh is killed before it writes the result into the journal, the undo finds it here.
    await host.writeNew(posix.join(store, noteName), `${JSON.stringify({ lists } satisfies Result)}\n`, {
      mode: 0o600,
    });
    return { lists };
  },
  value: () => undefined,
  look: async ({ undo: of, result: known, host }) => {
    if ((await host.stat(of.store)) === undefined) return { state: 'gone' };
    const changed = await changedSince(host, of, known);
    return {
      state: 'ours',
      ...(changed.length === 0 ? {} : { found: `${changed.join(', ')} changed since, and stays` }),
    };
  },
  revert: async ({ undo: all, result: known, host }) => {
    const { sources: of, before, store } = all;
    const changed = await changedSince(host, all, known);
    for (const name of (await listsOf(host, of)).names)
      if (!before.includes(name) && !changed.includes(name)) await host.removeFile(listPath(name));
    for (const name of await host.readDir(store))
      if (name !== noteName && !changed.includes(name))
        await host.rename(posix.join(store, name), listPath(name));
    await host.sync(listsDirectory);
    await host.sync(store);
    const partial = posix.join(listsDirectory, 'partial');
    for (const name of (await listsOf(host, of, partial)).names)
      await host.removeFile(posix.join(partial, name));
    await removeStore(host, store);
  },
  afterCommit: ({ undo: { store }, host }) => removeStore(host, store),
  sync: async ({ host }) => {
    for (const path of [listsDirectory, posix.dirname(listsDirectory)])
      if ((await host.stat(path)) !== undefined) await host.sync(path);
  },
  describe: ({ undo: { file, store }, way }) => ({
    what: `the lists of apt for ${file}; the old ones are in ${store}`,
    look: [['ls', '-l', store, listsDirectory]],
    clear: [
      ...(way === 'back'
        ? [
            [
              'find',
              store,
              '-mindepth',
              '1',
              '!',
              '-name',
              noteName,
              '-exec',
              'mv',
              '--target-directory',
              listsDirectory,
              '{}',
              '+',
            ],
          ]
        : []),
      ['rm', '--recursive', store],
    ],
  }),
});

/** The result of the step, in its store. No list of apt has such a name: those have an `_`. */
const noteName = 'result.json';

/** The result of the step. Undefined if bofh or apt was interrupted before it was complete. */
async function resultOf(host: ReadHost, store: string): Promise<Result | undefined> {
  const text = (await textOf(host, posix.join(store, noteName))) ?? '';
  // A power cut may leave a part of it, without the newline at its end.
  return text.endsWith('\n') ? result.parse(JSON.parse(text)) : undefined;
}

/** Returns lists that others have replaced or changed meanwhile, such as another update of apt. */
async function changedSince(
  host: ReadHost,
  { before, store }: Undo,
  known: Result | undefined,
): Promise<readonly string[]> {
  const changed: string[] = [];
  for (const { name, sha256: wanted } of (known ?? (await resultOf(host, store)))?.lists ?? []) {
    const path = listPath(name);
    // An interrupted undo has already restored this list.
    if (before.includes(name) && (await host.stat(posix.join(store, name))) === undefined) continue;
    if ((await host.stat(path)) !== undefined && sha256(await host.readFile(path)) !== wanted)
      changed.push(name);
  }
  return changed;
}
