import { readFileSync, writeFileSync } from 'node:fs';
import { version } from '../../../src/core/version.ts';
import { type CutOutcome, nameOf } from './outcomes.ts';
import { sequences } from './sequences.ts';

const [begin, end] = ['<!-- cuts: begin -->', '<!-- cuts: end -->'];

/** The last outcome of each cut of a sequence that there still is: those given later count. */
export function lastOutcomes(all: readonly CutOutcome[]): readonly CutOutcome[] {
  const there = new Set(sequences.map(({ name }) => name));
  const last = new Map(all.map((each) => [`${each.recorded} ${nameOf(each)}`, each]));
  return [...last.values()].filter(({ sequence }) => there.has(sequence));
}

/** Writes the table into the page, between its two marks. */
export function writeReport(outcomes: readonly CutOutcome[], page: string): void {
  const text = readFileSync(page, 'utf8');
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`${page} has no place for the table`);
  writeFileSync(page, `${text.slice(0, from + begin.length)}\n\n${tableOf(outcomes)}\n${text.slice(to)}`);
}

function tableOf(outcomes: readonly CutOutcome[]): string {
  const days = outcomes.map(({ date }) => date).sort();
  const seeds = [...new Set(outcomes.map(({ seed }) => seed))];
  const row = (heading: string, of: readonly CutOutcome[]): string => {
    const count = (which: (one: CutOutcome) => boolean): number => of.filter(which).length;
    const sum = (what: keyof CutOutcome['figures']): number =>
      of.reduce((all, { figures }) => all + figures[what], 0);
    const figures = [
      of.length,
      sum('unflushed'),
      sum('lost'),
      sum('torn'),
      count(({ ended }) => ended === 'as before'),
      count(({ ended }) => ended === 'as after'),
      count(({ ended, stuck }) => ended !== 'neither' && stuck !== undefined),
      count(({ ended, repaired }) => ended !== 'neither' && repaired !== undefined),
      count(({ ended }) => ended === 'neither'),
    ];
    return `| ${heading} | ${figures.join(' | ')} |`;
  };
  const neither = outcomes.filter(({ ended }) => ended === 'neither');
  return [
    `${outcomes.length} cuts, bofh ${version}, Debian 12, ${[...new Set([days[0], days.at(-1)])].join(' to ')}, seeds ${seeds.join(', ')}. Made by`,
    '`npm run test:cuts` and `npm run test:cuts -- --report`; each cut: `test/support/cuts/outcomes.json`.',
    '',
    "| recorded | cuts | unflushed writes | lost | torn | exactly as before | exactly as after | of these stuck, named, then recovered | of these after lvm's metadata were repaired | neither |",
    '|---|---|---|---|---|---|---|---|---|---|',
    ...sequences.flatMap(({ name }) => {
      const of = outcomes.filter(({ sequence }) => sequence === name);
      return of.length === 0 ? [] : [row(name, of)];
    }),
    row('**all**', outcomes),
    '',
    ...neither.map((each) => `- ${nameOf(each)}: ${(each.why ?? '').split('\n')[0] ?? ''}`),
  ].join('\n');
}
