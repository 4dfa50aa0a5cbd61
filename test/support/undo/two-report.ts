import { readFileSync, writeFileSync } from 'node:fs';
import { version } from '../../../src/core/version.ts';

/** How the trials of one fault between two hosts ended. */
export interface TwoCounts {
  readonly title: string;
  trials: number;
  before: number;
  after: number;
  neither: number;
}

/** What test/unit/hosts leaves in .cache/two-hosts/. */
export interface TwoRun {
  readonly date: string;
  readonly node: string;
  readonly counts: readonly TwoCounts[];
}

const [begin, end] = ['<!-- two hosts: begin -->', '<!-- two hosts: end -->'];

/** Writes the table into the page, between its two marks. */
export function writeTwoReport({ counts, date, node }: TwoRun, page: string): void {
  const text = readFileSync(page, 'utf8');
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`${page} has no place for the table of two hosts`);
  const sum = (what: 'trials' | 'before' | 'after' | 'neither'): number =>
    counts.reduce((all, each) => all + each[what], 0);
  const row = (title: string, of: Omit<TwoCounts, 'title'>): string =>
    `| ${title} | ${of.trials} | ${of.before} | ${of.after} | ${of.neither} |`;
  const all = { trials: sum('trials'), before: sum('before'), after: sum('after'), neither: sum('neither') };
  const table = [
    `${all.trials} trials. bofh ${version}, Node ${node.replace(/^v/, '')}, ${date}. Made by \`BOFH_MATRIX=whole npx vitest run --project unit test/unit/hosts\` and`,
    '`npm run test:matrix -- --report`.',
    '',
    '| fault | trials | both exactly as before | both exactly as after | neither |',
    '|---|---|---|---|---|',
    ...counts.map((each) => row(each.title, each)),
    row('**all**', all),
    '',
  ].join('\n');
  writeFileSync(page, `${text.slice(0, from + begin.length)}\n\n${table}\n${text.slice(to)}`);
}

const [recipesBegin, recipesEnd] = ['<!-- recipes: begin -->', '<!-- recipes: end -->'];

/** Writes a row for each recipe over two hosts, by its name. */
export function writeRecipesReport(runs: ReadonlyMap<string, TwoRun>, page: string): void {
  const text = readFileSync(page, 'utf8');
  const [from, to] = [text.indexOf(recipesBegin), text.indexOf(recipesEnd)];
  if (from < 0 || to < from) throw new Error(`${page} has no place for the table of recipes`);
  const rows = [...runs].sort().map(([name, { counts, date, node }]) => {
    const sum = (what: 'trials' | 'before' | 'after' | 'neither'): string =>
      String(counts.reduce((all, each) => all + each[what], 0));
    const made = `${date}, Node ${node.replace(/^v/, '')}`;
    return `| \`${name}\` | ${String(counts.length)} | ${sum('trials')} | ${sum('before')} | ${sum('after')} | ${sum('neither')} | ${made} |`;
  });
  const table = [
    `bofh ${version}. Made by \`BOFH_MATRIX=whole npx vitest run --project unit test/unit/replica test/unit/vm\` and`,
    '`npm run test:matrix -- --report`.',
    '',
    '| recipe | faults | trials | both exactly as before | both exactly as after | neither | made |',
    '|---|---|---|---|---|---|---|',
    ...rows,
    '',
  ].join('\n');
  writeFileSync(page, `${text.slice(0, from + recipesBegin.length)}\n\n${table}\n${text.slice(to)}`);
}
