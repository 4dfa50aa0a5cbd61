import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openJournals, recover } from '../../src/atomic/recovery/recover.ts';
import * as btrfs from '../../src/btrfs/index.ts';
import { balance, scrub } from '../../src/btrfs/operations.ts';
import { sequence, sh, startScript, storage, testEngine } from './sequence.ts';

let disk: ReturnType<typeof storage>;
let root: string;
let device: string;

beforeEach(() => {
  disk = storage();
  root = disk.makeDir('root');
  device = disk.btrfs('a.img');
  sh('mount', device, root);
  writeFileSync(join(root, 'file'), Buffer.alloc(4 * 1024 ** 2, 'bofh'));
  sh('sync', '--file-system', root);
});

afterEach(() => disk.clean());

const engine = () => testEngine(disk.path('state'));

describe('a scrub of a real btrfs', () => {
  it('reports what it read, and stores its status', async () => {
    expect((await btrfs.scrub(engine().host, root)).state).toBe('never');
    const read = await sequence(engine(), (tx) => tx.step(scrub, { path: root }));
    expect(read.dataBytes).toBe(4 * 1024 ** 2);
    expect(read.metadataBytes).toBeGreaterThan(0);
    expect(await btrfs.scrub(engine().host, root)).toMatchObject({ state: 'finished', uncorrectable: 0 });
  });

  it('fails and reports the counters when data is damaged', async () => {
    sh('umount', root);
    const image = readFileSync(disk.path('a.img'));
    const at = image.indexOf(Buffer.alloc(4096, 'bofh'));
    expect(at).toBeGreaterThan(0);
    sh('bash', '-c', `printf spoiled | dd of=${device} bs=1 seek=${at + 20_000} conv=notrunc status=none`);
    sh('sync', device);
    sh('mount', device, root);
    const failure = sequence(engine(), (tx) => tx.step(scrub, { path: root }));
    await expect(failure).rejects.toThrow(/found errors: 1 wrong checksums, 1 uncorrectable/);
    expect(await btrfs.scrub(engine().host, root)).toMatchObject({ checksumErrors: 1, uncorrectable: 1 });
  });
});

describe('a balance of a real btrfs', () => {
  beforeEach(() => {
    sh('umount', root);
    truncateSync(disk.path('a.img'), 1024 ** 3);
    sh('losetup', '--set-capacity', device);
    sh('mount', device, root);
    sh('btrfs', 'filesystem', 'resize', 'max', root);
  });

  it('frees block groups that are nearly empty', async () => {
    for (let nth = 0; nth < 30; nth += 1)
      writeFileSync(join(root, `large${nth}`), Buffer.alloc(10 * 1024 ** 2, `${nth}`));
    sh('sync', '--file-system', root);
    for (let nth = 0; nth < 30; nth += 1) if (nth % 10 !== 0) sh('rm', join(root, `large${nth}`));
    sh('sync', '--file-system', root);
    const before = await btrfs.usage(engine().host, root);

    const done = await sequence(engine(), (tx) => tx.step(balance, { path: root, dataUsage: 60 }));

    expect(done.relocated).toBeGreaterThan(0);
    expect((await btrfs.usage(engine().host, root)).allocated).toBeLessThan(before.allocated);
    expect(await btrfs.balance(engine().host, root)).toEqual({ state: 'none' });
    expect(readFileSync(join(root, 'large10')).length).toBe(10 * 1024 ** 2);
  });

  it('is cancelled by recovery after a kill, and does not block the next one', async () => {
    for (let nth = 0; nth < 60; nth += 1)
      writeFileSync(join(root, `large${nth}`), Buffer.alloc(10 * 1024 ** 2, `${nth}`));
    sh('sync', '--file-system', root);
    const script = disk.path('child.ts');
    const at = (path: string): string => JSON.stringify(new URL(path, import.meta.url).pathname);
    writeFileSync(
      script,
      `import { sequence, testEngine } from ${at('./sequence.ts')};
       import { balance } from ${at('../../src/btrfs/operations.ts')};
       await sequence(testEngine(${JSON.stringify(disk.path('state'))}), (tx) =>
         tx.step(balance, { path: ${JSON.stringify(root)}, dataUsage: 100, metadataUsage: 100 }));`,
    );
    const { child, ended } = startScript(script);
    const own = engine();
    const state = async () => (await btrfs.balance(own.host, root)).state;
    await expect.poll(state, { timeout: 60_000, interval: 1 }).toBe('running');
    child.kill('SIGKILL');
    expect(await ended).toBe('SIGKILL');

    const [open] = await openJournals(own);
    expect((await recover(open?.id ?? '', { engine: own, yes: true })).end).toBe('rolled-back');

    expect(await state()).toBe('none');
    await sequence(engine(), (tx) => tx.step(balance, { path: root, dataUsage: 5 }));
    expect(readFileSync(join(root, 'large59')).equals(Buffer.alloc(10 * 1024 ** 2, '59'))).toBe(true);
  });

  it('is refused without a filter', async () => {
    await expect(sequence(engine(), (tx) => tx.step(balance, { path: root }))).rejects.toThrow(/a filter/);
  });
});
