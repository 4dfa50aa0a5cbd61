import {
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import type { AddressInfo } from 'node:net';
import type { Server } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { afterAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { withBofh } from '../../src/bofh.ts';
import { type Bofh } from '../../src/connect.ts';
import {
  ConnectionError,
  provision as hosts,
  type HostDescription,
  lvm,
  RefusedError,
  RolledBackError,
  runScript,
  xen,
} from '../../src/index.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../src/simulator/index.ts';
import { builtCommand, run as runProgram } from './cli/support/built.ts';
import { pageOf, type Ran, runScriptIn } from '../support/pages.ts';
import { smallSystem } from '../support/undo/stage.ts';

const mib = 1024 ** 2;
const folder = join(import.meta.dirname, '../../examples');
const work = mkdtempSync(join(tmpdir(), 'bofh-examples-'));
afterAll(() => rmSync(work, { recursive: true, force: true }));

/** Runs an example on a simulated host. */
const run = (name: string, host: SimulatedHost, ...args: readonly string[]): Promise<Ran> =>
  runScriptIn(simulatedBofh({ host }), join(folder, name), { args });

const on = <T>(host: SimulatedHost, body: () => T): T => withBofh(simulatedBofh({ host }), body);

it('each example is in the table of its page, and has a test', () => {
  const here = pageOf('test/unit/examples.test.ts') + pageOf('test/loop/examples.test.ts');
  const page = pageOf('examples/README.md');
  const names = readdirSync(folder).filter((name) => name !== 'README.md');
  expect(names).not.toEqual([]);
  for (const name of names) expect([page.includes(`(${name}`), here.includes(name)]).toEqual([true, true]);
});

describe('guests-from-csv.ts', { timeout: 300_000 }, () => {
  function dom0(): SimulatedHost {
    const host = simulatedHost({
      volumeGroups: [{ name: 'vg0', size: 8 * 1024 * mib }],
      memory: '16g',
    });
    host.addTar('/srv/bookworm.tar', [
      ...smallSystem,
      { path: './usr/', type: 'directory' },
      { path: './usr/lib/', type: 'directory' },
      { path: './usr/lib/systemd/', type: 'directory' },
      { path: './usr/lib/systemd/systemd-networkd', content: 'x', mode: 0o755 },
    ]);
    return host;
  }

  const csv = join(folder, 'guests.csv');
  const results = ({ tables }: Ran): readonly string[] =>
    (tables as readonly (readonly { readonly name: string; readonly result: string }[])[]).flatMap((rows) =>
      rows.map(({ name, result }) => `${name} ${result}`),
    );

  it('creates forty guests, and changes nothing the second time', async () => {
    const host = dom0();
    const first = await run('guests-from-csv.ts', host, csv);
    expect(results(first)).toHaveLength(40);

    expect(results(first).filter((row) => !row.endsWith(' created'))).toEqual([]);
    expect(await on(host, () => xen.allDomus())).toHaveLength(40);
    const volumes = await on(host, () => lvm.lvs());
    expect(volumes.filter(({ name }) => name.endsWith('-data'))).toHaveLength(30);

    const before = host.snapshot();
    const second = await run('guests-from-csv.ts', host, csv);
    expect(results(second).filter((row) => !row.endsWith(' unchanged'))).toEqual([]);
    expect(host.snapshot()).toBe(before);
    expect([first.exitCode, second.exitCode]).toEqual([undefined, undefined]);
  });

  it('continues after a guest that fails, prints why and fails at the end', async () => {
    const host = dom0();
    host.admin.lvcreate({ vg: 'vg0', name: 'web02-data', extents: 9 });
    const file = join(work, 'three.csv');
    writeFileSync(file, pageOf('examples/guests.csv').split('\n').slice(0, 4).join('\n'));

    const ran = await run('guests-from-csv.ts', host, file);

    expect(results(ran)).toEqual(['web01 created', 'web02 failed', 'web03 created']);
    expect(JSON.stringify(ran.tables)).toContain('there is a logical volume vg0/web02-data already');
    expect(ran.exitCode).toBe(6);
  });
});

describe('http-service.ts', () => {
  it('creates a volume once, and answers by the code of the error', async () => {
    const host = simulatedHost({ volumeGroups: [{ name: 'vg0', size: 1024 * mib }] });
    const { exports } = await run('http-service.ts', host);
    const { serve } = exports as { readonly serve: (port: number) => Promise<Server> };
    const server = await on(host, () => serve(0));
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo;
    const post = async (body: string) => {
      const answer = await fetch(`http://127.0.0.1:${String(port)}/volumes`, { method: 'POST', body });
      return [answer.status, (await answer.json()) as Record<string, unknown>] as const;
    };
    const web1 = JSON.stringify({ name: 'web1', size: '64m' });

    const both = await Promise.all([post(web1), post(web1)]);
    expect(both.map(([status, { path }]) => [status, path])).toEqual([
      [201, '/dev/vg0/web1'],
      [201, '/dev/vg0/web1'],
    ]);
    expect(both.map(([, { changed }]) => changed).sort()).toEqual([false, true]);
    const answers = [
      await post('{'),
      await post('{"name":"web 2","size":"64m"}'),
      await post('{"name":"web1","size":"128m"}'),
      await post('{"name":"web3","size":"10g"}'),
    ];
    expect(answers.map(([status, { code }]) => [status, code])).toEqual([
      [400, undefined],
      [400, 'invalid'],
      [409, 'differs'],
      [507, 'no-space'],
    ]);
    host.fault({ tool: 'mkfs.ext4', mode: 'acts then fails' });
    const before = host.snapshot();
    expect(await post('{"name":"web4","size":"64m"}')).toMatchObject([500, { code: 'rolled-back' }]);
    expect(host.snapshot()).toBe(before);
    const list = await fetch(`http://127.0.0.1:${String(port)}/volumes`);
    expect(await list.json()).toMatchObject([{ fullName: 'vg0/web1' }]);
  });
});

describe('inventory.ts', () => {
  function small(): SimulatedHost {
    const host = simulatedHost();
    host.admin.lvcreate({ vg: 'vg0', name: 'web1-root', extents: 4 });
    host.admin.lvcreate({ vg: 'vg0', name: 'data', extents: 2 });
    host.admin.format('/dev/vg0/data', {
      ...{ type: 'ext4', usage: 'filesystem', version: '1.0', label: 'a,"b"' },
      uuid: '0c0ffee0-0000-4000-8000-000000000001',
    });
    host.admin.mkdir('/srv/data');
    host.admin.mount('/dev/vg0/data', '/srv/data');
    host.admin.writeFile(
      '/etc/xen/web1.cfg',
      "name = 'web1'\nmemory = 64\nkernel = '/vmlinuz'\ndisk = ['phy:/dev/vg0/web1-root,xvda,w']\n",
    );
    return host;
  }

  it('lists volumes with what uses them, and changes nothing', async () => {
    const host = small();
    const before = host.snapshot();
    const { printed } = await run('inventory.ts', host);
    expect(printed).toEqual([
      'host,volume,bytes,content,label,mounted,guest',
      `localhost,vg0/data,${String(8 * mib)},ext4,"a,""b""",/srv/data,`,
      `localhost,vg0/web1-root,${String(16 * mib)},blank,,,web1`,
    ]);
    expect(host.snapshot()).toBe(before);
  });

  it('continues after one unreachable host', async () => {
    const host = small();
    const bofh = simulatedBofh({ host });
    const down = new ConnectionError('web9 cannot be reached', { host: 'web9', connection: 'none' });
    const planned: Bofh = {
      ...bofh,
      planning: true,
      engine: {
        ...bofh.engine,
        place: (name) =>
          name === 'web9'
            ? { host: { ...host, run: async () => Promise.reject(down) }, on: bofh.engine.on }
            : { host, on: bofh.engine.on },
      },
    };
    const ran = await runScriptIn(planned, join(folder, 'inventory.ts'), { args: ['web9', 'web1'] });
    expect(ran.complained.join('\n')).toContain('web9 cannot be reached');
    expect(ran.printed.slice(1).map((line) => line.split(',')[0])).toEqual(['web1', 'web1']);
    expect(ran.exitCode).toBe(6);

    host.fault({ tool: 'lvs', access: 'read', mode: 'garbage answer' });
    await expect(run('inventory.ts', host)).rejects.toMatchObject({ code: 'not-understood' });
  });
});

describe('nightly-snapshots.ts', () => {
  it('needs three words', async () => {
    await expect(run('nightly-snapshots.ts', simulatedHost(), '/srv')).rejects.toThrow('usage:');
  });
});

describe('the tests of an example', () => {
  it.each([
    ['test-a-script', 6],
    ['own-operation', 15],
  ])('pass in a project of its own, with the package: %s', { timeout: 240_000 }, async (name, count) => {
    const project = join(work, `project-${name}`);
    const installed = join(project, 'node_modules/bofh');
    cpSync(join(folder, name), project, { recursive: true });
    mkdirSync(installed, { recursive: true });
    copyFileSync(join(folder, '../package.json'), join(installed, 'package.json'));
    symlinkSync(dirname(await builtCommand()), join(installed, 'dist'));
    symlinkSync(join(folder, '../node_modules/vitest'), join(project, 'node_modules/vitest'));
    writeFileSync(join(project, 'package.json'), '{"type":"module"}');

    const vitest = join(project, 'node_modules/vitest/vitest.mjs');
    const ended = await runProgram(process.execPath, [vitest, 'run'], { cwd: project });

    expect(stripVTControlCharacters(ended.stdout)).toContain(
      `Tests  ${String(count)} passed (${String(count)})`,
    );
    expect(ended.exitCode).toBe(0);
  });
});

describe('adopt-volumes.ts', () => {
  function handMade(): SimulatedHost {
    const host = simulatedHost();
    for (const name of ['web1_disk', 'web1_swp', 'web1_disk2'])
      host.admin.lvcreate({ vg: 'vg0', name, extents: 4 });
    host.admin.writeFile(
      '/etc/fstab',
      '# ours\n/dev/mapper/vg0-web1_disk /srv/web1 ext4 noauto 0 2\n/dev/vg0/web1_swp none swap sw,noauto 0 0\n',
    );
    host.admin.mkdir('/srv/web1');
    host.admin.writeFile(
      '/etc/xen/web1.cfg',
      "name = 'web1'\nmemory = 64\nkernel = '/vmlinuz'\ndisk = ['phy:/dev/vg0/web1_disk,xvda,w', 'phy:/dev/vg0/web1_disk2,xvdb,w']\n",
    );
    return host;
  }
  const words = ['vg0', 'web1_disk=web1-root', 'web1_swp=web1-swap'];

  it('renames volumes and everything that contains their names', async () => {
    const host = handMade();
    const { printed } = await run('adopt-volumes.ts', host, ...words);

    expect(printed).toEqual(['vg0/web1_disk is vg0/web1-root now', 'vg0/web1_swp is vg0/web1-swap now']);
    const volumes = await on(host, () => lvm.lvs());
    expect(volumes.map(({ name, tags }) => [name, tags])).toEqual([
      ['web1-root', ['managed']],
      ['web1-swap', ['managed']],
      ['web1_disk2', []],
    ]);
    expect(host.admin.readFile('/etc/fstab')).toBe(
      '# ours\n/dev/vg0/web1-root /srv/web1 ext4 noauto 0 2\n/dev/vg0/web1-swap none swap sw,noauto 0 0\n',
    );
    expect(host.admin.readFile('/etc/xen/web1.cfg')).toContain(
      "disk = ['phy:/dev/vg0/web1-root,xvda,w', 'phy:/dev/vg0/web1_disk2,xvdb,w']",
    );
  });

  it('skips a volume that is in use, names its holder, and does the others', async () => {
    const host = handMade();
    host.admin.format('/dev/vg0/web1_disk', {
      ...{ type: 'ext4', usage: 'filesystem', version: '1.0' },
      uuid: '0c0ffee0-0000-4000-8000-000000000001',
    });
    host.admin.mount('/dev/vg0/web1_disk', '/srv/web1');
    const ran = await run('adopt-volumes.ts', host, ...words);
    expect(ran.printed).toEqual(['vg0/web1_swp is vg0/web1-swap now']);
    expect(ran.complained.join('\n')).toContain('/srv/web1');
    expect(ran.exitCode).toBe(6);
  });

  it('changes nothing of a volume if one part fails', async () => {
    const host = handMade();
    const before = host.snapshot();
    host.fault({ tool: 'lvchange', argvIncludes: '--addtag', mode: 'acts then fails' });
    await expect(run('adopt-volumes.ts', host, ...words)).rejects.toBeInstanceOf(RolledBackError);
    expect(host.snapshot()).toBe(before);
    await expect(run('adopt-volumes.ts', host, 'vg0', 'nope=x')).rejects.toBeInstanceOf(RefusedError);
  });
});

describe('photo-host.ts', () => {
  it('is applied once, and has nothing to do the second time', async () => {
    const host = simulatedHost();
    host.admin.mkdir('/srv');
    host.admin.writeFile('/etc/hosts', '127.0.0.1 localhost\n');
    host.admin.writeFile('/etc/fstab', '# by hand\n');
    host.admin.writeFile('/etc/photos.conf', 'old\n');
    const apply = () =>
      on(host, async () => {
        const { default: description } = (await runScript(join(folder, 'photo-host.ts'))) as {
          readonly default: HostDescription;
        };
        return await hosts.apply(description);
      });
    expect((await apply()).map(({ action, name }) => `${action} ${name}`)).toEqual([
      'create /srv/photos',
      'create lvm.createLv vg0 photos',
      'create filesystem.create /dev/vg0/photos',
      'create mount.mount /srv/photos',
      'create mount.addFstab /srv/photos /dev/vg0/photos',
      'create /srv/photos/incoming',
      'create /srv/photos/index.html',
      'create /etc/photos',
      'change /etc/hosts',
      'remove /etc/photos.conf',
    ]);
    const after = host.snapshot();
    expect(await apply()).toEqual([]);
    expect(host.snapshot()).toBe(after);
  });
});

describe('web-host.ts and hosting.ts, which test/container/examples.test.ts runs with the real programs', () => {
  function server(): SimulatedHost {
    const host = simulatedHost();
    for (const path of [
      '/srv',
      '/etc/ssl/private',
      '/etc/ssl/certs',
      '/etc/systemd/system',
      '/usr/lib/systemd/system',
      '/etc/skel',
      '/var/lib',
    ])
      host.admin.mkdir(path);
    host.admin.writeFile('/etc/fstab', '# by hand\n');
    host.admin.install([{ name: 'dpkg', version: '1.21.22' }]);
    const unit =
      '[Service]\nExecStart=/usr/sbin/x\nExecReload=/bin/kill -HUP\n[Install]\nWantedBy=multi-user.target\n';
    for (const name of ['nginx', 'mariadb'])
      host.admin.writeFile(`/usr/lib/systemd/system/${name}.service`, unit);
    for (const path of ['/etc/nginx/conf.d', '/etc/mysql/mariadb.conf.d']) host.admin.mkdir(path);
    host.admin.publish(['nginx', 'mariadb-server', 'openssl'].map((name) => ({ name, version: '1' })));
    return host;
  }

  it('the database has a volume of its own before its package comes', async () => {
    const host = server();
    vi.stubEnv('DATABASE_VG', 'vg0');
    try {
      const apply = () =>
        on(host, async () => {
          const { default: description } = (await runScript(join(folder, 'web-host.ts'))) as {
            readonly default: HostDescription;
          };
          return await hosts.apply(description);
        });
      expect((await apply()).map(({ action, name }) => `${action} ${name}`)).toEqual([
        'create /var/lib/mysql',
        'create lvm.createLv vg0 mysql',
        'create filesystem.create /dev/vg0/mysql',
        'create mount.mount /var/lib/mysql',
        'create mount.addFstab /var/lib/mysql /dev/vg0/mysql',
        'change mariadb-server nginx openssl',
        'create /etc/mysql/mariadb.conf.d/90-web.cnf',
        'change mariadb.service',
        'change certificate',
        'create /srv/web',
        'create /srv/web/index.html',
        'create /etc/nginx/conf.d/web.conf',
        'change nginx.service',
      ]);
      expect(await apply()).toEqual([]);
    } finally {
      vi.unstubAllEnvs();
    }
  });

  it('an application and its next version: the build comes before the link, the restart after it', async () => {
    const host = server();
    host.admin.mkdir('/srv');
    host.admin.publish(['nginx', 'git', 'python3-venv'].map((name) => ({ name, version: '1' })));
    const apply = (revision: string) =>
      on(host, async () => {
        vi.stubEnv('REVISION', revision);
        const { default: description } = (await runScript(join(folder, 'app-host.ts'))) as {
          readonly default: HostDescription;
        };
        return (await hosts.apply(description)).map(({ action, name }) => `${action} ${name}`);
      });
    try {
      expect(await apply('v2.1')).toEqual([
        'change git python3-venv nginx',
        'create shop',
        'create /srv/shop',
        'create /srv/shop/releases',
        'change release-srv-shop',
        'create /srv/shop/current',
        'change old-releases-srv-shop',
        'create /etc/systemd/system/shop.service',
        'change shop.service',
        'create /etc/nginx/conf.d/shop.conf',
        'change nginx.service',
      ]);
      expect(await apply('v2.1')).toEqual([]);
    } finally {
      vi.unstubAllEnvs();
    }
  });

  it('every active customer gets everything, and the second run changes nothing', async () => {
    const host = server();
    const customers = join(folder, 'hosting/customers.json');
    const { printed } = await run('hosting.ts', host, customers);
    expect(printed).toEqual(['15 changes']);
    expect((await run('hosting.ts', host, customers)).printed).toEqual(['0 changes']);
  });
});
