import { beforeEach, describe, expect, test } from 'vitest';
import type { SimulatedHost } from '../../../src/simulator/index.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { typedOn } from '../cli/support/run-verb.ts';
import { testRuntime } from '../cli/support/runtime.ts';
import { bofhOn, hostWithSource } from '../simulator/support.ts';

const create = 'vm create web1 --source dir:/srv/root --size 64m --memory 128m';

let host: SimulatedHost;
let lists = 0;
beforeEach(() => {
  host = hostWithSource();
  for (const path of ['/mnt', '/srv/root', '/srv/root/etc', '/srv/root/home']) host.admin.mkdir(path);
  host.admin.writeFile('/srv/root/etc/os-release', 'NAME=Debian\n');
  host.admin.writeFile('/srv/root/etc/hostname', 'old\n');
  host.admin.symlink('/srv/root/etc/mtab', '/proc/mounts');
  host.admin.chown('/srv/root/home', 33);
});

const typed = (line: string, settings: Parameters<typeof testRuntime>[1] = {}) =>
  typedOn(bofhOn(host), line, settings);

describe('vm create --source dir:', () => {
  test('copies the tree with its owners, and leaves the source as it was', async () => {
    const { code, stdout } = await typed(create);

    expect([code, stdout]).toMatchObject([0, expect.stringContaining('its root is from /srv/root\n')]);
    expect(host.admin.readFile('/srv/root/etc/hostname')).toBe('old\n');
    host.admin.mount('/dev/vg0/web1-root', '/mnt');
    expect(host.admin.readFile('/mnt/etc/os-release')).toBe('NAME=Debian\n');
    expect(host.admin.readFile('/mnt/etc/hostname')).toBe('web1\n');
    expect(await host.readLink('/mnt/etc/mtab')).toBe('/proc/mounts');
    expect((await host.stat('/mnt/home'))?.uid).toBe(33);
  });

  test.each([
    ['the root of the host', 'dir:/', () => undefined, /the root of this host cannot be the source/],
    ['a file', 'dir:/srv/debian.tar', () => undefined, /debian\.tar is not a directory/],
    ['a directory that is not there', 'dir:/srv/none', () => undefined, /\/srv\/none/],
    ['an empty one', 'dir:/srv/root/home', () => undefined, /is an empty directory/],
    ['one that contains the new root', 'dir:/run', () => undefined, /contains \/run\/bofh\/mnt/],
    [
      'one with a mount below it',
      'dir:/srv/root',
      () => host.admin.mount('/dev/vg0/web1-root2', '/srv/root/home'),
      /\/srv\/root\/home is mounted in \/srv\/root, and would not be copied/,
    ],
    [
      'one that another user can replace',
      'dir:/srv/root',
      () => host.admin.chown('/srv', 33),
      /another user could replace it/,
    ],
    [
      'one that is larger than the root',
      'dir:/srv/root',
      () => host.admin.writeFile('/srv/root/big', 'x'.repeat(64 * 1024 ** 2)),
      /\/srv\/root holds 64 MiB, which does not fit into --size 64 MiB/,
    ],
  ])('refuses %s, and changes nothing', async (_, source, prepare, why) => {
    prepare();
    const before = host.snapshot();

    expect(String(await rejectionOf(typed(create.replace('dir:/srv/root', source))))).toMatch(why);
    expect(host.snapshot()).toBe(before);
  });

  // The fourth list is that of the step itself, after those of the plan and of its two preparations.
  test.each([
    [
      'while tar reads it',
      (tool: string, argv: readonly string[]) => tool === 'tar' && argv.includes('--create'),
    ],
    [
      'after it was listed',
      (tool: string, argv: readonly string[]) =>
        tool === 'find' && argv[0] === '/srv/root' && (lists += 1) === 4,
    ],
  ])('is undone if the directory changed %s', async (_, isTime) => {
    lists = 0;
    host.faults.watch(({ tool, argv }) => {
      if (isTime(tool, argv)) host.admin.writeFile('/srv/root/etc/new', 'new\n');
    });

    expect(String(await rejectionOf(typed(create)))).toMatch(
      /failed and was rolled back: \/srv\/root changed while it was copied; its newest file is "etc\/new"/,
    );
    expect(host.world.lvm.flatMap(({ lvs }) => lvs.map(({ name }) => name))).not.toContain('web1-root');
  });

  test('a dry run shows the copy, and changes nothing', async () => {
    const before = host.snapshot();

    const { code, stdout } = await typed(create, { dryRun: true });

    expect([code, stdout]).toMatchObject([0, expect.stringMatching(/tar --create .*\/srv\/root/)]);
    expect(host.snapshot()).toBe(before);
  });
});
