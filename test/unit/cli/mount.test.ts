import { beforeEach, describe, expect, it } from 'vitest';
import * as answers from '../../../src/cli/output/answers/index.ts';
import { add, list, remove } from '../../../src/cli/verbs/mount/mount.ts';
import * as tables from '../../../src/cli/verbs/mount/tables.ts';
import { RefusedError, UsageError } from '../../../src/core/errors.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { testRuntime } from './support/runtime.ts';

const device = '/dev/vg0/web1';
let host: SimulatedHost;
beforeEach(() => {
  host = simulatedHost();
  host.admin.lvcreate({ vg: 'vg0', name: 'web1', extents: 4 });
  const uuid = '5e1f0000-0000-4000-8000-000000000001';
  host.admin.format(device, { type: 'ext4', usage: 'filesystem', uuid, version: '1.0' });
});

const at = (said: Parameters<typeof testRuntime>[1] = {}) => testRuntime(simulatedBofh({ host }), said);

describe('bofh mount list', () => {
  it('shows what has a device or a directory for a source, and with --all everything', async () => {
    host.admin.mount(device, '/mnt');
    const some = at({ json: true });
    await list(some.runtime, {});
    const all = at({ json: true });
    await list(all.runtime, { all: true });

    const shown = answers.mountList.parse(JSON.parse(some.stdout()));
    expect(shown.map(({ source, path }) => [source, path])).toEqual([
      ['/dev/vda', '/'],
      [device, '/mnt'],
    ]);
    expect(answers.mountList.parse(JSON.parse(all.stdout())).map(({ path }) => path)).toContain('/proc');
  });

  it('is a table for people, with the directory of what is bound', async () => {
    await add(at().runtime, { device: '/etc', path: '/mnt' }, { bind: true });
    const { runtime, stdout } = at();
    await list(runtime, {});
    expect(stdout()).toMatch(/^ID +PATH +SOURCE +TYPE +OPTIONS\n/);
    expect(stdout()).toMatch(/^\d+ +\/mnt +\/dev\/vda\[\/etc\] +ext4 +rw,relatime$/m);
  });
});

it('bofh mount list calls read-only what is so by its mount alone', async () => {
  host.admin.mount(device, '/mnt');
  await add(at().runtime, { device: '/mnt', path: '/srv' }, { bind: true, readOnly: true });
  const { runtime, stdout } = at();
  await list(runtime, {});
  expect(stdout()).toMatch(/ \/srv +\S+ +ext4 +ro,relatime$/m);
});

describe('bofh mount add and remove', () => {
  it('mounts with the options that were typed, and says where', async () => {
    const { runtime, stdout } = at({ json: true });
    expect(await add(runtime, { device, path: '/mnt' }, { options: 'nodev,noatime', readOnly: true })).toBe(
      0,
    );
    expect(answers.mountAdd.parse(JSON.parse(stdout()))).toEqual({ source: device, path: '/mnt' });
    expect(host.world.mounts.at(-1)).toMatchObject({ path: '/mnt', options: 'ro,nodev,noatime' });
  });

  it('makes a directory when none is named', async () => {
    const { runtime, stdout } = at();
    await add(runtime, { device, path: undefined }, {});
    expect(stdout()).toMatch(/^\/dev\/vg0\/web1 is mounted on \/run\/bofh\/mnt\/bofh\./);
  });

  it('unmounts again, only the mount that was meant', async () => {
    const { id } = host.admin.mount(device, '/mnt');
    await expect(remove(at().runtime, '/mnt', { mountId: String(id + 1) })).rejects.toThrow(RefusedError);
    await expect(remove(at().runtime, '/mnt', { mountId: '4x' })).rejects.toThrow(UsageError);
    const { runtime, stdout } = at({ json: true });
    expect(await remove(runtime, '/mnt', { mountId: String(id) })).toBe(0);
    expect(answers.mountRemove.parse(JSON.parse(stdout()))).toEqual({ source: device, path: '/mnt' });
    expect(host.world.mounts.some(({ path }) => path === '/mnt')).toBe(false);
  });

  it('refuses a password before it is logged anywhere', async () => {
    const lines: string[] = [];
    host.faults.watch(({ tool, stdin }) => {
      if (tool === 'logger') lines.push(stdin?.trimEnd() ?? '');
    });
    const typed = add(at().runtime, { device, path: '/mnt' }, { options: 'nodev,password=geheim' });
    await expect(typed).rejects.toThrow(UsageError);
    await expect(typed).rejects.not.toThrow(/geheim/);
    expect(lines).toEqual([]);
    expect(host.changes).toEqual([]);
  });
});

describe('bofh mount fstab and crypttab', () => {
  it('list every line, and no password', async () => {
    host.admin.writeFile(
      '/etc/fstab',
      '# c\n/dev/a / ext4 defaults 0 1\n//s/x /c cifs user=a,password=geheim\n',
    );
    const { runtime, stdout } = at({ json: true });
    await tables.listFstab(runtime);
    expect(stdout()).not.toContain('geheim');
    expect(answers.fstabList.parse(JSON.parse(stdout()))).toEqual([
      {
        line: 2,
        device: '/dev/a',
        path: '/',
        type: 'ext4',
        options: ['defaults'],
        dump: 0,
        pass: 1,
        unreadable: null,
      },
      {
        line: 3,
        device: '//s/x',
        path: '/c',
        type: 'cifs',
        options: ['user=…', 'password=…'],
        dump: 0,
        pass: 0,
        unreadable: null,
      },
    ]);
  });

  it('list a line that is not understood, and refuse only what touches it', async () => {
    const text = '/dev/vda / ext4 defaults 0 1\n/dev/b /b ext4 defaults # geheim\n';
    host.admin.writeFile('/etc/fstab', text);
    const { runtime, stdout, stderr } = at();
    await tables.listFstab(runtime);
    expect(stdout()).toContain('not understood');
    expect(stderr()).toBe(
      '/etc/fstab: line 2 is not understood: its fifth field is not a number: a comment needs a line of its own',
    );
    await tables.addFstab(at().runtime, { device, path: '/mnt' }, { type: 'ext4' });
    expect(host.admin.readFile('/etc/fstab')).toBe(`${text}${device} /mnt ext4 defaults 0 0\n`);
    for (const touched of ['/b', '/b/', '/dev/b'])
      await expect(tables.removeFstab(at().runtime, touched)).rejects.toThrow('line 2 is not understood');
    await expect(tables.addFstab(at().runtime, { device, path: '/b' }, { type: 'ext4' })).rejects.toThrow(
      'line 2 is not understood',
    );

    // findmnt 2.41 gives up at such a line.
    const seen: string[] = [];
    host.faults.watch(({ tool, argv }) => {
      if (tool === 'findmnt') seen.push(host.admin.readFile(argv.at(-1) ?? ''));
    });
    await tables.removeFstab(at().runtime, '/mnt');
    expect(seen).toEqual([
      `/dev/vda / ext4 defaults 0 1\n#\n${device} /mnt ext4 defaults 0 0\n`,
      '/dev/vda / ext4 defaults 0 1\n#\n',
    ]);
    expect(host.admin.readFile('/etc/fstab')).toBe(text);

    host.admin.writeFile('/etc/crypttab', 'a b c d # e\n');
    const listed = at();
    await tables.listCrypttab(listed.runtime);
    expect(listed.stderr()).toContain('/etc/crypttab: line 1 is not understood');
    await expect(tables.removeCrypttab(at().runtime, 'a')).rejects.toThrow('line 1 is not understood');
  });

  it('change the field that is named, and no other byte of the line', async () => {
    const table = (field: string): string => `/dev/vda\t/  ext4 ${field} 0  1 # root\r\n`;
    host.admin.writeFile('/etc/fstab', table('defaults'));
    await tables.changeFstab(at().runtime, '/', { options: 'context="a:c1,c2",noatime' });
    expect(host.admin.readFile('/etc/fstab')).toBe(table('context="a:c1,c2",noatime'));
  });

  it('list nothing where there is no crypttab, and say so', async () => {
    const { runtime, stdout, stderr } = at();
    await tables.listCrypttab(runtime);
    expect([stdout(), stderr()]).toEqual(['', '/etc/crypttab has no line, or is not there']);
  });

  it('add, change and remove a line, and say what makes systemd read it', async () => {
    const said = at({ json: true });
    await tables.addFstab(
      said.runtime,
      { device, path: '/mnt' },
      { type: 'ext4', options: 'nodev', pass: '2', dump: '0' },
    );
    expect(answers.tableEdit.parse(JSON.parse(said.stdout()))).toEqual({
      ...{ file: '/etc/fstab', line: `${device} /mnt ext4 nodev 0 2`, next: 'systemctl daemon-reload' },
    });
    await tables.changeFstab(at().runtime, '/mnt', { options: 'ro', path: '/srv' });
    expect(host.admin.readFile('/etc/fstab')).toContain(`${device} /srv ext4 ro 0 2\n`);
    const gone = at();
    await tables.removeFstab(gone.runtime, '/srv');
    expect(gone.stdout()).toContain('the line is out of /etc/fstab');
    expect(host.admin.readFile('/etc/fstab')).toBe('/dev/vda / ext4 defaults 0 1\n');

    await tables.addCrypttab(at().runtime, { name: 'web1', device }, { options: 'luks' });
    await tables.changeCrypttab(at().runtime, 'web1', { name: 'web2', keyFile: '/dev/urandom' });
    const listed = at({ json: true });
    await tables.listCrypttab(listed.runtime);
    expect(answers.crypttabList.parse(JSON.parse(listed.stdout()))).toEqual([
      { line: 1, name: 'web2', device, key: '/dev/urandom', options: ['luks'], unreadable: null },
    ]);
    await tables.removeCrypttab(at().runtime, 'web2');
    expect(host.admin.readFile('/etc/crypttab')).toBe('');
  });

  it('name the options where nothing is said to change, and their own list where no line is found', async () => {
    await expect(tables.changeFstab(at().runtime, '/', {})).rejects.toMatchObject({
      message: 'nothing is said to change in the line',
      remedy: 'give --device, --path, --type, --options, --dump or --pass',
    });
    await expect(tables.changeCrypttab(at().runtime, 'web1', {})).rejects.toMatchObject({
      remedy: 'give --device, --name, --key-file or --options',
    });
    await expect(tables.removeFstab(at().runtime, '/nope')).rejects.toMatchObject({
      remedy: 'bofh mount fstab list',
    });
    await expect(tables.removeCrypttab(at().runtime, 'nope')).rejects.toMatchObject({
      remedy: 'bofh mount crypttab list',
    });
  });

  it('refuse a password and a number that is none, before anything is logged', async () => {
    const asked = { device: '//s/x', path: '/mnt' };
    const add = (options: Record<string, string>) =>
      tables.addFstab(at().runtime, asked, { type: 'cifs', ...options });
    await expect(add({ options: 'user=a%geheim' })).rejects.toThrow(UsageError);
    await expect(add({ pass: 'two' })).rejects.toThrow(UsageError);
    expect(host.changes).toEqual([]);
  });
});
