import { readdirSync, readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { expect, test } from 'vitest';
import { program } from '../../src/cli/runtime/program.ts';

/** Phrases that docs/style.md replaces. */
const forbidden =
  /\b(?:for it (?:is|was)|lest|by now|lies? (?:on|in|there)|is told|somebody|nobody|bears? (?:a|the|our) (?:mark|tag)|unless (?:it is )?said|anew|a device more|into the kernel|out of the kernel|brought to its end|what is not ours|fellows|is to be|are to be)\b/i;

/** All pages; docs/adr has the words of the day of each decision. */
const pages = [
  'README.md',
  'CHANGELOG.md',
  'CONTRIBUTING.md',
  'examples/README.md',
  ...['docs', 'docs/tables'].flatMap((folder) =>
    readdirSync(new URL(`../../${folder}/`, import.meta.url))
      .filter((name) => name.endsWith('.md'))
      .map((name) => `${folder}/${name}`),
  ),
];

/** Tables that `--report` writes quote the titles of tests as they were when those ran. */
const reported =
  /<!-- (?<table>[a-z ]+): begin -->[^]*?<!-- \k<table>: end -->|<!-- remedies -->[^]*?<!-- end of remedies -->/g;

test.each(pages)('%s has no phrase that docs/style.md replaces', (page) => {
  const text = readFileSync(new URL(`../../${page}`, import.meta.url), 'utf8').replaceAll(reported, '');

  expect(text.split('\n').filter((line) => forbidden.test(line))).toEqual([]);
});

function textsOf(command: Command): readonly string[] {
  return [
    command.description(),
    ...command.options.map(({ description }) => description),
    ...command.registeredArguments.map(({ description }) => description),
    ...command.commands.flatMap(textsOf),
  ];
}

test('no help has a phrase that docs/style.md replaces', async () => {
  const texts = textsOf(await program('all', async () => undefined));

  expect(texts.length).toBeGreaterThan(300);
  expect(texts.filter((text) => forbidden.test(text))).toEqual([]);
});

/** What the help of a command, and of those below it, names without a description. */
function undescribed(command: Command): readonly string[] {
  const { registeredArguments, commands } = command;
  const options = command.options.filter(({ hidden }) => !hidden);
  const words = [
    ...options.map(({ flags, description }) => [flags, description] as const),
    ...registeredArguments.map((each) => [each.name(), each.description] as const),
  ];
  const missing = words.flatMap(([word, help]) => (help === '' ? [`${command.name()} ${word}`] : []));
  return [...missing, ...commands.flatMap(undescribed)];
}

test('the help describes every argument and every option', async () => {
  expect(undescribed(await program('all', async () => undefined))).toEqual([]);
});

const source = new URL('../../src/', import.meta.url);

/** Lines of a room that have such a phrase, in comments, names or messages. */
function forbiddenIn(room: string): readonly string[] {
  const folder = new URL(`${room}/`, source);
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .flatMap((name) =>
      readFileSync(new URL(name, folder), 'utf8')
        .split('\n')
        .filter((line) => forbidden.test(line))
        .map((line) => `${room}/${name}: ${line.trim()}`),
    );
}

test('no source has a phrase that docs/style.md replaces', () => {
  const rooms = readdirSync(source, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? [entry.name] : [],
  );
  expect(rooms.flatMap(forbiddenIn)).toEqual([]);
});

const tests = new URL('../', import.meta.url);

/** Titles in a test file: the first argument of `describe`, `it` and `test`, also behind `.each(…)`. */
function titlesIn(text: string): readonly string[] {
  const literal = String.raw`(?<quote>['"\`])(?<title>(?:\\.|(?!\k<quote>)[^\\])*)\k<quote>`;
  const plain = new RegExp(
    String.raw`\b(?:describe|it|test)(?:\.\w+)*(?:\([^()'"\`]*\))?\(\s*${literal}`,
    'g',
  );
  const each = new RegExp(String.raw`\)\(\s*${literal},\s*(?:\{|async|\()`, 'g');
  return [plain, each].flatMap((form) =>
    [...text.matchAll(form)].map(({ groups }) => groups?.['title'] ?? ''),
  );
}

test('no test title has a phrase that docs/style.md replaces', () => {
  const titles = readdirSync(tests, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .flatMap((name) =>
      titlesIn(readFileSync(new URL(name, tests), 'utf8')).map((title) => ({ name, title })),
    );

  expect(titles.length).toBeGreaterThan(5000);
  expect(titles.filter(({ title }) => forbidden.test(title))).toEqual([]);
});
