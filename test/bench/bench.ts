import { rmSync } from 'node:fs';
import { cpus } from 'node:os';
import { performance } from 'node:perf_hooks';
import Table from 'cli-table3';
import { pairs, type Pair } from './pairs.ts';
import { measureOnRig } from './rig.ts';

/** How one pair came out: seconds of each round, ours and the bare work by turns. */
interface Measured {
  readonly name: string;
  readonly bare: string;
  /** What the ratio should stay below. */
  readonly goal?: number;
  readonly ours: readonly number[];
  readonly theirs: readonly number[];
}

/** Runs every pair in turns and prints the ratios: these machines are shared, so seconds mean little and ratios much. */
export async function runBench(options: {
  readonly dist: string;
  readonly rounds: number;
  readonly only: string;
  readonly json: boolean;
  readonly rig: boolean;
  readonly say: (text: string) => void;
}): Promise<void> {
  const measured = options.rig ? await measureOnRig(options) : await measureHere(options);
  if (options.json) process.stdout.write(`${JSON.stringify(measured, null, 1)}\n`);
  else print(measured, options.rounds);
}

async function measureHere(options: {
  readonly dist: string;
  readonly rounds: number;
  readonly only: string;
}): Promise<readonly Measured[]> {
  const { directory, list } = pairs(options.dist);
  try {
    const measured: Measured[] = [];
    for (const pair of list.filter(({ name }) => name.includes(options.only)))
      measured.push(await measure(pair, options.rounds));
    return measured;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

// By turns, so that a slow moment of the machine hits both sides; the first round warms caches and is not counted.
async function measure({ name, bare, ours, theirs }: Pair, rounds: number): Promise<Measured> {
  const seconds = { ours: [] as number[], theirs: [] as number[] };
  for (let round = 0; round <= rounds; round += 1) {
    const first = await timed(ours);
    const second = await timed(theirs);
    if (round === 0) continue;
    seconds.ours.push(first);
    seconds.theirs.push(second);
  }
  return { name, bare, ...seconds };
}

async function timed(work: () => Promise<void>): Promise<number> {
  const begun = performance.now();
  await work();
  return (performance.now() - begun) / 1000;
}

function print(measured: readonly Measured[], rounds: number): void {
  const table = new Table({
    head: ['what', 'compared with', 'ratio', 'from … to', 'goal', 'ours, ms', 'bare, ms'],
    style: { head: [], border: [] },
  });
  for (const { name, bare, ours, theirs, goal } of measured) {
    const ratios = ours.map((seconds, index) => seconds / (theirs[index] ?? Number.NaN));
    const [low, middle, high] = [0.25, 0.5, 0.75].map((at) => quantile(ratios, at).toFixed(2));
    const ms = (of: readonly number[]): string => (quantile(of, 0.5) * 1000).toFixed(1);
    table.push([name, bare, middle, `${low} … ${high}`, goal ?? '', ms(ours), ms(theirs)]);
  }
  const where = `Node ${process.version}, ${cpus().length} processors (${cpus()[0]?.model ?? 'unknown'})`;
  process.stdout.write(
    `${table.toString()}\n${rounds} rounds by turns; the median ratio and the middle half. ${where}\n`,
  );
}

function quantile(values: readonly number[], at: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(at * sorted.length))] ?? Number.NaN;
}
