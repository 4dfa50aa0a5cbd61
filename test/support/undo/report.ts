import { readFileSync, writeFileSync } from 'node:fs';
import { version } from '../../../src/core/version.ts';
import { faultNames } from './fault-names.ts';
import type { Counts } from './matrix.ts';

/** What the tests of a driver's operations leave in .cache/undo-matrix/. */
export interface MatrixRun {
  readonly date: string;
  readonly node: string;
  readonly counts: readonly Counts[];
}

const [begin, end] = ['<!-- undo: begin -->', '<!-- undo: end -->'];

/** Writes the tables into the page, between their two marks. */
export function writeUndoReport(runs: readonly MatrixRun[], page: string): void {
  const [oldest] = [...runs].sort((a, b) => a.date.localeCompare(b.date));
  if (oldest === undefined) return;
  const run = { ...oldest, counts: runs.flatMap(({ counts }) => counts) };
  const text = readFileSync(page, 'utf8');
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`${page} has no place for the table of operations and faults`);
  const tables = [head(run), '', ...perFault(run.counts), '', ...perKind(run.counts), ''].join('\n');
  writeFileSync(page, `${text.slice(0, from + begin.length)}\n\n${tables}\n${text.slice(to)}`);
}

function head({ date, node, counts }: MatrixRun): string {
  const kinds = new Set(counts.map(({ kind }) => kind)).size;
  return `${sum(counts, 'trials')} trials: ${kinds} operations × ${faultNames.length} faults. bofh ${version}, Node ${node.replace(/^v/, '')}, ${date}. Made by\n\`BOFH_MATRIX=whole npx vitest run --project unit test/unit/undo/matrix\` and \`npm run test:matrix -- --report\`.`;
}

function perFault(counts: readonly Counts[]): readonly string[] {
  const row = (title: string, of: readonly Counts[]): string => {
    const neither = of.reduce((all, each) => all + each.neither.length, 0);
    const stuck = sum(of, 'stuck');
    return `| ${title} | ${sum(of, 'trials')} | ${sum(of, 'before')} | ${sum(of, 'after')} | ${stuck} | ${neither} |`;
  };
  return [
    '| fault | trials | exactly as before | exactly as after | of these stuck, named, then recovered | neither |',
    '|---|---|---|---|---|---|',
    ...faultNames.map((fault) =>
      row(
        fault,
        counts.filter((each) => each.fault === fault),
      ),
    ),
    row('**all**', counts),
  ];
}

/** Trials of each operation, a row each; what a cell does not have it says. */
function perKind(counts: readonly Counts[]): readonly string[] {
  const kinds = [...new Set(counts.map(({ kind }) => kind))];
  const reasons: string[] = [];
  const cell = (kind: string, fault: string): string => {
    const found = counts.find((each) => each.kind === kind && each.fault === fault);
    if (found === undefined) return '?';
    if (found.neither.length > 0) return `**${found.neither.length} of ${found.trials} wrong**`;
    if (found.notApplicable === undefined) return String(found.trials);
    if (!reasons.includes(found.notApplicable)) reasons.push(found.notApplicable);
    return `– (${reasons.indexOf(found.notApplicable) + 1})`;
  };
  return [
    `| | ${faultNames.join(' | ')} |`,
    `|---|${faultNames.map(() => '---').join('|')}|`,
    ...kinds.map((kind) => `| \`${kind}\` | ${faultNames.map((fault) => cell(kind, fault)).join(' | ')} |`),
    '',
    ...reasons.map((reason, index) => `(${index + 1}) ${reason}.`),
  ];
}

function sum(counts: readonly Counts[], what: 'trials' | 'before' | 'after' | 'stuck'): number {
  return counts.reduce((all, each) => all + each[what], 0);
}
