import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import { connect, defineHost, type HostBuilder, provision, undo, withBofh } from '../../src/index.ts';
import { storage } from './sequence.ts';

/** Gives each test of a file its own storage, with an empty directory that it describes. */
export function describedDirectory() {
  let disk: ReturnType<typeof storage>;
  let root: string;
  beforeEach(() => {
    disk = storage();
    root = disk.makeDir('root');
  });
  afterEach(() => disk.clean());

  const inBofh = <T>(body: () => Promise<T>): Promise<T> =>
    withBofh(connect({ stateDir: disk.path('state') }), body);
  const apply = (describe: (h: HostBuilder) => void) => inBofh(() => provision.apply(defineHost(describe)));
  const journals = (): readonly string[] =>
    existsSync(disk.path('state/journal'))
      ? readdirSync(disk.path('state/journal'), { recursive: true })
          .map(String)
          .filter((name) => name.endsWith('.journal'))
      : [];
  const idOf = (journal = ''): string => /(?<id>[0-9a-f]+)\.journal$/.exec(journal)?.groups?.id ?? 'none';
  const undoLater = (id: string) => inBofh(() => undo(id));
  return {
    disk: () => disk,
    root: () => root,
    at: (name: string): string => join(root, name),
    apply,
    journals,
    /** Applies a description, and returns the id of its sequence. */
    applied: async (describe: (h: HostBuilder) => void): Promise<string> => {
      const known = journals();
      await apply(describe);
      return idOf(journals().find((name) => !known.includes(name)));
    },
    undoLater,
    /** Undoes the only sequence that there was. */
    undoOnly: () => undoLater(idOf(journals()[0])),
  };
}
