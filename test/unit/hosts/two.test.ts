import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import type { TwoCounts, TwoRun } from '../../support/undo/two-report.ts';
import { faults } from '../../support/undo/two-faults.ts';
import { crossings, type Made, referenceOf, tryOnTwo } from '../../support/undo/two-hosts.ts';

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
const counts = new Map<string, TwoCounts>();

describe.each(Object.entries(faults))('%s', (title, trouble) => {
  test.each(['well', 'badly'] as const)(
    'at each crossing of a sequence that ends %s',
    async (ends) => {
      const all = await crossings(made, ends);
      expect(all.length).toBeGreaterThan(10);
      const found: string[] = [];
      const count = counts.get(title) ?? { title, trials: 0, before: 0, after: 0, neither: 0 };
      for (const at of all) {
        const tried = await tryOnTwo(made, await reference, { ...trouble, at, ends });
        count.trials += 1;
        count[tried.ended] += 1;
        if (tried.ended === 'neither') found.push(`${String(at)}: ${tried.why}`);
      }
      counts.set(title, count);

      expect(found).toEqual([]);
      expect(count.before).toBeGreaterThan(0);
    },
    120_000,
  );
});

// The table of docs/reliability.md is made of it: npm run test:matrix -- --report
afterAll(() => {
  if (counts.size < Object.keys(faults).length) return;
  const cache = fileURLToPath(new URL('../../../.cache/two-hosts/', import.meta.url));
  mkdirSync(cache, { recursive: true });
  const run: TwoRun = {
    date: new Date().toISOString().slice(0, 10),
    node: process.version,
    counts: [...counts.values()],
  };
  writeFileSync(`${cache}run.json`, `${JSON.stringify(run, undefined, 1)}\n`);
});
