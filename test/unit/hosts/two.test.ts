import { afterAll, describe, expect, test } from 'vitest';
import { faults } from '../../support/undo/two-faults.ts';
import { type Made, referenceOf } from '../../support/undo/two-hosts.ts';
import { counting, tryEach } from '../../support/undo/two-trials.ts';

// Everything that can happen at each moment between two hosts: in the end both are as before, or both as after.

const made: Made = {
  act: async (tx) => {
    await tx.lvm.createLv({ vg: 'vg0', name: 'two', size: '64m' });
    const there = tx.on('there');
    await there.lvm.createLv({ vg: 'vg0', name: 'two', size: '64m' });
    await tx.file.create({ path: '/etc/two', content: 'here\n', mode: 0o644 });
    await there.filesystem.create({ device: '/dev/vg0/two', type: 'ext4', label: 'two' });
    await there.mount.mount({ device: '/dev/vg0/two', path: '/srv/two', mode: 'rw' });
    await there.file.create({ path: '/etc/two', content: 'there\n', mode: 0o644 });
    await there.lvm.removeLv({ vg: 'vg0', name: 'old' });
  },
  prepare: (_here, there) => {
    there.admin.lvcreate({ vg: 'vg0', name: 'old', extents: 8 });
    there.admin.mkdir('/srv/two');
  },
};

const reference = referenceOf(made);
const counts = counting();

describe.each(Object.entries(faults))('%s', (title, trouble) => {
  test.each(['well', 'badly'] as const)(
    'at each access of a sequence that ends %s',
    async (ends) => {
      const { found, ...count } = await tryEach(made, await reference, { ...trouble, ends });
      counts.add(title, count);

      expect(found).toEqual([]);
      expect(count.places).toBeGreaterThan(10);
      // Nothing of this one is replicated.
      if (trouble.fault !== 'replication cut') expect(count.before).toBeGreaterThan(0);
    },
    120_000,
  );
});

afterAll(() => counts.write('run'));
