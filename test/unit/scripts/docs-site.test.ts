import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import MiniSearch from 'minisearch';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const { allPages, buildSite, navigation, targetOf } = (await import(
  join(import.meta.dirname, '../../../scripts/lib/site.mjs')
)) as {
  readonly allPages: (from?: string) => readonly string[];
  readonly buildSite: (out: string, options?: { from?: string }) => readonly string[];
  readonly navigation: readonly (readonly [string, readonly (readonly [string, string])[]])[];
  readonly targetOf: (path: string) => string;
};

let work = '';
beforeEach(() => {
  work = mkdtempSync(join(tmpdir(), 'bofh-site-'));
});
afterEach(() => rmSync(work, { recursive: true, force: true }));

const out = (): string => join(work, 'site');

describe('the site of the documentation', () => {
  it('has no dead link or anchor, and every page in its navigation', () => {
    expect(buildSite(out())).toEqual([]);

    const named = navigation.flatMap(([, pages]) => pages.map(([path]) => path));
    expect(allPages().filter((page) => !named.includes(page))).toEqual(
      ['adr', 'tables'].flatMap((folder) =>
        readdirSync(join(import.meta.dirname, '../../../docs', folder))
          .filter((name) => name !== 'README.md')
          .map((name) => `docs/${folder}/${name}`)
          .sort(),
      ),
    );
    for (const page of allPages()) expect(existsSync(join(out(), targetOf(page))), page).toBe(true);
  });

  it('loads nothing from elsewhere', () => {
    buildSite(out());

    for (const page of allPages()) {
      const html = readFileSync(join(out(), targetOf(page)), 'utf8');
      const loaded = [...html.matchAll(/<(?:link|script|img)[^>]* (?:href|src)="(?<from>[^"]+)"/g)].map(
        ({ groups }) => groups?.from ?? '',
      );
      expect(loaded.length).toBeGreaterThan(2);
      for (const from of loaded.filter((each) => each !== 'data:,'))
        expect(existsSync(join(out(), dirname(targetOf(page)), from)), `${page}: ${from}`).toBe(true);
    }
  });

  it('finds "device busy" on the page about errors', () => {
    buildSite(out());
    const data = readFileSync(join(out(), 'search-data.js'), 'utf8');
    const sections = JSON.parse(data.slice(data.indexOf('['), data.lastIndexOf(']') + 1)) as { id: string }[];
    const index = new MiniSearch({ fields: ['title', 'page', 'text'] });
    index.addAll(sections);

    const found = index.search('device busy', { combineWith: 'AND' }).map(({ id }) => String(id));

    expect(found).toContain('docs/troubleshooting.html#is-in-use-process');
  });
});

describe('a build is refused', () => {
  /** A copy of the pages, of which a test changes one. */
  function pages(): string {
    const from = join(work, 'from');
    const names = new Set([...navigation.flatMap(([, all]) => all.map(([path]) => path))]);
    for (const name of names) {
      mkdirSync(dirname(join(from, name)), { recursive: true });
      writeFileSync(join(from, name), `# ${name}\n\n## A part\n`);
    }
    return from;
  }

  it.each([
    ['a link to a page that is not there', '[x](none.md)', 'docs/guests.md: dead link: none.md'],
    ['an anchor that is not there', '[x](boot.md#none)', 'docs/guests.md: dead link: boot.md#none'],
    ['an anchor of its own that is not there', '[x](#none)', 'docs/guests.md: dead link: #none'],
  ])('for %s', (_what, text, fault) => {
    const from = pages();
    writeFileSync(join(from, 'docs/guests.md'), `# Guests\n\n## A part\n\n[own](#a-part) ${text}\n`);

    expect(buildSite(out(), { from })).toEqual([fault]);
    expect(existsSync(out())).toBe(false);
  });

  it('for a page that is not in the navigation', () => {
    const from = pages();
    writeFileSync(join(from, 'docs/other.md'), '# Other\n');

    expect(buildSite(out(), { from })).toEqual([
      'docs/other.md: not in the navigation (scripts/lib/site.mjs)',
    ]);
  });

  it('into a directory with other files, which stay', () => {
    mkdirSync(out());
    writeFileSync(join(out(), 'mine'), 'x');

    expect(buildSite(out(), { from: pages() })).toEqual([
      `${out()}: not empty, and not a site that this wrote: choose another directory`,
    ]);
    expect(readdirSync(out())).toEqual(['mine']);
  });

  it('but an older site is replaced', () => {
    const from = pages();
    buildSite(out(), { from });
    writeFileSync(join(out(), 'old.html'), 'x');

    expect(buildSite(out(), { from })).toEqual([]);
    expect(existsSync(join(out(), 'old.html'))).toBe(false);
  });
});
