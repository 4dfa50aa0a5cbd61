import { readFileSync, writeFileSync } from 'node:fs';
import type { Suite } from '../rig/index.ts';
import { version } from '../../../src/core/version.ts';
import { allTrials, type Outcome } from './main.ts';

const [begin, end] = ['<!-- matrix: begin -->', '<!-- matrix: end -->'];

/** What each release of Debian brings of the programs that matter most. */
const brings: Readonly<Record<Suite, string>> = {
  bookworm: 'Debian 12 (Xen 4.17, lvm2 2.03.16, cryptsetup 2.6.1, btrfs-progs 6.2)',
  trixie: 'Debian 13 (Xen 4.20, lvm2 2.03.31, cryptsetup 2.7.5, btrfs-progs 6.14)',
};

/** The last outcome of each trial that there still is: those given later count. */
export async function lastOutcomes(all: readonly Outcome[]): Promise<readonly Outcome[]> {
  const there = new Set((await allTrials()).map(title));
  const last = new Map(all.map((each) => [`${each.suite}: ${title(each)}`, each]));
  return [...last.values()].filter((each) => there.has(title(each)));
}

/** Writes the tables into the page, between its two marks. */
export async function writeReport(outcomes: readonly Outcome[], page: string): Promise<void> {
  const text = readFileSync(page, 'utf8');
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`${page} has no place for the table`);
  const trials = (await allTrials()).length;
  const tables = Object.keys(brings).flatMap((suite) => {
    const of = outcomes.filter((each) => each.suite === suite);
    return of.length === 0 ? [] : [table(of, trials)];
  });
  writeFileSync(page, `${text.slice(0, from + begin.length)}\n\n${tables.join('\n')}\n${text.slice(to)}`);
}

function title({ group, name }: Pick<Outcome, 'group' | 'name'>): string {
  return `${group}: ${name}`;
}

function table(outcomes: readonly Outcome[], all: number): string {
  const groups = [...new Set(outcomes.map(({ group }) => group))].sort();
  const count = (of: readonly Outcome[], ended: Outcome['ended']): number =>
    of.filter((outcome) => outcome.ended === ended).length;
  const row = (heading: string, of: readonly Outcome[]): string =>
    `| ${heading} | ${of.length} | ${count(of, 'as before')} | ${count(of, 'as after')} | ${count(of, 'failed')} |`;
  const failures = outcomes.filter(({ ended }) => ended === 'failed');
  const days = outcomes.map(({ date }) => date).sort();
  const [first = '', last = ''] = [days[0], days.at(-1)];
  const suite = outcomes[0]?.suite ?? 'bookworm';
  return [
    `${brings[suite]}: ${outcomes.length} of ${all} trials, bofh ${version}, ${first === last ? first : `${first} to ${last}`}. Made by`,
    `\`npm run test:matrix${suite === 'bookworm' ? '' : ` -- --suite ${suite}`}\` and \`npm run test:matrix -- --report\`; each trial: \`test/support/matrix/outcomes.json\`.`,
    '',
    '| fault | trials | exactly as before | exactly as after | neither |',
    '|---|---|---|---|---|',
    ...groups.map((group) =>
      row(
        group,
        outcomes.filter((outcome) => outcome.group === group),
      ),
    ),
    row('**all**', outcomes),
    '',
    ...failures.map((each) => `- ${title(each)}: ${(each.why ?? '').split('\n')[0] ?? ''}`),
    '',
  ].join('\n');
}
