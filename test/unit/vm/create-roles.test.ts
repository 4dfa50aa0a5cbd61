import { beforeEach, describe, expect, test } from 'vitest';
import { qcow2 } from '../../../src/simulator/tools/copy/qemu-img.ts';
import { fork } from '../../../src/simulator/fork.ts';
import type { SimulatedHost } from '../../../src/simulator/index.ts';
import { atomic, vm, withBofh } from '../../../src/index.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { typedOn } from '../cli/support/run-verb.ts';
import { testRuntime } from '../cli/support/runtime.ts';
import { ownUuid, smallSystem } from '../../support/undo/stage.ts';
import { argvOf, bofhOn, hostWithSource } from '../simulator/support.ts';

const create = 'vm create web1 --source tar:/srv/debian.tar --size 64m --memory 128m';
const web = '/etc/bofh/roles.d/web';

let host: SimulatedHost;
beforeEach(() => {
  host = hostWithSource();
  host.addTar('/srv/debian.tar', [
    ...smallSystem,
    { path: './usr/sbin/ifup', content: 'program', mode: 0o755 },
    ...['./proc/', './sys/', './dev/', './run/'].map((path) => ({ path, type: 'directory' as const })),
  ]);
  host.admin.mkdir('/mnt');
  host.admin.writeFile(web, '#!/bin/sh\necho the web role\necho welcome >/etc/motd\n', 0o755);
});

const typed = (line: string, settings: Parameters<typeof testRuntime>[1] = {}) =>
  typedOn(bofhOn(host), line, settings);

function inDisk(disk: string, path: string): string {
  host.admin.mount(`/dev/vg0/web1-${disk}`, '/mnt');
  const text = host.admin.readFile(`/mnt/${path}`);
  host.admin.umount('/mnt');
  return text;
}

const script = () =>
  host.changes.flatMap((each) =>
    each.what === 'command' && each.command.argv.includes(web) ? [each.command.argv] : [],
  );

describe('vm create --role', () => {
  test('runs the script in the root before the start, with a name and an address', async () => {
    const { code, stderr } = await typed(
      `${create} --bridge xenbr0 --ip 192.0.2.10/24 --role web --role-timeout 20m --start`,
    );

    expect([code, stderr]).toMatchObject([0, '']);
    expect(inDisk('root', 'etc/motd')).toBe('welcome\n');
    expect(script().map((argv) => argv.slice(-3))).toEqual([[web, 'NAME=web1', 'ADDRESS=192.0.2.10']]);
    const tools = host.changes.flatMap((each) => (each.what === 'command' ? [each.command.tool] : []));
    expect(tools.indexOf('unshare')).toBeLessThan(tools.indexOf('xl'));
  });

  test('mounts the data disks for it, and unmounts them', async () => {
    host.admin.writeFile(web, '#!/bin/sh\necho hello >/srv/www/index\n', 0o755);

    await typed(`${create} --disk data=16m,mount=/srv/www --role web`);

    expect(inDisk('data', 'index')).toBe('hello\n');
    expect(host.world.mounts.filter(({ path }) => path.startsWith('/run/bofh'))).toEqual([]);
  });

  test('runs it in the root of an image too', async () => {
    const superblock = { type: 'ext4', usage: 'filesystem', uuid: ownUuid, version: '1.0' } as const;
    const files = Object.fromEntries(['proc', 'sys', 'dev', 'etc'].map((path) => [`${path}/x`, '']));
    host.admin.writeFile('/srv/web.qcow2', qcow2({ size: 64 * 1024 ** 2, superblock, files }));

    await typed('vm create web1 --source image:/srv/web.qcow2 --memory 128m --role web');

    expect(inDisk('root', 'etc/motd')).toBe('welcome\n');
  });

  test('undoes everything if it fails, and shows its last lines', async () => {
    host.admin.writeFile(web, '#!/bin/sh\necho one\necho no such package >&2\nexit 7\n', 0o755);
    const before = host.snapshot();

    const failed = await rejectionOf(typed(`${create} --disk data=16m,mount=/srv --role web`));

    expect(String(failed)).toMatch(
      /failed and was rolled back: the script .*web failed: exit 7; it said last: one/,
    );
    expect(host.snapshot()).toBe(before);
  });

  test.each(['restart', 'reboot'])(
    'is undone by recovery if bofh is killed while it runs: %s',
    async (then) => {
      host.admin.writeFile(web, '#!/bin/sh\necho a >/etc/motd\necho b >/srv/x\n', 0o755);
      const before = (then === 'reboot' ? fork(host).reboot() : host).snapshot();
      host.fault({ step: 'copy.script', tool: 'unshare', mode: 'acts then crash' });
      await rejectionOf(typed(`${create} --disk data=16m,mount=/srv --role web`));
      host.clearFaults();
      host = then === 'reboot' ? host.reboot() : host.restart();

      expect(await typed('recover')).toMatchObject({ code: 0 });
      expect(host.snapshot()).toBe(before);
    },
  );

  test.each([
    ['a path', '--role ../web', /--role "\.\.\/web": must be the name of a file in \/etc\/bofh\/roles\.d/],
    [
      'one that is not there',
      '--role mail',
      /--role "mail": there is no such file.*roles of this site: web/s,
    ],
    ['one twice', '--role web --role web', /--role "web" is given twice/],
    ['a limit without a role', '--role-timeout 5m', /--role-timeout needs --role or --provision/],
    ['no time at all', '--role web --role-timeout 0s', /role timeout ms/],
  ])('refuses %s, and changes nothing', async (_, options, why) => {
    const before = host.snapshot();

    expect(String(await rejectionOf(typed(`${create} ${options}`)))).toMatch(why);
    expect(host.snapshot()).toBe(before);
  });

  test('refuses a file that is not executable, and one that others can write', async () => {
    host.admin.writeFile(web, '#!/bin/sh\n', 0o644);
    expect(String(await rejectionOf(typed(`${create} --role web`)))).toMatch(/web is not executable/);
    host.admin.writeFile(web, '#!/bin/sh\n', 0o777);
    expect(String(await rejectionOf(typed(`${create} --role web`)))).toMatch(/another user could replace it/);
  });

  test('refuses a source without the required directories', async () => {
    host.addTar('/srv/debian.tar', smallSystem);

    expect(String(await rejectionOf(typed(`${create} --role web`)))).toMatch(
      /no directory \/proc, \/sys, \/dev, which a role needs/,
    );
  });

  test('a dry run says which scripts would run', async () => {
    const { stderr } = await typed(`${create} --role web`, { dryRun: true });

    expect(stderr).toContain(`dry run: ${web} would run in the guest: its effect is unknown`);
  });

  test('--provision applies a description after the roles, with this Node.js and this bofh', async () => {
    host.admin.writeFile('/srv/web.ts', '// echo described >/etc/issue\n');
    const { code } = await typed(`${create} --role web --provision /srv/web.ts --role-timeout 20m`);

    expect(code).toBe(0);
    expect([inDisk('root', 'etc/motd'), inDisk('root', 'etc/issue')]).toEqual(['welcome\n', 'described\n']);
    const ran = argvOf(host, 'unshare');
    expect(ran.map((argv) => argv.slice(argv.indexOf('/dev/vg0/web1-root') + 1))).toEqual([
      [web, 'NAME=web1', 'ADDRESS='],
      ['/srv/web.ts', process.execPath, expect.stringMatching(/\/dist\/bofh\.cjs$/), 'NAME=web1', 'ADDRESS='],
    ]);
  });

  test('undoes everything when a description fails, and shows its lines with the paths of this host', async () => {
    const said = 'bofh: /run/bofh-host/srv/web.ts:3: no\n// echo   host: unchanged\n// echo   next: yes';
    host.admin.writeFile('/srv/web.ts', `// echo ${said}\n// exit 5\n`);
    const before = host.snapshot();

    expect(String(await rejectionOf(typed(`${create} --provision /srv/web.ts`)))).toMatch(
      /the description \/srv\/web\.ts failed: exit 5; it said last: bofh: \/srv\/web\.ts:3: no \/   next: yes$/,
    );
    expect(host.snapshot()).toBe(before);
  });

  test.each<readonly [string, (host: SimulatedHost) => void, RegExp]>([
    ['is missing', () => undefined, /there is no file \/srv\/web\.ts/],
    [
      'another user can change',
      (on) => {
        on.admin.writeFile('/srv/web.ts', '');
        on.admin.chown('/srv/web.ts', 33);
      },
      /another user could/,
    ],
    [
      'the source has no place for',
      (on) => {
        on.admin.writeFile('/srv/web.ts', '');
        on.addTar('/srv/debian.tar', smallSystem);
      },
      /no directory \/proc, \/sys, \/dev.*, which a description needs/,
    ],
    [
      'needs more places than a role',
      (on) => {
        on.admin.writeFile('/srv/web.ts', '');
        const places = ['./proc/', './sys/', './dev/'].map((path) => ({ path, type: 'directory' as const }));
        on.addTar('/srv/debian.tar', [...smallSystem, ...places]);
      },
      /no directory \/run, which a description needs/,
    ],
  ])('a description that %s is refused before anything changes', async (_, spoil, why) => {
    spoil(host);
    const [before, changes] = [host.snapshot(), host.changes.length];

    expect(String(await rejectionOf(typed(`${create} --provision /srv/web.ts`)))).toMatch(why);
    expect([host.snapshot(), host.changes.length]).toEqual([before, changes]);
  });

  test('is in the library too', async () => {
    await withBofh(bofhOn(host), () =>
      vm.create({ name: 'web1', source: 'tar:/srv/debian.tar', size: '64m', memory: '128m', roles: ['web'] }),
    );

    expect(inDisk('root', 'etc/motd')).toBe('welcome\n');
  });
});

describe('tx.copy.script', () => {
  test('refuses a filesystem of another sequence', async () => {
    await typed(create);
    const device = '/dev/vg0/web1-root';
    const before = host.snapshot();
    const lv = host.world.lvm.flatMap(({ lvs }) => lvs).find(({ name }) => name === 'web1-root');
    const filesystem = host.world.live.get(`lv:${lv?.uuid ?? ''}`)?.superblock?.uuid ?? '';
    const mounts = [{ device, filesystem, type: 'ext4', target: '/' }];

    const failed = withBofh(bofhOn(host), () =>
      atomic('test', (tx) => tx.copy.script({ script: web, mounts, made: 'filesystem' })),
    );

    expect(String(await rejectionOf(failed))).toMatch(
      /is undone only when filesystem .* is removed, but this sequence did not create/,
    );
    expect(host.snapshot()).toBe(before);
  });
});
