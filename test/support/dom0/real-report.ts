import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { version } from '../../../src/core/version.ts';

/** A test on two machines that passed. */
interface RealTrial {
  readonly title: string;
  readonly seconds: number;
}

interface RealRun {
  readonly file: string;
  readonly debian: 12 | 13;
  readonly date: string;
  readonly node: string;
  readonly trials: readonly RealTrial[];
}

const cache = fileURLToPath(new URL('../../../.cache/two-machines/', import.meta.url));

/** Notes the tests of a file that ran on two machines; a file of which only some ran, or failed, leaves what it noted before. */
export function noting(file: string) {
  const trials: RealTrial[] = [];
  let isWhole = true;
  return {
    /** For `afterEach`. */
    ended: ({ name, suite, result }: Ended, seconds: number): void => {
      if (result?.state !== undefined && result.state !== 'pass' && result.state !== 'run') isWhole = false;
      trials.push({ title: suite === undefined ? name : `${suite}: ${name}`, seconds: Math.round(seconds) });
    },
    /** For `afterAll`. */
    write: (expected: number): void => {
      if (!isWhole || trials.length < expected) return;
      const debian = process.env['BOFH_RIG_SUITE'] === 'trixie' ? 13 : 12;
      const date = new Date().toISOString().slice(0, 10);
      const run: RealRun = { file, debian, date, node: process.version, trials };
      mkdirSync(cache, { recursive: true });
      writeFileSync(join(cache, `${file}-${String(debian)}.json`), `${JSON.stringify(run, undefined, 1)}\n`);
    },
  };
}

interface Ended {
  readonly name: string;
  readonly suite: string | undefined;
  readonly result?: { readonly state?: string } | undefined;
}

const [begin, end] = ['<!-- two machines: begin -->', '<!-- two machines: end -->'];

/** Writes what was noted into the page, between its two marks. */
export function writeRealReport(page: string): void {
  const text = readFileSync(page, 'utf8');
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`${page} has no place for the table of two machines`);
  // Of a file that was not run here its last table stays.
  const kept = text.slice(from + begin.length, to).split(/^(?=`test\/rig\/)/m);
  const tables = new Map(
    kept.flatMap((each) => (nameOf(each) === '' ? [] : [[nameOf(each), each] as const])),
  );
  for (const name of readdirSync(cache).filter((each) => each.endsWith('.json'))) {
    const run = JSON.parse(readFileSync(join(cache, name), 'utf8')) as RealRun;
    const table = tableOf(run);
    tables.set(nameOf(table), table);
  }
  const all = [...tables.keys()].sort().flatMap((file) => tables.get(file) ?? []);
  writeFileSync(page, `${text.slice(0, from + begin.length)}\n\n${all.join('')}${text.slice(to)}`);
}

/** `test/rig/pair.test.ts`, Debian 12 */
function nameOf(table: string): string {
  return /^`[^`]+`, Debian \d+/.exec(table)?.[0] ?? '';
}

function tableOf({ file, debian, date, node, trials }: RealRun): string {
  const [count, path] = [String(trials.length), `test/rig/${file}.test.ts`];
  const suite = debian === 13 ? 'BOFH_RIG_SUITE=trixie ' : '';
  return [
    `\`${path}\`, Debian ${String(debian)}: ${count} of ${count} passed. bofh ${version}, Node ${node.replace(/^v/, '')}, ${date}.`,
    `Made by \`${suite}npm run test:rig -- ${path}\` and \`npm run test:matrix -- --report\`.`,
    '',
    '| trial | seconds |',
    '|---|---|',
    ...trials.map(({ title, seconds }) => `| ${title} | ${String(seconds)} |`),
    '\n',
  ].join('\n');
}
