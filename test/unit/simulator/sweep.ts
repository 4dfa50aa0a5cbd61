import { expect, test } from 'vitest';
import { RolledBackError, StuckError } from '../../../src/core/errors.ts';
import { fork } from '../../../src/simulator/fork.ts';
import type { Access, FaultMode, SimulatedHost } from '../../../src/simulator/index.ts';
import { sampled } from '../../support/sampled.ts';
import { recoverAll } from './support.ts';
import { failureOf } from '../concurrency/support.ts';

/** Tests a trial with a fault, or a crash, at each of its changes, and a crash at each line of its journal. */
export function testSweep(
  trial: Trial,
  {
    faults = ['fails before', 'acts then fails'],
    crashes = ['crash here', 'acts then crash'],
    afterJournal = ['recover', 'power cut, none'],
  }: {
    readonly faults?: readonly FaultMode[];
    readonly crashes?: readonly ('crash here' | 'acts then crash')[];
    /** What comes after a crash at a line of the journal. */
    readonly afterJournal?: readonly Then[];
  } = {},
): void {
  for (const mode of faults)
    test(`each change ${mode}: the host is as before, or recovery finishes the rest`, async () => {
      expect(await failing(trial, mode)).toEqual([]);
    });

  for (const mode of crashes)
    for (const then of ['recover', 'power cut, none', 'power cut, all'] as const)
      test(`${mode}, at each change, then ${then}: after recovery the host is as before or as after`, async () => {
        expect(await crashing(trial, { mode, then, at: 'changes' })).toEqual([]);
      });

  for (const then of afterJournal)
    test(`crash at each line of the journal, then ${then}: after recovery the host is as before or as after`, async () => {
      expect(await crashing(trial, { mode: 'crash here', then, at: 'journal' })).toEqual([]);
    });
}

/** What is hit at each of its changes. */
export interface Trial {
  readonly start: () => Promise<SimulatedHost>;
  readonly work: (host: SimulatedHost) => Promise<unknown>;
}

/** What comes after a crash, before the recovery. */
export type Then = 'recover' | 'reboot' | 'power cut, none' | 'power cut, all';

interface Point {
  readonly nth: number;
  readonly tool?: 'store';
  readonly words: string;
}

/** Every change of the work, or every write and sync of its journal: the n-th of them. */
async function pointsOf(trial: Trial, of: 'changes' | 'journal'): Promise<readonly Point[]> {
  const host = await trial.start();
  const begun = host.points.length;
  await trial.work(host);
  const wanted = ({ tool }: Access): boolean => (tool === 'store') === (of === 'journal');
  return host.points
    .slice(begun)
    .filter(wanted)
    .map(({ tool, argv }, index) => ({
      nth: index + 1,
      words: `${index + 1}: ${tool} ${argv.join(' ')}`,
      ...(of === 'journal' ? { tool: 'store' as const } : {}),
    }));
}

/** The host as it is when nothing was begun, and when all was done, each followed by `then`. */
async function references(trial: Trial, then: Then): Promise<readonly [before: string, after: string]> {
  const done = await trial.start();
  await trial.work(done);
  return [unnamed(next(await trial.start(), then).snapshot()), unnamed(next(done, then).snapshot())];
}

/** What went wrong, of all the points, when each fails: nothing, if the host is as before, or as after once recovered. */
export async function failing(trial: Trial, mode: FaultMode): Promise<readonly string[]> {
  const [before, after] = await references(trial, 'recover');
  return perPoint(await pointsOf(trial, 'changes'), async ({ nth }) => {
    const host = await trial.start();
    host.fault({ nth, mode });
    const error = await failureOf(trial.work(host));
    const isDone = error === undefined || (error instanceof StuckError && error.committed);
    if (!isDone && !(error instanceof RolledBackError)) return said(error);
    if (isDone) await recoverAll(host.restart());
    return difference(isDone ? after : before, unnamed(host.snapshot()));
  });
}

/** The same, when the process is killed at each point. */
export async function crashing(
  trial: Trial,
  how: { readonly mode: FaultMode; readonly then: Then; readonly at: 'changes' | 'journal' },
): Promise<readonly string[]> {
  const [before, after] = await references(trial, how.then);
  return perPoint(await pointsOf(trial, how.at), async (point) => {
    const again = next(fork(await crashedAt(trial, how.mode, point)), how.then);
    const error = await failureOf(recoverAll(again));
    const now = unnamed(again.snapshot());
    if (error !== undefined) return said(error);
    return now === after ? '' : difference(before, now);
  });
}

/** What comes after a crash is tried on copies: the work itself is done once for all of them. */
const crashed = new WeakMap<Trial, Map<string, Promise<SimulatedHost>>>();

function crashedAt(trial: Trial, mode: FaultMode, point: Point): Promise<SimulatedHost> {
  const known = crashed.get(trial) ?? new Map<string, Promise<SimulatedHost>>();
  crashed.set(trial, known);
  const key = `${mode} ${point.words}`;
  const host = known.get(key) ?? crash(trial, mode, point);
  known.set(key, host);
  return host;
}

async function crash(trial: Trial, mode: FaultMode, { nth, tool }: Point): Promise<SimulatedHost> {
  const host = await trial.start();
  host.fault({ ...(tool === undefined ? {} : { tool }), nth, mode });
  await failureOf(trial.work(host));
  return host;
}

async function perPoint(
  points: readonly Point[],
  attempt: (point: Point) => Promise<string>,
): Promise<readonly string[]> {
  const bad: string[] = [];
  for (const point of sampled(points, points.at(-1)?.words ?? '')) {
    const wrong = await attempt(point);
    if (wrong !== '') bad.push(`${point.words}: ${wrong}`);
  }
  // A sweep over nothing would find nothing.
  return points.length < 10 ? ['there are hardly any points'] : bad;
}

/** `then`, on a host. */
function next(host: SimulatedHost, then: Then): SimulatedHost {
  if (then === 'recover') return host.restart();
  if (then === 'reboot') return host.reboot();
  return host.powerCut({ keep: then === 'power cut, none' ? 'none' : 'all' });
}

/** Without values that are random in each run: marks, the new uuids, and the files that contain them. */
export function unnamed(text: string): string {
  return (
    text
      .replace(/bofh\.[0-9a-f]{12}/g, 'MARK')
      // libmount keeps the marks of mounts in it.
      .replace(/(?<what>"\/mount\/utab" file) .*$/gm, '$<what>')
      .replace(/(?<what>web1-(?:root|swap|data) holds \S+|domain web1) [0-9a-f-]{36}/g, '$<what> UUID')
      .replace(/(?<what>crypt:)[0-9a-f-]{36}(?<rest>\S+ holds \S+) [0-9a-f-]{36}/g, '$<what>UUID$<rest> UUID')
      .replace(/(?<=crypt:)[0-9a-f-]{36}/g, 'UUID')
      .replace(
        /(?<what>"\/(?:boot\/grub\/grub\.cfg|etc\/(?:fstab|crypttab|xen\/web1\.cfg|ssh\/ssh_host_\w+(?:\.pub)?))" file .*) [0-9a-f]{16}$/gm,
        '$<what> HASH',
      )
  );
}

function said(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : 'something was thrown that is no error';
}

function difference(a: string, b: string): string {
  const [left, right] = [new Set(a.split('\n')), new Set(b.split('\n'))];
  const lost = [...left].filter((line) => !right.has(line)).map((line) => `- ${line}`);
  const made = [...right].filter((line) => !left.has(line)).map((line) => `+ ${line}`);
  return [...lost, ...made].join('\n   ');
}
