import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { builtCommand } from '../cli/support/built.ts';

const root = join(import.meta.dirname, '../../..');

interface Notice {
  readonly packages: readonly string[];
  readonly licence: string;
  readonly text: string;
}

/** A script of the build has no types. */
const { noticeOf, noticesInsideJiti, packageFolders } = (await import(
  join(root, 'scripts/lib/notices.mjs')
)) as {
  readonly packageFolders: (moduleIds: readonly string[]) => readonly string[];
  readonly noticeOf: (folder: string) => Notice;
  readonly noticesInsideJiti: (folder: string, known: { licences: readonly Notice[] }) => readonly Notice[];
};

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'bofh-notices-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function lay(about: object, licence = 'Do as you like.'): string {
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'left', version: '1.2.3', ...about }));
  if (licence !== '') writeFileSync(join(folder, 'LICENSE.md'), licence);
  return folder;
}

describe('a package in the bundle', () => {
  it('is found by the modules of the bundler, each once, also inside another one', () => {
    const at = '/p/node_modules';
    const modules = [
      '\0rolldown/runtime.js',
      '/p/src/a.ts',
      `${at}/a/x.js`,
      `${at}/a/y.js`,
      `${at}/@b/c/x.js`,
    ];

    expect(packageFolders([...modules, `${at}/a/node_modules/d/x.js`])).toEqual([
      `${at}/@b/c`,
      `${at}/a`,
      `${at}/a/node_modules/d`,
    ]);
  });

  it('is listed with its version, its licence and the text of that', () => {
    expect(noticeOf(lay({ license: 'ISC' }))).toEqual({
      packages: ['left@1.2.3'],
      licence: 'ISC',
      text: 'Do as you like.',
    });
  });

  it.each([
    [
      'a licence that asks for more',
      { license: 'GPL-3.0-only' },
      /left@1.2.3 may not be bundled.*GPL-3.0-only/,
    ],
    ['none that it names', {}, /its licence is undefined/],
    ['one of several', { license: '(MIT OR WTFPL)' }, /MIT OR WTFPL/],
  ])('fails the build with %s', (_what, about, sentence) => {
    expect(() => noticeOf(lay(about))).toThrow(sentence);
  });

  it('fails the build without the text of its licence', () => {
    expect(() => noticeOf(lay({ license: 'MIT' }, ''))).toThrow(/no text of its licence/);
  });
});

describe('the packages inside jiti', () => {
  const known = (...packages: readonly string[]) => ({ licences: [{ packages, licence: 'MIT', text: 'x' }] });
  const layJiti = (): string => {
    mkdirSync(join(folder, 'dist'));
    const module =
      '"./node_modules/.pnpm/@babel+core@7.29.0_peer@1.0.0/node_modules/@babel/core/lib/x.js"(e){}';
    writeFileSync(join(folder, 'dist/babel.cjs'), module);
    writeFileSync(join(folder, 'dist/jiti.cjs'), '');
    return folder;
  };

  it('are known by name and version', () => {
    expect(noticesInsideJiti(layJiti(), known('@babel/core@7.29.0'))).toHaveLength(1);
  });

  it('fail the build when unknown', () => {
    expect(() => noticesInsideJiti(layJiti(), known('@babel/core@7.28.0'))).toThrow(/@babel\/core@7.29.0/);
  });
});

describe('THIRD-PARTY-NOTICES.txt', () => {
  it('names each package whose code is in dist/, once', async () => {
    const page = join(dirname(await builtCommand()), 'THIRD-PARTY-NOTICES.txt');
    const table = readFileSync(join(import.meta.dirname, '../../../docs/dependencies.md'), 'utf8');
    const named = [...table.matchAll(/^\| (?<name>\S+)(?: \(mini\))? \| \d/gm)].map(
      ({ groups }) => groups?.name ?? '',
    );
    // Those of the table, some of those that they bring, and one that is inside jiti.
    const names = [...named, 'cross-spawn', 'human-signals', 'sonic-boom', '@babel/core'];
    expect(named.length).toBeGreaterThan(8);

    const lines = readFileSync(page, 'utf8').split('\n');

    const listed = (name: string): number =>
      lines.filter((line) => line.startsWith(`${name}@`) && /@\d[^@ ]*$/.test(line)).length;
    expect(names.filter((name) => listed(name) !== 1)).toEqual([]);
    expect(listed('vitest')).toBe(0);
  });
});
