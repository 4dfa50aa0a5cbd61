import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import * as btrfs from '../../src/btrfs/index.ts';
import { limitSubvolume, setQuota } from '../../src/btrfs/operations.ts';
import { RolledBackError } from '../../src/core/errors.ts';
import { sequence, sh, storage, testEngine } from './sequence.ts';

let disk: ReturnType<typeof storage>;
let root: string;
let home: string;

beforeEach(() => {
  disk = storage();
  root = disk.makeDir('root');
  home = join(root, 'home');
  sh('mount', disk.btrfs('a.img'), root);
  sh('btrfs', 'subvolume', 'create', home);
});

afterEach(() => disk.clean());

const engine = () => testEngine(disk.path('state'));
const quota = () => btrfs.quota(engine().host, root);

describe('quotas of a real btrfs', () => {
  it('are enabled, limit a subvolume, and are disabled only when no limit is set', async () => {
    await sequence(engine(), async (tx) => {
      await tx.step(setQuota, { path: root, mode: 'on' });
      await tx.step(limitSubvolume, { path: home, what: 'referenced', limit: 4 * 1024 ** 2 });
    });
    const now = await quota();
    expect(now.mode === 'on' && now.groups.find(({ id }) => id === '0/256')?.maxReferenced).toBe(4194304);
    sh('btrfs', 'quota', 'rescan', '-w', root);
    expect(() => {
      writeFileSync(join(home, 'large'), Buffer.alloc(16 * 1024 ** 2, 'x'));
      sh('sync', '--file-system', root);
    }).toThrow(/EDQUOT|unknown error|Disk quota/);
    const off = () => sequence(engine(), (tx) => tx.step(setQuota, { path: root, mode: 'off' }));
    await expect(off()).rejects.toThrow(/would be lost: 0\/256/);
    await sequence(engine(), (tx) =>
      tx.step(limitSubvolume, { path: home, what: 'referenced', limit: null }),
    );
    await off();
    expect(await quota()).toEqual({ mode: 'off' });
  });

  it('are restored when the sequence fails', async () => {
    const failing = (body: Parameters<typeof sequence>[1]) =>
      sequence(engine(), async (tx) => {
        await body(tx);
        throw new Error('later');
      });
    const failed = failing(async (tx) => {
      await tx.step(setQuota, { path: root, mode: 'on' });
      await tx.step(limitSubvolume, { path: home, what: 'exclusive', limit: 4 * 1024 ** 2 });
      await tx.step(limitSubvolume, { path: home, what: 'referenced', limit: 8 * 1024 ** 2 });
    });
    await expect(failed).rejects.toThrow(RolledBackError);
    expect(await quota()).toEqual({ mode: 'off' });

    sh('btrfs', 'quota', 'enable', root);
    await expect(failing((tx) => tx.step(setQuota, { path: root, mode: 'off' }))).rejects.toThrow(
      RolledBackError,
    );
    expect((await quota()).mode).toBe('on');
  });
});
