import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { version } from '../../../src/core/version.ts';
import { bugs } from './bugs.ts';
import { root, slugOf } from './copies.ts';
import { productBugs } from './product-bugs.ts';
import { ruleBugs } from './rule-bugs.ts';

/** How the search for one bug ended, in the whole measure. */
interface Outcome {
  readonly bug: string;
  readonly date: string;
  /** Empty: nothing saw it. */
  readonly by: readonly string[];
}

const folder = join(root, '.cache/bite');
const all = [...bugs, ...productBugs, ...ruleBugs].map(({ name }) => name);

/** Keeps an outcome for the report. */
export function keepOutcome(bug: string, by: readonly string[]): void {
  mkdirSync(folder, { recursive: true });
  const outcome: Outcome = { bug, date: new Date().toISOString().slice(0, 10), by };
  writeFileSync(join(folder, `${slugOf(bug)}.json`), `${JSON.stringify(outcome, null, 2)}\n`);
}

const [begin, end] = ['<!-- bite: begin -->', '<!-- bite: end -->'];

/** Writes the table of the last whole run into docs/tables/bite.md, between its two marks. */
export function writeReport(page = join(root, 'docs/tables/bite.md')): void {
  const text = readFileSync(page, 'utf8');
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`${page} has no place for the table`);
  writeFileSync(page, `${text.slice(0, from + begin.length)}\n\n${table()}\n${text.slice(to)}`);
}

function table(): string {
  const outcomes = readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as Outcome);
  const of = (bug: string): Outcome | undefined => outcomes.find((outcome) => outcome.bug === bug);
  const seen = all.filter((bug) => (of(bug)?.by.length ?? 0) > 0).length;
  const dates = [...new Set(all.flatMap((bug) => of(bug)?.date ?? []))].sort();
  return [
    `${seen} of ${all.length} are seen. bofh ${version}, Node ${process.versions.node}, ${dates.join(' to ')}.`,
    '',
    '| bug | caught by |',
    '|---|---|',
    ...all.map((bug) => `| ${bug} | ${inWords(of(bug))} |`),
    '',
  ].join('\n');
}

function inWords(outcome: Outcome | undefined): string {
  if (outcome === undefined) return 'not tried';
  const [first, ...more] = outcome.by;
  if (first === undefined) return '**nothing**';
  return more.length === 0 ? first : `${first}, and ${more.length} more`;
}
