import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { builtCommand } from '../unit/cli/support/built.ts';
import { sh, storage } from './sequence.ts';

const folder = join(import.meta.dirname, '../../examples');

let command = '';
beforeAll(async () => {
  command = await builtCommand();
});

let disk: ReturnType<typeof storage>;
beforeEach(() => {
  disk = storage();
});
afterEach(() => disk.clean());

const env = (site?: string) => ({
  ...process.env,
  BOFH_STATE_DIR: disk.path('state'),
  ...(site === undefined ? {} : { BOFH_SITE: site }),
});

const bofh = (args: readonly string[], site?: string) =>
  spawnSync(command, args, { env: env(site), encoding: 'utf8' });

describe.skipIf(process.getuid?.() !== 0)('own-operation', () => {
  it('is undone by bofh recover after a SIGKILL, and nothing else is undone', async () => {
    const directory = disk.makeDir('hosts');
    writeFileSync(join(directory, 'db1'), '192.0.2.2 db1\n');
    const script = ['run', join(folder, 'own-operation/add.ts'), 'web1.invalid', '192.0.2.10', directory];
    expect(bofh(script).stderr).toContain('a directory, a name and an IPv4 address was expected');
    script[2] = 'no-such-host-of-bofh';

    const running = spawn(command, script, { env: env(), stdio: ['ignore', 'pipe', 'inherit'] });
    const ended = once(running, 'exit');
    for await (const text of running.stdout) if (String(text).includes('wrote ')) break;
    // It waits for the name server now. Nothing of it can run any more after this.
    running.kill('SIGKILL');
    expect(await ended).toEqual([null, 'SIGKILL']);
    const record = join(directory, 'no-such-host-of-bofh');
    expect(readFileSync(record, 'utf8')).toMatch(/^# bofh\.\S+\n192\.0\.2\.10 no-such-host-of-bofh\n$/);

    const recovered = bofh(['--yes', 'recover'], join(folder, 'own-operation/site-specific.ts'));

    expect([recovered.status, recovered.stderr]).toEqual([0, expect.any(String)]);
    expect(readdirSync(directory)).toEqual(['db1']);
    expect(bofh(['journal', 'list'], join(folder, 'own-operation/site-specific.ts')).status).toBe(0);
  });
});

describe.skipIf(process.getuid?.() !== 0)('nightly-snapshots.ts', () => {
  it('snapshots each night, and copies only what changed', async () => {
    const [pool, second] = [disk.makeDir('pool'), disk.makeDir('second')];
    sh('mount', disk.btrfs('a.img'), pool);
    sh('mount', disk.btrfs('b.img'), second);
    sh('btrfs', 'subvolume', 'create', join(pool, 'home'));
    mkdirSync(join(pool, 'snapshots'));
    mkdirSync(join(second, 'home'));
    const words = [join(pool, 'home'), join(pool, 'snapshots'), join(second, 'home')];
    const night = () => bofh(['run', join(folder, 'nightly-snapshots.ts'), ...words]);

    const [first, later] = [20, 21].map((number) => {
      writeFileSync(join(pool, 'home', `file-${String(number)}`), 'x'.repeat(number));
      const ended = night();
      // A snapshot is named after its second.
      spawnSync('sleep', ['1.1']);
      return ended;
    });

    expect([first?.status, later?.status, later?.stderr]).toEqual([0, 0, expect.any(String)]);
    const copies = readdirSync(words[2] ?? '');
    expect(copies).toEqual(readdirSync(words[1] ?? ''));
    expect(copies).toHaveLength(2);
    const newest = join(second, 'home', copies[1] ?? '');
    expect(existsSync(join(newest, 'file-21'))).toBe(true);
    // Sent as a difference to the snapshot of the first night.
    const [old = ''] = copies;
    expect(first?.stderr).not.toContain(' -p ');
    expect(later?.stderr).toContain(`btrfs send -p ${join(pool, 'snapshots', old)} `);
  });

  it('says what to do if the second disk is full', () => {
    const [pool, second] = [disk.makeDir('pool'), disk.makeDir('second')];
    sh('mount', disk.btrfs('a.img'), pool);
    sh('mount', disk.btrfs('b.img'), second);
    sh('btrfs', 'subvolume', 'create', join(pool, 'home'));
    for (const dir of [join(pool, 'snapshots'), join(second, 'home')]) mkdirSync(dir);
    writeFileSync(join(pool, 'home/file'), randomBytes(16 * 1024 ** 2));
    spawnSync('dd', ['if=/dev/zero', `of=${join(second, 'filler')}`, 'bs=1M', 'status=none']);

    const words = [join(pool, 'home'), join(pool, 'snapshots'), join(second, 'home')];
    const ended = bofh(['run', join(folder, 'nightly-snapshots.ts'), ...words]);

    expect([ended.status, ended.stderr]).toEqual([5, expect.stringContaining('free space first')]);
  });
});
