import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import * as answers from '../../../src/cli/output/answers/index.ts';
import { BofhError, RolledBackError } from '../../../src/core/errors.ts';
import { sha256 } from '../../../src/file/index.ts';
import {
  simulatedBofh,
  simulatedHost,
  simulatedPair,
  type SimulatedHost,
} from '../../../src/simulator/index.ts';
import { imageOf } from '../../../src/simulator/tools/blockdevice/compressed.ts';
import { configOf } from '../../../src/vm/backup.ts';
import { guestConfigs } from '../../../src/xen/index.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { runVerb, typedOn } from './support/run-verb.ts';
import { testRuntime } from './support/runtime.ts';

let host: SimulatedHost;
afterEach(() => {
  vi.useRealTimers();
});
beforeEach(async () => {
  host = simulatedHost();
  host.addTar('/srv/root.tar', [
    { path: 'etc', type: 'directory' },
    { path: 'etc/motd', content: 'the shop\n' },
  ]);
  for (const path of ['/boot/vmlinuz', '/boot/initrd']) host.admin.writeFile(path, 'x');
  host.admin.mkdir('/srv/backup');
  await typed(
    'vm create web1 --source tar:/srv/root.tar --size 256m --swap 16m --memory 128m --vg vg0 --kernel /boot/vmlinuz --ramdisk /boot/initrd --bridge xenbr0',
  );
});

async function typed(line: string, settings = {}) {
  const { runtime, stdout } = testRuntime(simulatedBofh({ host }), { json: true, ...settings });
  const code = await runVerb(runtime, line);
  return { code, data: JSON.parse(stdout()) as unknown };
}

const backup = async (words = '') =>
  answers.vmBackup.parse((await typed(`vm backup web1 /srv/backup ${words}`.trim())).data);
const restore = async (words: string) => answers.vmRestore.parse((await typed(`vm restore ${words}`)).data);
const files = () => host.readDir('/srv/backup');
const config = (name = 'web1') => host.admin.readFile(`/etc/xen/${name}.cfg`);
/** All of a volume, without the UUID that each has. */
const contentOf = (name: string) => {
  const lv = host.world.lvm[0]?.lvs.find((each) => each.name === name);
  return lv === undefined ? undefined : imageOf(host.world.live.get(`lv:${lv.uuid}`));
};
const volumes = () => host.world.lvm.flatMap(({ lvs }) => lvs.map(({ name }) => name)).toSorted();
const remove = () => typed('vm remove web1', { yes: true });
const programs = () =>
  host.changes.flatMap((each) =>
    each.what === 'command'
      ? [each.command.tool]
      : each.what === 'pipeline'
        ? [each.commands.map(({ tool }) => tool).join('|')]
        : [],
  );

describe('vm backup', () => {
  test('is refused if the configuration gets other disks after they were planned', async () => {
    const [guest] = (await guestConfigs(host)).guests;
    if (guest === undefined) throw new Error('no guest');
    await expect(configOf(host, guest)).resolves.toMatchObject({ content: config() });
    host.admin.writeFile('/etc/xen/web1.cfg', config().replace('xvdb,w', 'xvdc,w'));

    await expect(configOf(host, guest)).rejects.toThrow(
      'the disks in /etc/xen/web1.cfg were changed meanwhile',
    );
  });

  test('a configuration behind a link is restored with the mode of its file', async () => {
    host.admin.writeFile('/srv/web1.cfg', config(), 0o600);
    host.admin.removeFile('/etc/xen/web1.cfg');
    host.admin.symlink('/etc/xen/web1.cfg', '/srv/web1.cfg');
    const [guest] = (await guestConfigs(host)).guests;
    if (guest === undefined) throw new Error('no guest');

    await expect(configOf(host, guest)).resolves.toMatchObject({ mode: 0o600 });
  });

  test('saves a stopped guest, which is restored unchanged', async () => {
    const [before, root, swap] = [config(), contentOf('web1-root'), contentOf('web1-swap')];

    const { path, disks } = await backup();

    expect(path).toMatch(/^\/srv\/backup\/web1\.\d{8}T\d{6}Z\.json$/);
    expect(disks.map(({ vdev, size }) => [vdev, size])).toEqual([
      ['xvda', 256 * 1024 ** 2],
      ['xvdb', 16 * 1024 ** 2],
    ]);
    const base = path.slice('/srv/backup/'.length, -'.json'.length);
    expect(await files()).toEqual([`${base}.json`, `${base}.xvda.zst`, `${base}.xvdb.zst`]);
    expect(volumes()).toEqual(['web1-root', 'web1-swap']);

    await remove();
    expect(volumes()).toEqual([]);
    expect(await restore(path)).toMatchObject({
      ...{ name: 'web1', was: 'web1', config: '/etc/xen/web1.cfg', domid: null, missing: [] },
      disks: [
        { vdev: 'xvda', volume: 'vg0/web1-root', size: 256 * 1024 ** 2 },
        { vdev: 'xvdb', volume: 'vg0/web1-swap', size: 16 * 1024 ** 2 },
      ],
    });

    expect(config()).toBe(before);
    expect([contentOf('web1-root'), contentOf('web1-swap')]).toEqual([root, swap]);
  });

  test('pauses a running guest with two disks only for the snapshots', async () => {
    await typed('vm start web1');
    const from = programs().length;

    await backup();

    const ran = programs().slice(from);
    const save = 'dd|zstd|tee|zstd|sha256sum';
    expect(ran.filter((each) => each === 'xl' || each === 'lvcreate' || each === save)).toEqual([
      ...['xl', 'lvcreate', 'lvcreate', 'xl', save, save],
    ]);
    expect(host.world.domains.map(({ name, state }) => [name, state])).toEqual([['web1', 'blocked']]);
  });

  test('does not pause a guest with one disk', async () => {
    const text = config().replace(/^.*web1-swap.*\n/m, '');
    host.admin.writeFile('/etc/xen/web1.cfg', text);
    await typed('vm start web1');
    const from = programs().length;

    const { disks } = await backup();

    expect(disks.length).toBe(1);
    expect(programs().slice(from)).not.toContain('xl');
  });

  test('with --keep removes the oldest complete backups of this guest alone', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    for (const day of [1, 2, 3]) {
      vi.setSystemTime(Date.UTC(2026, 0, day));
      await backup();
    }
    // Named like one of web1 and not of it, or not complete.
    const first = host.admin.readFile('/srv/backup/web1.20260101T000000Z.json');
    host.admin.writeFile('/srv/backup/web1.20250101T000000Z.json', first.replace('"web1"', '"web2"'));
    host.admin.writeFile('/srv/backup/web1.notes.json', 'kept');
    host.admin.removeFile('/srv/backup/web1.20260102T000000Z.xvdb.zst');
    vi.setSystemTime(Date.UTC(2026, 0, 4));

    await expect(backup('--keep 2')).rejects.toThrow(BofhError);
    const { data } = await typed('vm backup web1 /srv/backup --keep 2', { yes: true });

    expect(answers.vmBackup.parse(data).removed).toEqual(['/srv/backup/web1.20260101T000000Z.json']);
    expect(await files()).toEqual([
      'web1.20250101T000000Z.json',
      'web1.20260102T000000Z.json',
      'web1.20260102T000000Z.xvda.zst',
      ...['20260103T000000Z', '20260104T000000Z'].flatMap((time) =>
        ['json', 'xvda.zst', 'xvdb.zst'].map((end) => `web1.${time}.${end}`),
      ),
      'web1.notes.json',
    ]);
  });

  test('names the other host of a backup, also before it removes an older one there', async () => {
    const other = simulatedHost({ hostname: 'beta', seed: 'beta' });
    other.admin.mkdir('/srv/backup');
    const { here } = simulatedPair({ here: host, there: other });
    const line = 'vm backup web1 there:/srv/backup --keep 1';
    const given = testRuntime(here, { yes: true });
    await runVerb(given.runtime, line);
    expect(given.stdout()).toMatch(/^there:\/srv\/backup\/web1\.\d+T\d+Z\.json is a backup of web1/);

    const asked = testRuntime(here, {}, ['no']);
    await rejectionOf(runVerb(asked.runtime, line));

    expect(asked.stderr()).toMatch(/remove 1 older backups of web1:.*there:\/srv\/backup\/web1\./s);
    expect((await other.readDir('/srv/backup')).filter((name) => name.endsWith('.json'))).toHaveLength(1);
  });

  test('refuses a disk that is no logical volume, and one whose DRBD resource is not up', async () => {
    const text = config();
    host.admin.writeFile('/etc/xen/web1.cfg', text.replace('phy:/dev/vg0/web1-swap', 'drbd:web1'));
    expect((await rejectionOf(backup())) as Error).toMatchObject({
      message: 'drbd:web1 is not a device of a DRBD resource that is up here',
    });
    host.admin.writeFile('/srv/data.img', 'x');
    host.admin.writeFile('/etc/xen/web1.cfg', text.replace('phy:/dev/vg0/web1-swap', 'file:/srv/data.img'));
    expect((await rejectionOf(backup())) as Error).toMatchObject({
      message: 'the disk /srv/data.img of web1 is not a logical volume, and bofh saves only these',
    });
  });

  test('refuses a guest that could not be restored, because of its name', async () => {
    host.admin.writeFile(
      '/etc/xen/web_1.cfg',
      config().replaceAll(/^(?:name|uuid) = .*$/gm, '') + "name = 'web_1'\n",
    );
    host.admin.removeFile('/etc/xen/web1.cfg');

    const error = await rejectionOf(typed('vm backup web_1 /srv/backup'));

    expect(error).toMatchObject({
      name: 'UsageError',
      remedy: expect.stringContaining('bofh vm rename web_1') as string,
    });
    expect(await files()).toEqual([]);
    await typed('vm rename web_1 web-1');
    expect((await typed('vm backup web-1 /srv/backup')).code).toBe(0);
  });

  test('refuses snapshots that do not fit before anything changes', async () => {
    const before = host.snapshot();
    const error = await rejectionOf(backup('--snapshot-size 6g'));
    expect(error).toMatchObject({ code: 'no-space' });
    expect(String((error as BofhError).remedy)).toContain('--snapshot-size');
    expect(host.snapshot()).toBe(before);
  });

  test('leaves nothing behind when the target is full', async () => {
    const before = host.snapshot();
    host.fault({ tool: 'dd', argvIncludes: '--output-error=exit', mode: 'no space' });

    const error = await rejectionOf(backup());

    expect(error).toBeInstanceOf(RolledBackError);
    expect((error as Error).message).toContain('there is no space for /srv/backup/web1.');
    host.clearFaults();
    expect(host.snapshot()).toBe(before);
  });
});

describe('vm restore', () => {
  test('gives a guest of another name new volumes, addresses and a UUID', async () => {
    const { path } = await backup();
    const root = contentOf('web1-root');

    const made = await restore(`${path} --as shop --start`);

    expect(made.disks.map(({ volume }) => volume)).toEqual(['vg0/shop-root', 'vg0/shop-swap']);
    expect(contentOf('shop-root')).toEqual(root);
    const [old, fresh] = [config(), config('shop')];
    for (const key of [/uuid = "(.*)"/, /mac=([^,]*)/]) {
      expect(key.exec(fresh)?.[1]).toMatch(/^[0-9a-f:-]+$/);
      expect(key.exec(fresh)?.[1]).not.toBe(key.exec(old)?.[1]);
    }
    expect(host.world.domains.map(({ name }) => name)).toEqual(['shop']);
  });

  test('gives it another socket for its guest agent', async () => {
    const channel =
      'channel = [ "connection=socket,path=/run/xen/web1-agent.sock,name=org.qemu.guest_agent.0" ]\n';
    host.admin.writeFile('/etc/xen/web1.cfg', config() + channel);
    const { path } = await backup();
    await restore(`${path} --as shop`);
    await typed('vm clone web1 web2');
    await typed('vm rename web1 web3');

    for (const name of ['shop', 'web2', 'web3'])
      expect(config(name)).toContain(channel.replace('web1', name));
  });

  test.each([
    ['mac=00:16:3e:12:34:56,vifname=web1.0,bridge=xenbr0', 'vifname=NAME.0,bridge'],
    ['mac=00:16:3e:12:34:56, vifname=lan, bridge=xenbr0', ', bridge'],
    ['mac=00:16:3e:12:34:56,bridge=xenbr0,vifname=web1-for-customers', 'bridge=xenbr0"'],
  ])('gives its interface %s another name on the host', async (item, expected) => {
    host.admin.writeFile('/etc/xen/web1.cfg', config().replace(/mac=.*bridge=xenbr0/, item));
    const { path } = await backup();
    await restore(`${path} --as shop`);
    await typed('vm clone web1 web2');

    for (const name of ['shop', 'web2']) {
      expect(config(name)).toContain(expected.replace('NAME', name));
      expect(config(name)).not.toMatch(/vifname=(?:web1|lan)/);
    }
  });

  test('names the devices and ports that the copy shares with the original', async () => {
    host.admin.writeFile('/etc/xen/web1.cfg', `${config()}pci = ["01:00.0"]\nusbdev = []\nvncdisplay = 3\n`);
    const { path } = await backup();
    const told = async (line: string) => (await typedOn(simulatedBofh({ host }), line)).stdout;

    for (const [name, line] of [
      ['shop', `vm restore ${path} --as shop`],
      ['web2', 'vm clone web1 web2'],
    ] as const)
      expect(await told(line)).toContain(
        `pci, vncdisplay: as in web1; change it in /etc/xen/${name}.cfg before both guests run\n`,
      );
    await remove();
    expect(await told(`vm restore ${path}`)).not.toContain('vncdisplay');
  });

  test('refuses an existing name, and says how to restore it under another name', async () => {
    const { path } = await backup();
    const error = await rejectionOf(restore(path));
    expect(error).toMatchObject({ code: 'exists' });
    expect(String((error as BofhError).remedy)).toContain(`bofh vm restore ${path} --as NEW`);
  });

  test('rolls back when a file is damaged', async () => {
    const { path } = await backup();
    await remove();
    const before = host.snapshot();
    const disk = path.replace('.json', '.xvdb.zst');
    await damage(disk);

    const error = await rejectionOf(restore(path));

    expect((error as Error).message).toContain(`${disk} is damaged`);
    await damage(disk);
    expect(host.snapshot()).toBe(before);
  });

  test('rolls back when the volume does not contain the saved bytes', async () => {
    const { path } = await backup();
    await remove();
    const text = host.admin.readFile(path);
    const { sha256: _, ...manifest } = JSON.parse(text) as Record<string, unknown> & {
      disks: { sha256: string }[];
    };
    for (const disk of manifest.disks) disk.sha256 = 'a'.repeat(64);
    host.admin.writeFile(path, JSON.stringify({ ...manifest, sha256: sha256(JSON.stringify(manifest)) }));

    await expect(restore(path)).rejects.toThrow(/is damaged: its content has the SHA-256/);

    expect(volumes()).toEqual([]);
  });

  test('accepts another volume group, and a thin pool', async () => {
    const { path } = await backup();
    host.admin.thinPool({ vg: 'vg0', name: 'pool', extents: 100 });
    const made = await restore(`${path} --as shop --thin pool`);
    expect(made.disks.map(({ volume }) => volume)).toEqual(['vg0/shop-root', 'vg0/shop-swap']);
    expect(host.world.lvm[0]?.lvs.find(({ name }) => name === 'shop-root')?.pool).toBeDefined();
    await expect(restore(`${path} --as web9 --vg nope`)).rejects.toThrow(/nope/);
  });

  test('with too little memory advises to restore without a start', async () => {
    host.admin.writeFile('/etc/xen/web1.cfg', config().replace('memory = 128', 'memory = 640000'));
    const { path } = await backup();
    await remove();

    const error = await rejectionOf(restore(`${path} --start`));

    expect(error).toMatchObject({ remedy: expect.stringMatching(/^leave out --start, or/) as string });
  });

  test('needs space in the group only for the disks that were not thin', async () => {
    host.admin.thinPool({ vg: 'vg0', name: 'pool', extents: 100 });
    await typed('vm disk create web1 data --size 2g --thin pool --vg vg0');
    await typed('vm disk create web1 log --size 64m --vg vg0');
    const { path } = await backup();
    await remove();
    const { extents } = host.world.lvm[0]?.pvs[0] ?? { extents: 0 };
    host.admin.lvcreate({ vg: 'vg0', name: 'other', extents: extents - 100 - 120 });

    const made = await restore(path);

    expect(made.disks.map(({ volume }) => volume)).toContain('vg0/web1-data');
    await remove();
    host.admin.lvcreate({ vg: 'vg0', name: 'more', extents: 110 });
    const error = await rejectionOf(restore(path));
    expect(error).toMatchObject({ name: 'RefusedError', code: 'no-space' });
  });
});

describe('vm verify and vm list-backups', () => {
  test.each([
    ['list-backups storage1:/srv/backup', 'bofh --host storage1 vm list-backups /srv/backup'],
    ['verify storage1:/srv/web1.1.json', 'bofh --host storage1 vm verify /srv/web1.1.json'],
    [
      'restore storage1:/srv/web1.1.json',
      'copy its files to this host: scp -p storage1:/srv/web1.1.* DIR; then: bofh vm restore DIR/web1.1.json',
    ],
  ])('vm %s: says how to read another host', async (line, remedy) => {
    expect(await rejectionOf(typed(`vm ${line}`))).toMatchObject({
      message: expect.stringContaining('is on another host') as unknown,
      remedy,
    });
  });

  const listed = async () => {
    const { code, data } = await typed('vm list-backups /srv/backup');
    return { code, ...answers.vmListBackups.parse(data) };
  };

  test('find a damaged file, a short one, and a missing one', async () => {
    const { path } = await backup();
    const verified = async () => {
      const { code, data } = await typed(`vm verify ${path}`);
      return [code, ...answers.vmVerify.parse(data).disks.map(({ why }) => why)];
    };
    const [root, swap] = ['xvda', 'xvdb'].map((vdev) => path.replace('.json', `.${vdev}.zst`));
    expect(await verified()).toEqual([0, null, null]);

    await damage(swap ?? '');
    expect(await verified()).toEqual([6, null, `${swap ?? ''} is damaged: its checksum is wrong`]);
    expect((await listed()).problems).toEqual([]);

    const { length } = await host.readFile(root ?? '');
    host.admin.writeFile(root ?? '', 'short');
    host.admin.removeFile(swap ?? '');
    expect(await verified()).toEqual([
      6,
      `${root ?? ''} has 5 bytes instead of ${length}`,
      `there is no file ${swap ?? ''}`,
    ]);
    expect(await listed()).toMatchObject({ code: 6, backups: [], problems: [{ path }] });
  });

  test('list the backups of each guest by time, and nothing else', async () => {
    host.admin.writeFile('/srv/backup/notes.json', '{}');
    vi.useFakeTimers({ toFake: ['Date'] });
    for (const day of [2, 1]) {
      vi.setSystemTime(Date.UTC(2026, 0, day));
      await backup();
    }
    const { code, backups, problems } = await listed();
    expect([code, problems]).toEqual([0, []]);
    expect(backups.map(({ guest, time, state }) => [guest, time, state])).toEqual([
      ['web1', '2026-01-01T00:00:00.000Z', 'off'],
      ['web1', '2026-01-02T00:00:00.000Z', 'off'],
    ]);
  });

  const of = (value: unknown): object => Object(value) as object;
  type Body = Record<string, unknown> & { readonly disks: Record<string, unknown>[] };
  test.each<readonly [string, (body: Body) => unknown, RegExp]>([
    ['a newer format', (body) => ({ ...body, format: 2 }), /has the format 2/],
    ['an unknown key', (body) => ({ ...body, run: 'rm' }), /is not a manifest of a backup/],
    ['no disk', (body) => ({ ...body, disks: [] }), /is not a manifest of a backup/],
    [
      'a file elsewhere',
      ({ disks, ...body }) => ({
        ...body,
        disks: disks.map((disk) => ({ ...disk, file: { ...of(disk['file']), name: '../../etc/x.zst' } })),
      }),
      /is not a manifest of a backup: disks: 0: file: name/,
    ],
    [
      'an option as a volume',
      ({ disks, ...body }) => ({ ...body, disks: disks.map((disk) => ({ ...disk, volume: '--yes' })) }),
      /--yes/,
    ],
    ['a disk twice', ({ disks, ...body }) => ({ ...body, disks: [...disks, ...disks] }), /a disk twice/],
    [
      'another guest in its configuration',
      (body) => ({ ...body, guest: 'web9' }),
      /the configuration in it is that of web1/,
    ],
    ['a path as a guest', (body) => ({ ...body, guest: '../web1' }), /cannot be a guest's name/],
  ])('refuse a manifest with %s before anything changes', async (_, hostile, message) => {
    const { path } = await backup();
    const body = JSON.parse(host.admin.readFile(path)) as Body;
    delete body['sha256'];
    const changed = hostile(body);
    host.admin.writeFile(
      path,
      JSON.stringify({ ...of(changed), sha256: sha256(JSON.stringify(changed)) }),
      0o600,
    );
    const before = host.snapshot();

    await expect(restore(`${path} --as shop`)).rejects.toThrow(message);

    expect(host.snapshot()).toBe(before);
  });

  test('refuse an edited manifest', async () => {
    const { path } = await backup();
    host.admin.writeFile(path, host.admin.readFile(path).replace('"off"', '"paused"'), 0o600);
    await expect(restore(`${path} --as shop`)).rejects.toThrow(/is damaged: its checksum is wrong/);
  });

  test('refuse a manifest that another user can write', async () => {
    const { path } = await backup();
    host.admin.chown(path, 1000);
    await expect(restore(`${path} --as shop`)).rejects.toThrow(/written by other users than root/);
  });
});

describe('an encrypted backup', () => {
  const key = 'age1simulated';
  beforeEach(() => {
    host.admin.writeFile('/root/key', `# public key: ${key}\nAGE-SECRET-KEY-1\n`);
    host.admin.writeFile('/root/stranger', '# public key: age1other\nAGE-SECRET-KEY-1\n');
    host.admin.writeFile('/root/key.pub', `${key}\n`);
  });

  test.each(['--recipient age1simulated', '--recipient age1third --recipient /root/key.pub'])(
    'with %s is restored with the secret key',
    async (words) => {
      const [before, root] = [config(), contentOf('web1-root')];
      const { path, encrypted } = await backup(words);
      expect(encrypted).toBe(true);
      expect((await files()).map((name) => name.replace(/^web1\.\w+\./, ''))).toEqual([
        'json',
        'xvda.zst.age',
        'xvdb.zst.age',
      ]);
      const list = answers.vmListBackups.parse((await typed('vm list-backups /srv/backup')).data);
      expect(list.backups.map((each) => each.encrypted)).toEqual([true]);
      expect((await typed(`vm verify ${path}`)).code).toBe(0);
      await remove();
      const without = host.snapshot();

      const error = await rejectionOf(restore(path));
      expect(error).toMatchObject({
        remedy: `name the file with the secret key of age: bofh vm restore ${path} --identity FILE`,
      });
      expect(String(await rejectionOf(restore(`${path} --identity /root/none`)))).toContain(
        'no file /root/none',
      );
      expect(String(await rejectionOf(restore(`${path} --identity /root/stranger`)))).toContain(
        'cannot be decrypted with /root/stranger: age: error: no identity matched',
      );
      const disk = path.replace('.json', '.xvdb.zst.age');
      await damage(disk);
      expect(String(await rejectionOf(restore(`${path} --identity /root/key`)))).toContain(
        `${disk} is damaged: age: error: failed to decrypt and authenticate`,
      );
      await damage(disk);
      expect(host.snapshot()).toBe(without);

      await restore(`${path} --identity /root/key`);
      expect([config(), contentOf('web1-root')]).toEqual([before, root]);
    },
  );

  test('is refused without a valid key, before anything changes', async () => {
    const before = host.snapshot();
    expect(String(await rejectionOf(backup('--recipient age1UPPER')))).toContain('must be a public key');
    expect(String(await rejectionOf(backup('--recipient /root/none.pub')))).toContain(
      'no file /root/none.pub',
    );
    host.admin.writeFile('/root/shared.pub', `${key}\n`, 0o666);
    expect(String(await rejectionOf(backup('--recipient /root/shared.pub')))).toContain('/root/shared.pub');
    host.admin.removeFile('/root/shared.pub');
    const { path } = await backup();
    expect(String(await rejectionOf(restore(`${path} --as web2 --identity /root/key`)))).toContain(
      'is not encrypted',
    );
    await typed(`vm list-backups /srv/backup`);
    for (const name of await files()) host.admin.removeFile(`/srv/backup/${name}`);
    expect(host.snapshot()).toBe(before);
  });
});

/** Changes one byte; a second time it is as before. */
async function damage(path: string): Promise<void> {
  const bytes = Buffer.from(await host.readFile(path));
  bytes[bytes.length - 5] = (bytes.at(-5) ?? 0) ^ 0xff;
  host.admin.writeFile(path, bytes, 0o600);
}
