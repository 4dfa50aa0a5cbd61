import { writeFileSync } from 'node:fs';
import type { Suite } from '../rig/index.ts';
import { concurrency, foreignTrials } from './foreign.ts';
import { markTrials, unflushedTrials } from './marks.ts';
import { operationTrials, stackTrials } from './operation-trials.ts';
import { othersTrials } from './others.ts';
import { bootedStage, powerCutAfterSuccess, powerCutAt } from './power.ts';
import { dismissGuest, openStage, reset, type Stage, type StageOptions } from './stage.ts';
import {
  afterCommit,
  createFaults,
  removeFaults,
  killAt,
  killsWhileRunning,
  type Trial,
  tryFrom,
} from './trials.ts';

/** How one trial ended. */
export interface Outcome {
  readonly suite: Suite;
  readonly group: string;
  readonly name: string;
  readonly ended: 'as before' | 'as after' | 'failed';
  readonly seconds: number;
  /** Of the day, UTC: `2026-11-20`. */
  readonly date: string;
  readonly why?: string;
}

// Counted on a run that succeeds; one more than there are shows that the last line was reached.
const createLines = 16;
const removeLines = 11;

/** Trials on a host that has been up since before; then those whose host is booted by the trial itself. */
const warm: readonly Trial[] = [
  ...createFaults,
  ...range(createLines).map((n) => killAt('create', n)),
  ...killsWhileRunning,
  ...concurrency,
  ...removeFaults,
  ...afterCommit,
  ...range(removeLines).map((n) => killAt('remove', n)),
  ...foreignTrials,
];
const cold: readonly Trial[] = [...[1, 3, 5, 7, 9, 11, 13].map((n) => powerCutAt(n)), powerCutAfterSuccess];

interface Sorted {
  readonly warm: readonly Trial[];
  readonly cold: readonly Trial[];
  /** Those that need no Xen. */
  readonly plain: readonly Trial[];
  /** Those that need disks with a write cache of their own. */
  readonly volatile: readonly Trial[];
}

/** The recipes, then each operation by itself. */
async function sorted(): Promise<Sorted> {
  const operations = await operationTrials();
  const isXen = ({ name }: Trial): boolean => name.startsWith('xen.');
  return {
    warm: [...warm, ...operations.filter(isXen)],
    cold: [...cold, ...(await markTrials('kept'))],
    plain: [...operations.filter((trial) => !isXen(trial)), ...stackTrials, ...othersTrials],
    volatile: await unflushedTrials(),
  };
}

/** The whole matrix. */
export async function allTrials(): Promise<readonly Trial[]> {
  const { warm: now, cold: later, plain, volatile: last } = await sorted();
  return [...plain, ...now, ...later, ...last];
}

/** One shard of the matrix: every `of`-th trial. Writes its outcomes as JSON and resolves to the number of failures. */
export async function runMatrix(options: {
  readonly shard: number;
  readonly of: number;
  readonly only?: string;
  /** Outcomes that are kept already: their trials are left out. */
  readonly known?: readonly Pick<Outcome, 'suite' | 'group' | 'name'>[];
  readonly suite: Suite;
  readonly out: string;
}): Promise<number> {
  const { suite, known = [] } = options;
  const isKnown = (trial: Trial): boolean =>
    known.some((each) => each.suite === suite && each.group === trial.group && each.name === trial.name);
  const only = new RegExp(options.only ?? '');
  const mine = (trials: readonly Trial[]): readonly Trial[] =>
    trials
      .filter((trial) => only.test(`${trial.group}: ${trial.name}`) && !isKnown(trial))
      .filter((_trial, index) => index % options.of === options.shard - 1);
  const outcomes: Outcome[] = [];
  const trials = await sorted();
  const each = async (stage: Stage, trial: Trial): Promise<void> => {
    outcomes.push(await tryOne(stage, trial));
    // After each, so that a run that is cut short still tells what it found.
    writeFileSync(options.out, `${JSON.stringify(outcomes, null, 1)}\n`);
  };
  const [now, later] = [mine(trials.warm), mine(trials.cold)];
  const [plain, last] = [mine(trials.plain), mine(trials.volatile)];
  if ([now, later, plain, last].every((chosen) => chosen.length === 0))
    throw new TypeError(`no trial of this shard is named like ${String(only)}`);
  if (plain.length > 0)
    await withStage({ suite, hypervisor: 'none', cpus: 1 }, async (stage) => {
      for (const trial of plain) await each(stage, trial);
    });
  if (now.length + later.length > 0)
    await withStage({ suite }, async (stage) => {
      for (const trial of now) await each(stage, trial);
      await dismissGuest(stage);
      if (later.length > 0) await bootedStage(stage);
      for (const trial of later) await each(stage, trial);
    });
  if (last.length > 0)
    await withStage({ suite, writes: 'volatile' }, async (stage) => {
      await bootedStage(stage);
      for (const trial of last) await each(stage, trial);
    });
  return outcomes.filter(({ ended }) => ended === 'failed').length;
}

async function withStage(options: StageOptions, body: (stage: Stage) => Promise<void>): Promise<void> {
  const stage = await openStage((text) => say(text), options);
  try {
    await body(stage);
  } finally {
    await stage.machine.close();
  }
}

/** One trial, back to back with the last: the host as it was left is where it starts. After a failure it is reset. */
async function tryOne(stage: Stage, trial: Trial): Promise<Outcome> {
  const { group, name } = trial;
  const { suite } = stage.machine.shape.image;
  const begun = performance.now();
  const outcome = (ended: Outcome['ended'], why?: string): Outcome => {
    const seconds = Math.round((performance.now() - begun) / 1000);
    say(`${group}: ${name}: ${ended} (${seconds} s)${why === undefined ? '' : `\n${why}`}`);
    const date = new Date().toISOString().slice(0, 10);
    return { suite, group, name, ended, seconds, date, ...(why === undefined ? {} : { why }) };
  };
  try {
    return outcome(await tryFrom(stage, trial));
  } catch (error) {
    const failed = outcome('failed', error instanceof Error ? error.message : String(error));
    await reset(stage);
    return failed;
  }
}

function range(last: number): readonly number[] {
  return Array.from({ length: last }, (_, index) => index + 1);
}

function say(text: string): void {
  process.stdout.write(`» ${text}\n`);
}
