import { openJournals, recover } from '../../../src/atomic/recovery/recover.ts';
import { BofhError, RolledBackError, StuckError } from '../../../src/core/errors.ts';
import { ProcessKilled, simulatedBofh, type SimulatedHost } from '../../../src/simulator/index.ts';
import type { Access, Fault } from '../../../src/simulator/index.ts';
import { site } from '../simulator/support.ts';

/** What is done to a sequence besides. */
export type Then = 'goes on' | 'fails at its last step' | 'is killed there and recovered';

/** How a run ended, with everything that a person was told. */
export interface Ending {
  /** A process on the host as it is afterwards. */
  readonly host: SimulatedHost;
  readonly end: 'done' | 'rolled back' | 'stuck';
  readonly said: string;
}

/** A sequence on a fresh host. */
export interface Work {
  readonly start: () => SimulatedHost | Promise<SimulatedHost>;
  readonly run: (host: SimulatedHost) => Promise<unknown>;
  /** How its last step is made to fail. */
  readonly last: Fault;
}

/** The moments between two steps: the writes of lines to the journal. A line comes after the act before it, and before the next. */
export async function moments(
  { start, run, last }: Work,
  then: Then,
  can: (host: SimulatedHost) => boolean,
): Promise<readonly number[]> {
  const host = await start();
  if (then === 'fails at its last step') host.fault(last);
  const found: number[] = [];
  let nth = 0;
  host.faults.watch((access) => {
    if (!isLine(access)) return;
    nth += 1;
    if (can(host)) found.push(nth);
  });
  await failureOf(run(host));
  return found;
}

/** Runs a sequence and lets another process act just before its n-th line is written. */
export async function interfered(
  { start, run, last }: Work,
  at: { readonly nth: number; readonly then: Then; readonly act: (host: SimulatedHost) => void },
): Promise<Ending> {
  const host = await start();
  if (at.then === 'fails at its last step') host.fault(last);
  let nth = 0;
  const unwatch = host.faults.watch((access) => {
    if (!isLine(access) || (nth += 1) !== at.nth) return;
    at.act(host);
    if (at.then !== 'is killed there and recovered') return;
    host.kill();
    throw new ProcessKilled();
  });
  const error = await failureOf(run(host));
  unwatch();
  host.clearFaults();
  if (at.then !== 'is killed there and recovered') return { host, ...endOf(error) };
  return await recovered(host.restart());
}

/** `bofh recover --yes` in a new process. Without an open journal it had come to its end before. */
export async function recovered(host: SimulatedHost): Promise<Ending> {
  const { engine } = simulatedBofh({ host, site });
  const [open, ...more] = await openJournals(engine);
  if (open === undefined) return { host, end: 'done', said: '' };
  if (more.length > 0) throw new TypeError('there is more than one journal');
  try {
    const { end, leftUntouched } = await recover(open.id, { engine, yes: true });
    return { host, end: end === 'rolled-back' ? 'rolled back' : 'done', said: leftUntouched.join('\n') };
  } catch (error) {
    return { host, ...endOf(error) };
  }
}

/** Lines of a snapshot that the other one does not have. */
export function linesOnlyIn(one: string, other: string): readonly string[] {
  const known = new Set(other.split('\n'));
  return one.split('\n').filter((line) => !known.has(line));
}

/** What a promise was rejected with. */
export async function failureOf(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => undefined,
    (error: unknown) => error,
  );
}

function isLine({ tool, argv }: Access): boolean {
  return tool === 'store' && argv[0] === 'write' && !argv.some((word) => word.includes('ballast'));
}

function endOf(error: unknown): Pick<Ending, 'end' | 'said'> {
  if (error === undefined) return { end: 'done', said: '' };
  if (error instanceof StuckError) return { end: 'stuck', said: sentences(error) };
  if (error instanceof BofhError) return { end: 'rolled back', said: sentences(error) };
  throw new TypeError('an error that is none of bofh', { cause: error });
}

/** Every sentence of an error and of what caused it. */
function sentences(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(sentences).join('\n');
  if (!(error instanceof Error)) return '';
  const left = error instanceof RolledBackError ? error.leftUntouched : [];
  const steps = error instanceof StuckError ? [...error.blocked, ...error.remaining] : [];
  return [error.message, ...left, ...steps.map((step) => JSON.stringify(step)), sentences(error.cause)].join(
    '\n',
  );
}
