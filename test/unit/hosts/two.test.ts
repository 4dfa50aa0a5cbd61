import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import type { TwoCounts, TwoRun } from '../../support/undo/two-report.ts';
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

const restart = { then: 'restart' } as const;
const faults: Readonly<Record<string, Omit<Trouble, 'at' | 'ends'>>> = {
  'fails there at once': { fault: 'fails there', ...restart },
  'acts there, then fails': { fault: 'acts there, then fails', ...restart },
  'the link is cut before': { fault: 'cut before', ...restart },
  'the link is cut after, the answer is lost': { fault: 'cut after', ...restart },
  'the same, and the power of the coordinator fails': { fault: 'cut after', then: 'power cut, none' },
  'the link is cut while the program runs on': { fault: 'cut while it runs', ...restart },
  'the power of the other host fails before': { fault: 'power cut there before', keep: 'none', ...restart },
  'the power of the other host fails after': { fault: 'power cut there after', keep: 'none', ...restart },
  'the same, with all of what was not synced kept': {
    fault: 'power cut there after',
    keep: 'all',
    ...restart,
  },
  'the power of both fails': { fault: 'power cut there after', keep: 'none', then: 'power cut, none' },
  'the other host is booted, and nobody sees it': { fault: 'booted there', keep: 'none', ...restart },
  'SIGKILL of the coordinator before': { fault: 'killed here before', ...restart },
  'SIGKILL of the coordinator after': { fault: 'killed here after', ...restart },
  'the coordinator boots': { fault: 'killed here after', then: 'reboot' },
  'the power of the coordinator fails': { fault: 'killed here after', then: 'power cut, none' },
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
