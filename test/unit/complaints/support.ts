import { expect } from 'vitest';
import { explain } from '../../../src/cli/errors/explain.ts';
import type { Explanation } from '../../../src/cli/errors/explanation.ts';
import { fork } from '../../../src/simulator/fork.ts';
import type { SimulatedHost } from '../../../src/simulator/index.ts';
import { hostWithSource } from '../simulator/support.ts';
import { typed } from '../plan/support.ts';

const kernel = '--kernel /boot/vmlinuz-6.1.0-18-amd64 --ramdisk /boot/initrd.img-6.1.0-18-amd64';

/** What is typed to make the guest of these tests. */
export const create = `vm create web1 --source tar:/srv/debian.tar --size 64m --swap 16m ${kernel} --start`;

/** A command line that does what it says. */
export async function does(host: SimulatedHost, line: string): Promise<void> {
  const { exitCode } = await typed(host, ['--yes', ...line.split(' ')]);
  expect(exitCode, line).toBe(0);
}

/** A command line that fails: returns what a user reads. */
export async function fails(host: SimulatedHost, line: string): Promise<Explanation> {
  const error = await typed(host, ['--yes', ...line.split(' ')]).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error, `${line} did not fail`).toBeDefined();
  return explain(error, { root: true });
}

/** How many changes, or writes to the journal, a command line makes. */
export async function countOf(
  start: () => Promise<SimulatedHost>,
  line: string,
  of: 'changes' | 'journal' = 'changes',
): Promise<number> {
  const host = await start();
  const begun = host.points.length;
  await does(host, line);
  const made = host.points
    .slice(begun)
    .filter(({ tool }) => (tool === 'store') === (of === 'journal')).length;
  expect(made).toBeGreaterThan(8);
  return made;
}

let made: Promise<SimulatedHost> | undefined;

/** A host with the guest on it: a copy of one that was made once. */
export async function withGuest(): Promise<SimulatedHost> {
  made ??= make();
  return fork(await made);
}

async function make(): Promise<SimulatedHost> {
  const host = hostWithSource();
  await does(host, create);
  host.kill();
  return host;
}
