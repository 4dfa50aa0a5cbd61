import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { table } from '../../src/cli/output/table.ts';
import { firstChange } from '../support/dom0/install.ts';
import { measureHosts } from './host-containers.ts';
import { markdown, quantile } from './markdown.ts';
import { pairs, type Pair } from './pairs.ts';
import { measureOnRig } from './rig.ts';

/** The result of one pair: seconds of each round, ours and the bare work by turns. */
interface Measured {
  readonly name: string;
  readonly bare: string;
  /** The bound of the ratio. */
  readonly goal?: number;
  readonly ours: readonly number[];
  readonly theirs: readonly number[];
}

interface Options {
  readonly dist: string;
  readonly rounds: number;
  readonly only: string;
  readonly json: boolean;
  readonly rig: boolean;
  readonly containers: boolean;
  /** The directory of the pages whose tables are replaced; missing: none. */
  readonly docs?: string;
  readonly say: (text: string) => void;
}

/**
 * Runs every pair by turns and prints the ratios: these machines are shared, so seconds mean little
 * and ratios much. Returns whether every bound holds.
 */
export async function runBench(options: Options): Promise<boolean> {
  const hosts = options.containers ? await measureHosts(options) : undefined;
  const measured = hosts?.rows ?? (options.rig ? await measureOnRig(options) : await measureHere(options));
  const memory = options.rig || hosts !== undefined || options.only !== '' ? [] : memoryOfReads(options.dist);
  if (options.json) process.stdout.write(`${JSON.stringify(hosts ?? measured, null, 1)}\n`);
  else print(measured, memory, options.rounds);
  if (options.docs !== undefined) {
    const kind = hosts !== undefined ? 'containers' : options.rig ? 'rig' : 'here';
    const text = [...pageOf(measured, memory, options.rounds), ...(hosts?.notes ?? [])];
    replaceBetween(join(options.docs, 'performance.md'), kind, text);
    if (hosts !== undefined) replaceBetween(join(options.docs, 'compare.md'), 'leftovers', hosts.leftovers);
  } else if (hosts !== undefined && !options.json)
    process.stdout.write(`${[...hosts.notes, '', ...hosts.leftovers].join('\n')}\n`);
  const past = [
    ...measured.filter((each) => isPast(each)).map(({ name }) => name),
    ...memory.filter(isLarge).map(({ name }) => `memory of ${name}`),
  ];
  for (const name of past) options.say(`exceeds its bound: ${name}`);
  return past.length === 0;
}

async function measureHere(options: Options): Promise<readonly Measured[]> {
  keepCompiledCode(options.dist);
  const { list, close } = await pairs(options.dist);
  try {
    const measured: Measured[] = [];
    for (const pair of list.filter(({ name }) => name.includes(options.only))) {
      options.say(pair.name);
      measured.push(await measure(pair, options.rounds));
    }
    return measured;
  } finally {
    await close();
  }
}

// By turns, so that a slow moment of the machine hits both sides; the first round warms caches and is not counted.
async function measure({ ours, theirs, clear, ...pair }: Pair, rounds: number): Promise<Measured> {
  const seconds = { ours: [] as number[], theirs: [] as number[] };
  for (let round = 0; round <= rounds; round += 1) {
    const first = await timed(ours, clear);
    const second = await timed(theirs, clear);
    if (round === 0) continue;
    seconds.ours.push(first);
    seconds.theirs.push(second);
  }
  return { ...pair, ...seconds };
}

async function timed(work: () => Promise<void>, clear: (() => void) | undefined): Promise<number> {
  const begun = performance.now();
  await work();
  const took = (performance.now() - begun) / 1000;
  clear?.();
  return took;
}

/** What reads may use at most, in MiB. */
const memoryBound = 70;

interface Memory {
  readonly name: string;
  /** Largest resident set, in MiB. */
  readonly mebibytes: number;
}

function memoryOfReads(dist: string): readonly Memory[] {
  const told = 'process.on("exit", () => console.error(`rss ${process.resourceUsage().maxRSS}`))';
  const of = (name: string, ...argv: readonly string[]): Memory => {
    const words = [
      '-c',
      '"$@" 2>&1 >/dev/null',
      'sh',
      process.execPath,
      '--import',
      `data:text/javascript,${told}`,
      ...argv,
    ];
    const kibibytes = /rss (\d+)/.exec(execFileSync('sh', words, { encoding: 'utf8' }))?.[1];
    return { name, mebibytes: Math.round(Number(kibibytes) / 1024) };
  };
  const bofh = join(dist, 'bofh.cjs');
  const reads = ['journal list', 'mount list', 'block tree', 'network list'];
  return [of('node -e 0', '-e', '0'), ...reads.map((read) => of(`bofh ${read}`, bofh, ...read.split(' ')))];
}

function isLarge({ mebibytes }: Memory): boolean {
  return !(mebibytes <= memoryBound);
}

/** As on a host where bofh has changed something before. */
function keepCompiledCode(dist: string): void {
  const directory = mkdtempSync(join(tmpdir(), 'bofh-bench-'));
  const script = join(directory, 'first.ts');
  writeFileSync(script, firstChange(join(directory, 'first')));
  execFileSync(process.execPath, [
    join(dist, 'bofh.cjs'),
    '--state-dir',
    join(directory, 'state'),
    'run',
    script,
  ]);
  rmSync(directory, { recursive: true });
}

/** The median ratio, and the middle half. */
function ratiosOf({ ours, theirs }: Measured): readonly number[] {
  const ratios = ours.map((seconds, index) => seconds / (theirs[index] ?? Number.NaN));
  return [0.25, 0.5, 0.75].map((at) => quantile(ratios, at));
}

function isPast(measured: Measured): boolean {
  return measured.goal !== undefined && !((ratiosOf(measured)[1] ?? Number.NaN) <= measured.goal);
}

const head = ['what', 'compared with', 'ratio', 'middle half', 'bound', 'bofh, s', 'peer, s'];

function rowOf(each: Measured): readonly string[] {
  const [low, middle, high] = ratiosOf(each).map((ratio) => ratio.toFixed(2));
  const seconds = (of: readonly number[]): string => Number(quantile(of, 0.5).toPrecision(3)).toString();
  const bound = each.goal === undefined ? '' : `${String(each.goal)}${isPast(each) ? ' **exceeded**' : ''}`;
  if (each.ours.length === 0) return [each.name, each.bare, 'failed', '', bound, '', ''];
  return [
    each.name,
    each.bare,
    middle ?? '',
    `${low ?? ''} … ${high ?? ''}`,
    bound,
    seconds(each.ours),
    seconds(each.theirs),
  ];
}

function conditions(rounds: number): string {
  return `alternating rounds: ${String(rounds)}; Node ${process.version}, ${String(cpus().length)} processors`;
}

function print(measured: readonly Measured[], memory: readonly Memory[], rounds: number): void {
  process.stdout.write(`${table(head, measured.map(rowOf))}${conditions(rounds)}\n`);
  for (const { name, mebibytes } of memory)
    process.stdout.write(`memory of ${name}: ${String(mebibytes)} MiB\n`);
}

function pageOf(measured: readonly Measured[], memory: readonly Memory[], rounds: number): readonly string[] {
  const sizes = memory.map(({ name, mebibytes }) => [`\`${name}\``, String(mebibytes)]);
  return [
    ...markdown(head, measured.map(rowOf)),
    '',
    `Measured on ${new Date().toISOString().slice(0, 10)}: ${conditions(rounds)}.`,
    ...(memory.length === 0
      ? []
      : ['', ...markdown([`largest memory (bound: ${String(memoryBound)} MiB)`, 'MiB'], sizes)]),
  ];
}

/** Replaces what is between the two comments of that name. */
function replaceBetween(page: string, name: string, lines: readonly string[]): void {
  const text = [`<!-- ${name} -->`, '', ...lines, '', `<!-- end of ${name} -->`].join('\n');
  const between = new RegExp(`<!-- ${name} -->[^]*<!-- end of ${name} -->`);
  const old = existsSync(page) ? readFileSync(page, 'utf8') : '';
  if (!between.test(old)) throw new Error(`${page} has no place for this table`);
  writeFileSync(
    page,
    old.replace(between, () => text),
  );
}
