import { expect } from 'vitest';
import {
  differences,
  fingerprints,
  heldOnB,
  makeCommand,
  recoveryWaiting,
  runOnA,
  type TwoHosts,
} from './two-hosts.ts';

// What befalls a sequence over two machines while a tool of it is at work on the second one.

const atWork = { tool: 'lvcreate', words: ['two'] } as const;

/** The cable is cut: what is on the first one is undone, the rest once the cable is mended. */
export async function cableCut(two: TwoHosts): Promise<void> {
  const { bofh, fault } = await heldOnB(two, makeCommand, atWork);
  await two.pair.cutLink();
  const { exitCode, output } = await bofh.ended;
  expect(exitCode).toBe(3);
  expect(output).toMatch(/\bb\b/);
  const { stdout: left } = await two.pair.a.run('ls /srv/two /dev/vg0/two 2>/dev/null', { check: 'return' });
  expect(left).toBe('');
  await two.pair.mendLink();

  const recovery = await recoveryWaiting(two, 'lvcreate');
  await fault.release();

  expect(await recovery.ended).toMatchObject({ exitCode: 0 });
  expect(await differences(two, two.start)).toBe('');
}

/** The power of both fails. */
export async function bothCut(two: TwoHosts): Promise<void> {
  const { bofh } = await heldOnB(two, makeCommand, atWork);
  await powerCut(two, 'a', 'b');
  await bofh.ended;

  await runOnA(two, 'bofh recover --yes', 0);

  expect(await differences(two, two.start)).toBe('');
}

/** The power of some fails, and comes back. */
export async function powerCut({ pair }: TwoHosts, ...names: readonly ('a' | 'b')[]): Promise<void> {
  await Promise.all(names.map((name) => pair[name].powerCut()));
  await Promise.all(names.map((name) => pair[name].boot()));
}

/** The next ones start from hosts that were booted. */
export async function startBooted(two: TwoHosts): Promise<void> {
  const { pair } = two;
  await Promise.all([pair.a.run('sync'), pair.b.run('sync')]);
  await powerCut(two, 'a', 'b');
  two.start = await fingerprints(pair);
  await Promise.all([pair.a.saveSnapshot('start'), pair.b.saveSnapshot('start')]);
}
