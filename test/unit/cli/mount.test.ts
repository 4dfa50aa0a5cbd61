import { beforeEach, describe, expect, it } from 'vitest';
import * as answers from '../../../src/cli/output/answers/index.ts';
import { RefusedError, UsageError } from '../../../src/core/errors.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { runVerb } from './support/run-verb.ts';
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
const run = (words: string): Promise<number> => runVerb(at().runtime, `mount ${words}`);

describe('bofh mount list', () => {
  it('shows mounts whose source is a device or a directory, and with --all every mount', async () => {
    host.admin.mount(device, '/mnt');
    const some = at({ json: true });
    await runVerb(some.runtime, 'mount list');
    const all = at({ json: true });
    await runVerb(all.runtime, 'mount list --all');

    const shown = answers.mountList.parse(JSON.parse(some.stdout()));
    expect(shown.map(({ source, path }) => [source, path])).toEqual([
      ['/dev/vda', '/'],
      [device, '/mnt'],
    ]);
    expect(answers.mountList.parse(JSON.parse(all.stdout())).map(({ path }) => path)).toContain('/proc');
  });

  it('shows a mount whose source is the tag of a virtiofs', async () => {
    const [root] = host.world.mounts;
    if (root === undefined) throw new TypeError('the root is not mounted');
    const share = { ...root, id: 900, path: '/share', source: 'share', type: 'virtiofs' };
    host.world.mounts = [...host.world.mounts, share];
    const { runtime, stdout } = at();

    await runVerb(runtime, 'mount list');

    expect(stdout()).toMatch(/^900 +\/share +share +virtiofs /m);
  });

  it('prints a table, with the directory of a bind mount', async () => {
    await run('add --bind /etc /mnt');
    const { runtime, stdout } = at();
    await runVerb(runtime, 'mount list');
    expect(stdout()).toMatch(/^ID +PATH +SOURCE +TYPE +OPTIONS\n/);
    expect(stdout()).toMatch(/^\d+ +\/mnt +\/dev\/vda\[\/etc\] +ext4 +rw,relatime$/m);
  });
});

it('bofh mount list shows ro if only the mount is read-only, not the filesystem', async () => {
  host.admin.mount(device, '/mnt');
  await run('add --bind /mnt /srv --read-only');
  const { runtime, stdout } = at();
  await runVerb(runtime, 'mount list');
  expect(stdout()).toMatch(/ \/srv +\S+ +ext4 +ro,relatime$/m);
});

describe('bofh mount add and remove', () => {
  it('mounts with the typed options and prints the path', async () => {
    const { runtime, stdout } = at({ json: true });
    const line = `mount add ${device} /mnt -o nodev,noatime --read-only`;
    expect(await runVerb(runtime, line)).toBe(0);
    expect(answers.mountAdd.parse(JSON.parse(stdout()))).toEqual({ source: device, path: '/mnt' });
    expect(host.world.mounts.at(-1)).toMatchObject({ path: '/mnt', options: 'ro,nodev,noatime' });
  });

  it('prints the path of a directory that is typed without one', async () => {
    host.admin.mkdir(process.cwd());
    const { runtime, stdout } = at({ json: true });
    await runVerb(runtime, 'mount add --bind . /mnt');
    expect(JSON.parse(stdout())).toEqual({ source: process.cwd(), path: '/mnt' });
  });

  it('escapes the control characters of a mount', async () => {
    const path = '/srv/\u001b[2J';
    host.admin.mkdir(path);
    const { runtime, stdout } = at();
    await runVerb(runtime, ['mount', 'add', device, path]);
    await runVerb(runtime, ['mount', 'remove', path]);
    expect(stdout()).not.toContain('\u001b');
    expect(stdout()).toContain('unmounted /dev/dm-0 from /srv/\\x1b[2J');
  });

  it('joins options that are typed apart, as mount(8)', async () => {
    await run(`add ${device} /mnt -o nodev -o noatime,nosuid`);
    expect(host.world.mounts.at(-1)).toMatchObject({ path: '/mnt', options: 'rw,nosuid,nodev,noatime' });
  });

  it.each([
    [`mount add ${device} /srv/a/b`, '/srv/a: there is no such directory', /mkdir --parents \/srv\/a\/b$/],
    ['mount add /dev/vg0/none /mnt', '/dev/vg0/none: there is no such device', /^see all devices/],
  ])('%s: says what is missing, and what to type', async (line, message, remedy) => {
    const error: unknown = await runVerb(at().runtime, line).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      message,
      code: 'not-found',
      remedy: expect.stringMatching(remedy) as unknown,
    });
  });

  it.each([
    [device, `${device} is a device, and mounted on /srv`, 'name the mount point: bofh mount remove /srv'],
    [
      '/srv/no',
      'nothing is mounted on /srv/no: there is no such directory',
      'see every mount: bofh mount list',
    ],
  ])(
    'mount remove %s: says where it is mounted, and names no directory to create',
    async (path, message, remedy) => {
      host.admin.mount(device, '/srv');
      await expect(run(`remove ${path}`)).rejects.toMatchObject({ message, remedy });
    },
  );

  it('creates a directory if no path is given', async () => {
    const { runtime, stdout } = at();
    await runVerb(runtime, `mount add ${device}`);
    expect(stdout()).toMatch(/^\/dev\/vg0\/web1 is mounted on \/run\/bofh\/mnt\/bofh\./);
  });

  it('unmounts only the mount with the given number', async () => {
    const { id } = host.admin.mount(device, '/mnt');
    await expect(run(`remove /mnt --mount-id ${String(id + 1)}`)).rejects.toThrow(RefusedError);
    const wrong = run('remove /mnt --mount-id 4x');
    await expect(wrong).rejects.toThrow(UsageError);
    await expect(wrong).rejects.toThrow('--mount-id 4x: must be a whole number');
    const { runtime, stdout } = at({ json: true });
    expect(await runVerb(runtime, `mount remove /mnt --mount-id ${String(id)}`)).toBe(0);
    expect(answers.mountRemove.parse(JSON.parse(stdout()))).toEqual({ source: device, path: '/mnt' });
    expect(host.world.mounts.some(({ path }) => path === '/mnt')).toBe(false);
  });

  it('refuses a password before it is logged anywhere', async () => {
    const lines: string[] = [];
    host.faults.watch(({ tool, stdin }) => {
      if (tool === 'logger') lines.push(stdin?.trimEnd() ?? '');
    });
    const typed = run(`add ${device} /mnt --options nodev,password=geheim`);
    await expect(typed).rejects.toThrow(UsageError);
    await expect(typed).rejects.not.toThrow(/geheim/);
    expect(lines).toEqual([]);
    expect(host.changes).toEqual([]);
  });
});

describe('bofh mount fstab and crypttab', () => {
  it('list every line without passwords', async () => {
    host.admin.writeFile(
      '/etc/fstab',
      '# c\n/dev/a / ext4 defaults 0 1\n//s/x /c cifs user=a,password=geheim\n',
    );
    const { runtime, stdout } = at({ json: true });
    await runVerb(runtime, 'mount fstab list');
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

  it('list a line that cannot be parsed, and refuse only changes to that line', async () => {
    const text = '/dev/vda / ext4 defaults 0 1\n/dev/b /b ext4 defaults # geheim\n';
    host.admin.writeFile('/etc/fstab', text);
    const { runtime, stdout, stderr } = at();
    await runVerb(runtime, 'mount fstab list');
    expect(stdout()).toContain('could not be parsed');
    expect(stderr()).toBe(
      '/etc/fstab: line 2 could not be parsed: its fifth field is not a number: a comment needs a line of its own',
    );
    await run(`fstab add ${device} /mnt --type ext4`);
    expect(host.admin.readFile('/etc/fstab')).toBe(`${text}${device} /mnt ext4 defaults 0 0\n`);
    for (const touched of ['/b', '/b/', '/dev/b'])
      await expect(run(`fstab remove ${touched}`)).rejects.toThrow('line 2 could not be parsed');
    await expect(run(`fstab add ${device} /b --type ext4`)).rejects.toThrow('line 2 could not be parsed');

    // findmnt 2.41 gives up at such a line.
    const seen: string[] = [];
    host.faults.watch(({ tool, argv }) => {
      if (tool === 'findmnt') seen.push(host.admin.readFile(argv.at(-1) ?? ''));
    });
    await run('fstab remove /mnt');
    expect(seen).toEqual([
      `/dev/vda / ext4 defaults 0 1\n#\n${device} /mnt ext4 defaults 0 0\n`,
      '/dev/vda / ext4 defaults 0 1\n#\n',
    ]);
    expect(host.admin.readFile('/etc/fstab')).toBe(text);

    host.admin.writeFile('/etc/crypttab', 'a b c d # e\n');
    const listed = at();
    await runVerb(listed.runtime, 'mount crypttab list');
    expect(listed.stderr()).toContain('/etc/crypttab: line 1 could not be parsed');
    await expect(run('crypttab remove a')).rejects.toThrow('line 1 could not be parsed');
  });

  it('change the named field and no other byte of the line', async () => {
    const table = (field: string): string => `/dev/vda\t/  ext4 ${field} 0  1 # root\r\n`;
    host.admin.writeFile('/etc/fstab', table('defaults'));
    await run('fstab set / --options context="a:c1,c2",noatime');
    expect(host.admin.readFile('/etc/fstab')).toBe(table('context="a:c1,c2",noatime'));
  });

  it('say if there is no crypttab', async () => {
    const { runtime, stdout, stderr } = at();
    await runVerb(runtime, 'mount crypttab list');
    expect([stdout(), stderr()]).toEqual(['', '/etc/crypttab has no line, or does not exist']);
  });

  it('add, change and remove a line, and print the command that makes systemd read it', async () => {
    const said = at({ json: true });
    await runVerb(said.runtime, `mount fstab add ${device} /mnt --type ext4 -o nodev --pass 2 --dump 0`);
    expect(answers.tableEdit.parse(JSON.parse(said.stdout()))).toEqual({
      ...{ file: '/etc/fstab', line: `${device} /mnt ext4 nodev 0 2`, next: 'systemctl daemon-reload' },
    });
    await run('fstab set /mnt -o ro --path /srv');
    expect(host.admin.readFile('/etc/fstab')).toContain(`${device} /srv ext4 ro 0 2\n`);
    const gone = at();
    await runVerb(gone.runtime, 'mount fstab remove /srv');
    expect(gone.stdout()).toContain('removed the line from /etc/fstab');
    expect(host.admin.readFile('/etc/fstab')).toBe('/dev/vda / ext4 defaults 0 1\n');

    await run(`crypttab add web1 ${device} -o luks`);
    await run('crypttab set web1 --name web2 --key-file /dev/urandom');
    const listed = at({ json: true });
    await runVerb(listed.runtime, 'mount crypttab list');
    expect(answers.crypttabList.parse(JSON.parse(listed.stdout()))).toEqual([
      { line: 1, name: 'web2', device, key: '/dev/urandom', options: ['luks'], unreadable: null },
    ]);
    await run('crypttab remove web2');
    expect(host.admin.readFile('/etc/crypttab')).toBe('');
  });

  it('name the options if no field is given, and their own list if no line is found', async () => {
    await expect(run('fstab set /')).rejects.toMatchObject({
      message: 'no field to change',
      remedy: 'give --device, --path, --type, --options, --dump or --pass',
    });
    await expect(run('crypttab set web1')).rejects.toMatchObject({
      remedy: 'give --device, --name, --key-file or --options',
    });
    await expect(run('fstab remove /nope')).rejects.toMatchObject({
      remedy: 'bofh mount fstab list',
    });
    await expect(run('crypttab remove nope')).rejects.toMatchObject({
      remedy: 'bofh mount crypttab list',
    });
  });

  it('refuse a password and an invalid number before anything is logged', async () => {
    const add = (options: string) => run(`fstab add //s/x /mnt --type cifs ${options}`);
    await expect(add('--options user=a%geheim')).rejects.toThrow(UsageError);
    const wrong = add('--pass two');
    await expect(wrong).rejects.toThrow(UsageError);
    await expect(wrong).rejects.toThrow('--pass two: must be a number from 0 to 9');
    expect(host.changes).toEqual([]);
  });
});
