import { expect, it } from 'vitest';
import { atomic, withBofh } from '../../../src/bofh.ts';
import { commandLine } from '../../../src/command/index.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';

const gib = 1024 ** 3;

const create = (host: SimulatedHost, more: object = {}) =>
  withBofh(simulatedBofh({ host }), () =>
    atomic('zeros', (tx) =>
      tx.lvm.createLv({ vg: 'vg0', name: 'web1', size: '1g', content: 'zeros', ...more }),
    ),
  );

it('a volume is filled with zeros completely', async () => {
  const host = simulatedHost();
  await create(host);
  expect(
    host.changes.flatMap((each) => (each.what === 'command' ? [commandLine(each.command)] : [])),
  ).toContainEqual(
    expect.stringMatching(
      new RegExp(
        `^blkdiscard --zeroout --offset 0 --length ${String(gib)} --step \\d+ --verbose /dev/dm-\\d+$`,
      ),
    ),
  );
});

it.each(['fails before', 'no effect, exit 0', 'garbage answer'] as const)(
  'and is removed again when blkdiscard %s',
  async (mode) => {
    const host = simulatedHost();
    const before = host.snapshot();
    host.fault({ tool: 'blkdiscard', mode });
    await expect(create(host)).rejects.toMatchObject({ name: 'RolledBackError' });
    expect(host.snapshot()).toBe(before);
  },
);

it('a thin volume is empty without that', async () => {
  const host = simulatedHost();
  host.admin.thinPool({ vg: 'vg0', name: 'pool', extents: 16 });
  await expect(create(host, { pool: 'pool' })).rejects.toThrow('a new thin volume is empty');
});
