import { expect, it } from 'vitest';
import type { Bofh } from '../../../src/connect.ts';
import { CommandError } from '../../../src/core/errors.ts';
import { simulatedBofh, simulatedHost } from '../../../src/simulator/index.ts';
import { understood } from '../../../src/simulator/run.ts';
import { runVerb } from './support/run-verb.ts';
import { testRuntime } from './support/runtime.ts';
import { explain } from '../../../src/cli/errors/explain.ts';

const verbs = [
  'crypt format /dev/sr0 --key file:/etc/key',
  'lvm pv create /dev/sr0',
  'lvm vg create data /dev/sr0',
  'lvm vg extend vg0 /dev/sr0',
  'filesystem create /dev/sr0 --type ext4',
  'block wipe /dev/sr0 --overwrite ext4',
  'block zero /dev/sr0 --overwrite blank',
  'block partition-table create /dev/sr0',
  'block resize /dev/sr0 32m',
];

/** A host with a drive without a medium, which may have the size of the last one. */
function driven(size: number | string): Bofh {
  const host = simulatedHost({ disks: [{ name: 'sr0', size }] });
  host.admin.writeFile('/etc/key', 'geheim', 0o600);
  const run: typeof host.run = async (command) => {
    if (command.tool === 'blkid' && command.argv.includes('/dev/sr0'))
      return understood(command, {
        exitCode: 2,
        stdout: '',
        stderr: 'blkid: error: /dev/sr0: No medium found\n',
      });
    if (command.argv.includes('/dev/sr0') && command.tool !== 'udevadm')
      throw new CommandError({
        ...{ tool: command.tool, argv: command.argv, reason: 'unknown', exitCode: 1 },
        stderr: `${command.tool}: error: /dev/sr0: No medium found`,
      });
    return host.run(command);
  };
  const bofh = simulatedBofh({ host });
  return {
    ...bofh,
    host: { ...bofh.host, run },
    engine: { ...bofh.engine, host: { ...bofh.engine.host, run } },
  };
}

it.each(
  verbs.flatMap((words) => [[words, 'no size'] as const, [words, 'the size of the last one'] as const]),
)('bofh %s says that the drive has no medium, and what helps (%s)', async (words, size) => {
  const { runtime } = testRuntime(driven(size === 'no size' ? 0 : '64m'), { yes: true });
  const error: unknown = await runVerb(runtime, words).catch((thrown: unknown) => thrown);
  const told = explain(error, { root: true });
  expect(told).toMatchObject({
    failed: expect.stringContaining('/dev/sr0 has no medium (') as unknown,
    host: 'unchanged',
    next: 'insert one, or name another device; see them: bofh block tree',
    exitCode: 1,
  });
});

it.each(verbs)('bofh %s says that a loop device has no file, and what helps', async (words) => {
  const host = simulatedHost({ disks: [{ name: 'loop5', size: 0 }] });
  host.admin.writeFile('/etc/key', 'geheim', 0o600);
  const { runtime } = testRuntime(simulatedBofh({ host }), { yes: true });
  const error: unknown = await runVerb(runtime, words.replace('/dev/sr0', '/dev/loop5')).catch(
    (thrown: unknown) => thrown,
  );
  expect(explain(error, { root: true })).toMatchObject({
    failed: expect.stringContaining('/dev/loop5 has no file attached') as unknown,
    host: 'unchanged',
    next: 'attach one: bofh block loop attach FILE',
  });
});

it.each(
  ['block tree', 'crypt list', 'map'].flatMap((words) => [[words, 0] as const, [words, '64m'] as const]),
)('bofh %s is not stopped by a drive without a medium (its size: %s)', async (words, size) => {
  const { runtime } = testRuntime(driven(size));
  expect(await runVerb(runtime, words)).toBe(0);
});

it('bofh block tree says that the drive has no medium, and gives it no size', async () => {
  const { runtime, stdout, stderr } = testRuntime(driven('64m'));

  await runVerb(runtime, 'block tree');

  expect(stdout()).toMatch(/^sr0 {2}0 B {2}disk, no medium$/m);
  expect(stderr()).not.toContain('sr0');
});
