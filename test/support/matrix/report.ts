import { readFileSync, writeFileSync } from 'node:fs';
import { version } from '../../../src/version.ts';
import { allTrials, type Outcome } from './main.ts';

const [begin, end] = ['<!-- matrix: begin -->', '<!-- matrix: end -->'];

/** Writes the table into the page, between its two marks. */
export async function writeReport(outcomes: readonly Outcome[], page: string): Promise<void> {
  const text = readFileSync(page, 'utf8');
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`${page} has no place for the table`);
  writeFileSync(
    page,
    `${text.slice(0, from + begin.length)}\n\n${table(outcomes, (await allTrials()).length)}\n${text.slice(to)}`,
  );
}

function table(outcomes: readonly Outcome[], all: number): string {
  const groups = [...new Set(outcomes.map(({ group }) => group))];
  const count = (of: readonly Outcome[], ended: Outcome['ended']): number =>
    of.filter((outcome) => outcome.ended === ended).length;
  const row = (title: string, of: readonly Outcome[]): string =>
    `| ${title} | ${of.length} | ${count(of, 'as before')} | ${count(of, 'as after')} | ${count(of, 'failed')} |`;
  const failures = outcomes.filter(({ ended }) => ended === 'failed');
  return [
    `${outcomes.length} of ${all} trials. bofh ${version}, Xen 4.17 and lvm2 2.03.16 of Debian 12, ${new Date().toISOString().slice(0, 10)}. Made by`,
    '`npm run test:matrix` and `npm run test:matrix -- --report`.',
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
    ...failures.map(({ group, name, why }) => `- ${group}: ${name}: ${(why ?? '').split('\n')[0] ?? ''}`),
    '',
  ].join('\n');
}
