// The documentation as a static site: the pages of docs/ as they are, a navigation, and a search that needs only files.
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import MarkdownIt from 'markdown-it';

const root = fileURLToPath(new URL('../..', import.meta.url));
const assets = join(root, 'scripts', 'site');

/** The groups of the navigation, and their pages: path and name. */
export const navigation = [
  [
    'Start',
    [
      ['README.md', 'bofh'],
      ['docs/quick-start.md', 'Quick start'],
      ['docs/compare.md', 'Coming from other tools'],
      ['docs/troubleshooting.md', 'Troubleshooting'],
    ],
  ],
  [
    'Jobs',
    [
      ['docs/guests.md', 'Guests'],
      ['docs/provisioning.md', 'What is on a host'],
      ['docs/boot.md', 'At boot'],
      ['docs/packaging.md', 'Debian packages'],
      ['docs/plan.md', 'Dry run'],
      ['docs/dead-host.md', 'A dead host'],
      ['docs/luks-headers.md', 'LUKS headers in files'],
      ['docs/scripting.md', 'Scripting'],
      ['examples/README.md', 'Scripts to copy'],
    ],
  ],
  [
    'Reference',
    [
      ['docs/reference.md', 'Functions and methods'],
      ['docs/library.md', 'The library'],
      ['docs/undo.md', 'How each step is undone'],
      ['docs/operations.md', 'Operations'],
      ['docs/doctor.md', 'The doctor'],
      ['docs/output.md', 'Output'],
      ['docs/parity.md', 'Parity with pybofh'],
      ['CHANGELOG.md', 'Changes'],
    ],
  ],
  [
    'How it works',
    [
      ['docs/journal.md', 'The journal'],
      ['docs/quirks.md', 'Quirks of the tools'],
      ['docs/reliability.md', 'Reliability, measured'],
      ['docs/performance.md', 'Performance'],
      ['docs/dependencies.md', 'Dependencies'],
    ],
  ],
  [
    'For contributors',
    [
      ['CONTRIBUTING.md', 'Contributing'],
      ['docs/architecture.md', 'Architecture'],
      ['docs/adding-a-command.md', 'Adding a command'],
      ['docs/style.md', 'How we write'],
      ['docs/testing.md', 'Testing'],
      ['docs/rig.md', 'The rig'],
      ['docs/adr/README.md', 'Decisions'],
    ],
  ],
];

/** Returns the page that lists a page, for pages that are not in the navigation. */
const listOf = (page) => {
  if (/^docs\/adr\/\d/.test(page)) return 'docs/adr/README.md';
  return page.startsWith('docs/tables/') ? 'docs/reliability.md' : undefined;
};

/** Every page of the project: README, CHANGELOG, CONTRIBUTING, the examples and all below docs/. */
export function allPages(from = root) {
  const docs = readdirSync(join(from, 'docs'), { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.md'),
  );
  return ['README.md', 'CHANGELOG.md', 'CONTRIBUTING.md', 'examples/README.md'].concat(
    docs.map((name) => `docs/${name}`).sort(),
  );
}

/** Returns the path on the site of a page, or of another file that a page links to. */
export function targetOf(path) {
  if (path === 'README.md') return 'index.html';
  if (path.endsWith('.md')) return path.replace(/\.md$/, '.html');
  return path.endsWith('.svg') ? path : `${path}.html`;
}

/** The anchors of headings, as GitHub makes them. */
function anchors() {
  const used = new Map();
  return (title) => {
    const plain = title
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}_\- ]/gu, '')
      .replaceAll(' ', '-');
    const before = used.get(plain) ?? 0;
    used.set(plain, before + 1);
    return before === 0 ? plain : `${plain}-${before}`;
  };
}

const escape = (text) =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

const markdown = new MarkdownIt();
markdown.renderer.rules.table_open = () => '<div class="wide"><table>\n';
markdown.renderer.rules.table_close = () => '</table></div>\n';

const textOf = (token) =>
  (token.children ?? []).map(({ type, content }) => (type === 'softbreak' ? ' ' : content)).join('');

/** Reads a page: its tokens with an id for each heading, its links, and its sections for the search. */
function readPage(path, from) {
  const tokens = markdown.parse(readFileSync(join(from, path), 'utf8'), {});
  const anchorOf = anchors();
  const [headings, links] = [[], []];
  const sections = [];
  for (const [at, token] of tokens.entries()) {
    const previous = tokens[at - 1];
    if (token.type === 'inline' && previous?.type === 'heading_open') {
      const title = textOf(token);
      const id = anchorOf(title);
      previous.attrSet('id', id);
      headings.push({ id, title, level: Number(previous.tag.slice(1)) });
      sections.push({ id, title, words: [] });
    } else if (token.type === 'inline') sections.at(-1)?.words.push(textOf(token));
    else if (token.type === 'fence') sections.at(-1)?.words.push(token.content);
    for (const child of token.children ?? []) if (child.type === 'link_open') links.push(child);
  }
  return { path, tokens, headings, links, sections };
}

const isForeign = (to) => /^[a-z]+:/.test(to);

/** Returns the file and the anchor to which a link of a page leads. */
function leadsTo(page, to) {
  const [file = '', anchor] = to.split('#');
  return { path: file === '' ? page : posix.join(posix.dirname(page), file), anchor };
}

/** Builds the site in `out`. If something is wrong with the pages, returns one line for each fault, and writes nothing. */
export function buildSite(out, { from = root, version = '' } = {}) {
  const paths = allPages(from);
  const inNavigation = navigation.flatMap(([, pages]) => pages.map(([path]) => path));
  const pages = new Map(paths.map((path) => [path, readPage(path, from)]));
  const files = new Set();
  const faults = [
    ...paths
      .filter((path) => !inNavigation.includes(path) && listOf(path) === undefined)
      .map((path) => `${path}: not in the navigation (scripts/lib/site.mjs)`),
    ...inNavigation.filter((path) => !pages.has(path)).map((path) => `${path}: no such page`),
  ];
  for (const page of pages.values())
    for (const link of page.links) {
      const to = link.attrGet('href');
      if (isForeign(to)) continue;
      const { path, anchor } = leadsTo(page.path, to);
      const isThere = existsSync(join(from, path));
      const isRight = anchor === undefined || pages.get(path)?.headings.some(({ id }) => id === anchor);
      if (!isThere || !isRight) faults.push(`${page.path}: dead link: ${to}`);
      if (!pages.has(path)) files.add(path);
      const relative = posix.relative(posix.dirname(targetOf(page.path)), targetOf(path));
      link.attrSet(
        'href',
        anchor === undefined ? relative : `${to.startsWith('#') ? '' : relative}#${anchor}`,
      );
    }
  // Only a site that was built here before is replaced.
  if (existsSync(out) && readdirSync(out).length > 0 && !existsSync(join(out, 'search-data.js')))
    faults.push(`${out}: not empty, and not a site that this wrote: choose another directory`);
  if (faults.length > 0) return faults;

  const write = (path, text) => {
    mkdirSync(dirname(join(out, path)), { recursive: true });
    writeFileSync(join(out, path), text);
  };
  rmSync(out, { recursive: true, force: true });
  for (const page of pages.values())
    write(
      targetOf(page.path),
      inFrame(page, markdown.renderer.render(page.tokens, markdown.options, {}), version),
    );
  for (const path of files)
    if (path.endsWith('.svg')) {
      mkdirSync(dirname(join(out, path)), { recursive: true });
      copyFileSync(join(from, path), join(out, path));
    } else {
      const code = `<h1>${escape(path)}</h1>\n<pre><code>${escape(readFileSync(join(from, path), 'utf8'))}</code></pre>`;
      write(
        targetOf(path),
        inFrame({ path, headings: [{ title: basename(path), level: 1 }] }, code, version),
      );
    }
  write('search-data.js', `window.sections = ${JSON.stringify([...pages.values()].flatMap(documentsOf))};\n`);
  writeFileSync(join(out, 'minisearch.js'), miniSearch());
  for (const name of readdirSync(assets)) copyFileSync(join(assets, name), join(out, name));
  return [];
}

/** The search library as one script for the browser, with its licence. */
function miniSearch() {
  const folder = dirname(dirname(dirname(createRequire(import.meta.url).resolve('minisearch'))));
  const licence = readFileSync(join(folder, 'LICENSE.txt'), 'utf8');
  const code = readFileSync(join(folder, 'dist', 'umd', 'index.js'), 'utf8');
  return `/*\n${licence}*/\n${code.replace(/^\/\/# sourceMappingURL.*$/m, '')}`;
}

const titleOf = ({ path, headings }) => headings[0]?.title ?? path;

/** Returns the documents of a page for the search: one for each section. */
function documentsOf(page) {
  return page.sections.map(({ id, title, words }) => ({
    id: `${targetOf(page.path)}#${id}`,
    page: titleOf(page),
    title,
    text: words.join(' ').replaceAll(/\s+/g, ' '),
  }));
}

/** A page with header, navigation and search. */
function inFrame(page, body, version) {
  const here = targetOf(page.path);
  const top = posix.relative(posix.dirname(here), '.') || '.';
  const groups = navigation.map(([name, entries]) => {
    const items = entries.map(([path, title]) => item(page, { path, title, top }));
    return `<h2>${name}</h2>\n<ul>\n${items.join('\n')}\n</ul>`;
  });
  return `<!doctype html>
<html lang="en" data-top="${top}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(titleOf(page))}${page.path === 'README.md' ? '' : ' – bofh'}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="${top}/style.css">
<script src="${top}/search.js" defer></script>
</head>
<body>
<header>
<button id="menu" type="button" aria-controls="navigation" aria-expanded="false">Menu</button>
<a class="name" href="${top}/index.html">bofh</a> <span class="version">${escape(version)}</span>
<form role="search" id="search"><input type="search" placeholder="Search" aria-label="Search the documentation" autocomplete="off"><div id="results" hidden></div></form>
</header>
<nav id="navigation" aria-label="Pages">
${groups.join('\n')}
</nav>
<main>
${body}</main>
</body>
</html>
`;
}

/** Returns an entry of the navigation; the entry of the current page lists its parts. */
function item(page, { path, title, top }) {
  const isHere = path === page.path || path === listOf(page.path);
  const link = `<a href="${top}/${targetOf(path)}"${isHere ? ' aria-current="page"' : ''}>${escape(title)}</a>`;
  const parts = path === page.path ? page.headings.filter(({ level }) => level === 2) : [];
  if (parts.length < 2) return `<li>${link}</li>`;
  const inner = parts.map((part) => `<li><a href="#${part.id}">${escape(part.title)}</a></li>`);
  return `<li>${link}\n<ul>\n${inner.join('\n')}\n</ul></li>`;
}
