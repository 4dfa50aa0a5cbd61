import { describe, expect, test } from 'vitest';
import type { LinkFault } from '../../../src/testing/index.ts';
import { crossings, type Made, referenceOf, type Trouble, tryOnTwo } from '../../support/undo/two-hosts.ts';

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

const faults: readonly (readonly [LinkFault, Partial<Trouble>])[] = [
  ['cut before', { then: 'restart' }],
  ['cut after', { then: 'restart' }],
  ['cut after', { then: 'power cut, none' }],
  ['cut while it runs', { then: 'restart' }],
  ['power cut there before', { then: 'restart', keep: 'none' }],
  ['power cut there after', { then: 'restart', keep: 'none' }],
  ['power cut there after', { then: 'restart', keep: 'all' }],
  ['power cut there after', { then: 'power cut, none', keep: 'none' }],
  ['booted there', { then: 'restart', keep: 'none' }],
  ['killed here before', { then: 'restart' }],
  ['killed here after', { then: 'restart' }],
  ['killed here after', { then: 'power cut, none' }],
  ['killed here after', { then: 'reboot' }],
];

const reference = referenceOf(made);

describe.each(faults)('%s, %o', (fault, more) => {
  test.each(['well', 'badly'] as const)(
    'at each crossing of a sequence that ends %s',
    async (ends) => {
      const all = await crossings(made, ends);
      expect(all.length).toBeGreaterThan(10);
      const found: string[] = [];
      const ended = new Set<string>();
      for (const at of all) {
        const tried = await tryOnTwo(made, await reference, { at, fault, then: 'restart', ends, ...more });
        ended.add(tried.ended);
        if (tried.ended === 'neither') found.push(`${String(at)}: ${tried.why}`);
      }

      expect(found).toEqual([]);
      expect(ended.has('before')).toBe(true);
    },
    120_000,
  );
});
