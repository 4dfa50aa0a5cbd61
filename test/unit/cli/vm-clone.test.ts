import { beforeEach, describe, expect, test } from 'vitest';
import * as answers from '../../../src/cli/output/answers/index.ts';
import { type BofhError, RolledBackError } from '../../../src/core/errors.ts';
import { simulatedBofh, type SimulatedHost } from '../../../src/simulator/index.ts';
import { readFile } from '../../../src/simulator/world/files.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { bofhOn, hostWithServer, reachable, vmCreate } from '../simulator/support.ts';
import { jsonOn } from './support/run-verb.ts';

let host: SimulatedHost;
beforeEach(async () => {
  host = hostWithServer();
  await vmCreate(bofhOn(host), { ...reachable, start: false });
});

const typed = async (line: string) =>
  (await jsonOn(simulatedBofh({ host, site: bofhOn(host).site }), line)).data;

const clone = async (words = '') => answers.vmClone.parse(await typed(`vm clone web1 shop ${words}`.trim()));
const config = (name: string) => host.admin.readFile(`/etc/xen/${name}.cfg`);
const edit = (how: (text: string) => string): void =>
  host.admin.writeFile('/etc/xen/web1.cfg', how(config('web1')));

/** What its root has at these paths. */
function inRoot(name: string, ...paths: readonly string[]): readonly string[] {
  host.admin.mount(`/dev/vg0/${name}-root`, '/mnt');
  const texts = paths.map((path) => host.admin.readFile(`/mnt/${path}`));
  host.admin.umount('/mnt');
  return texts;
}
const uuidOf = (name: string): string => {
  const uuid = host.world.lvm.flatMap(({ lvs }) => lvs).find((lv) => lv.name === name)?.uuid ?? '';
  return host.world.live.get(`lv:${uuid}`)?.superblock?.uuid ?? 'none';
};

describe('vm clone', () => {
  // The files may contain a password: vncpasswd, or password= of a share.
  test('the configuration and the files inside keep their modes', async () => {
    host.admin.writeFile('/srv/web1.cfg', config('web1'), 0o600);
    host.admin.removeFile('/etc/xen/web1.cfg');
    host.admin.symlink('/etc/xen/web1.cfg', '/srv/web1.cfg');
    host.admin.mount('/dev/vg0/web1-root', '/mnt');
    host.admin.writeFile('/mnt/etc/fstab', host.admin.readFile('/mnt/etc/fstab'), 0o600);
    host.admin.umount('/mnt');

    await clone();

    expect((await host.stat('/etc/xen/shop.cfg'))?.mode).toBe(0o600);
    host.admin.mount('/dev/vg0/shop-root', '/mnt');
    expect((await host.stat('/mnt/etc/fstab'))?.mode).toBe(0o600);
    expect((await host.stat('/mnt/etc/hosts'))?.mode).toBe(0o644);
  });

  test('copies the disks, with UUIDs, addresses, keys and a name of its own', async () => {
    const before = { config: config('web1'), inside: inRoot('web1', 'etc/hostname', 'etc/fstab') };

    const made = await clone();

    expect(made).toMatchObject({
      ...{ name: 'shop', of: 'web1', config: '/etc/xen/shop.cfg', domid: null, ssh: null },
      volumes: [
        { was: 'vg0/web1-root', volume: 'vg0/shop-root' },
        { was: 'vg0/web1-swap', volume: 'vg0/shop-swap' },
      ],
    });
    expect({ config: config('web1'), inside: inRoot('web1', 'etc/hostname', 'etc/fstab') }).toEqual(before);
    const lines = before.config.split('\n');
    const others = config('shop')
      .split('\n')
      .filter((line) => !lines.includes(line));
    expect(others.map((line) => line.replace(/[0-9a-f-]{36}|(?<=:3e:)\S{8}/, '…'))).toEqual([
      ...['name = "shop"', 'uuid = "…"'],
      '  "phy:/dev/vg0/shop-root,xvda,w",',
      '  "phy:/dev/vg0/shop-swap,xvdb,w",',
      'vif = ["mac=00:16:3e:…,bridge=xenbr0"]',
    ]);
    expect(new Set(['web1-root', 'shop-root', 'web1-swap', 'shop-swap'].map(uuidOf)).size).toBe(4);
    const [hostname, fstab, hosts, release, id] = inRoot(
      ...(['shop', 'etc/hostname', 'etc/fstab', 'etc/hosts', 'etc/os-release', 'etc/machine-id'] as const),
    );
    expect([hostname, release, id]).toEqual(['shop\n', 'NAME=Debian\n', '']);
    expect(fstab).toBe(
      `UUID=${uuidOf('shop-root')} / ext4 defaults 0 1\nUUID=${uuidOf('shop-swap')} none swap sw 0 0\n`,
    );
    expect(hosts).toContain('127.0.1.1 shop\n');
    const [key, old] = [...inRoot('shop', keyFile), ...inRoot('web1', keyFile)];
    expect(key).not.toBe(old);
  });

  test('changes no byte of the fstab but the UUIDs, also if it is not UTF-8', async () => {
    host.admin.mkdir('/mnt');
    host.admin.mount('/dev/vg0/web1-root', '/mnt');
    const text = host.admin.readFile('/mnt/etc/fstab');
    host.admin.writeFile('/mnt/etc/fstab', Buffer.from(`# für web1\n${text}`, 'latin1'));
    host.admin.umount('/mnt');

    await clone();

    host.admin.mount('/dev/vg0/shop-root', '/mnt');
    expect(Buffer.from(readFile(host.world, '/mnt/etc/fstab')).toString('latin1')).toBe(
      `# für web1\nUUID=${uuidOf('shop-root')} / ext4 defaults 0 1\nUUID=${uuidOf('shop-swap')} none swap sw 0 0\n`,
    );
  });

  test('gives the kernel the new UUIDs that its configuration names', async () => {
    const [root, swap] = [uuidOf('web1-root'), uuidOf('web1-swap')];
    edit((text) => `${text}cmdline = "root=UUID=${root} ro resume=UUID=${swap}"\n`);

    await clone();

    expect(config('shop')).toContain(
      `cmdline = "root=UUID=${uuidOf('shop-root')} ro resume=UUID=${uuidOf('shop-swap')}"\n`,
    );
  });

  test('starts it with another address, more memory and other keys', async () => {
    host.admin.writeFile('/root/key.pub', 'ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQC7 you\n');

    const made = await clone(
      '--ip 192.0.2.11/24 --gateway 192.0.2.1 --memory 512m --vcpus 2 --hostname shop.example.org --ssh-key /root/key.pub --start',
    );

    expect(made.ssh).toBe('root@192.0.2.11');
    expect(host.world.domains.find(({ name }) => name === 'shop')).toMatchObject({
      domid: made.domid,
      memoryMiB: 512,
    });
    await typed('vm stop shop --force');
    const [network, hostname, keys] = inRoot(
      ...([
        'shop',
        'etc/systemd/network/10-bofh.network',
        'etc/hostname',
        'root/.ssh/authorized_keys',
      ] as const),
    );
    expect(network).toContain('Address=192.0.2.11/24\n');
    expect(network).toContain(/mac=(?<mac>[\w:]+)/.exec(config('shop'))?.groups?.mac);
    expect([hostname, keys]).toEqual([
      'shop.example.org\n',
      'ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQC7 you\n',
    ]);
  });

  test('copies a data volume as it is, and a thin one into the same pool', async () => {
    host.admin.thinPool({ vg: 'vg0', name: 'pool', extents: 64 });
    host.admin.thinVolume({ vg: 'vg0', name: 'web1-data', pool: 'pool', extents: 16 });
    const uuid = '5e1f0000-0000-4000-8000-0000000000dd';
    host.admin.format('/dev/vg0/web1-data', { type: 'xfs', usage: 'filesystem', uuid });
    edit((text) => text.replace(',xvdb,w",', ',xvdb,w", "/dev/vg0/web1-data,raw,xvdc,rw",'));

    const { volumes } = await clone();

    expect(volumes.at(-1)).toEqual({ was: 'vg0/web1-data', volume: 'vg0/shop-data' });
    expect(uuidOf('shop-data')).toBe(uuid);
    expect(config('shop')).toContain('"/dev/vg0/shop-data,raw,xvdc,rw"');
    expect(host.world.lvm[0]?.lvs.find(({ name }) => name === 'shop-data')?.pool).toBeDefined();
  });

  test.each<readonly [string, () => void, string, RegExp]>([
    [
      'a running guest',
      () => void host.admin.startDomain({ name: 'web1' }),
      '',
      /bofh vm stop web1; then bofh vm clone web1 shop/,
    ],
    [
      'a disk of DRBD',
      () => edit((text) => text.replace('phy:/dev/vg0/web1-swap', 'drbd:web1-swap')),
      '',
      /web1-swap is replicated by DRBD/,
    ],
    [
      'a disk in a file',
      () => edit((text) => text.replace('phy:/dev/vg0/web1-swap', 'file:/srv/swap.img')),
      '',
      /swap.img is not a logical volume/,
    ],
    [
      'a volume of another name',
      () => {
        host.admin.lvrename('vg0', 'web1-swap', 'other');
        edit((text) => text.replace('web1-swap', 'other'));
      },
      '',
      /vg0\/other is not named after web1/,
    ],
    [
      'a name that is taken',
      () => host.admin.writeFile('/etc/xen/shop.cfg', 'name = "shop"\nmemory = 64\n'),
      '',
      /shop.cfg exists already|configured already/,
    ],
    [
      'a volume that is taken',
      () => host.admin.lvcreate({ vg: 'vg0', name: 'shop-root', extents: 1 }),
      '',
      /vg0\/shop-root already/,
    ],
    [
      'a root that was not unmounted cleanly',
      () => {
        const content = host.world.live.get(storageOf('web1-root'));
        host.world.live.set(storageOf('web1-root'), { ...content, needsRecovery: true });
      },
      '',
      /not clean/,
    ],
    [
      'a root of another filesystem',
      () => host.admin.format('/dev/vg0/web1-root', { type: 'xfs', usage: 'filesystem', uuid: 'x' }),
      '',
      /holds xfs.*a root filesystem of type ext2, ext3 or ext4/,
    ],
    [
      'an address without an interface',
      () => edit((text) => text.replace(/^vif.*$/m, '')),
      '--ip 192.0.2.11/24',
      /needs a network interface/,
    ],
    ['too little space', () => undefined, '--vg none', /none/],
    [
      'page tables for its maxmem that do not fit',
      () => edit((text) => `${text.replace('"pv"', '"pvh"')}maxmem = 1000000\n`),
      '--start',
      /^shop needs \d+ MiB of memory, but only/,
    ],
  ])('refuses %s, and changes nothing', async (_, given, words, why) => {
    given();
    const before = host.snapshot();
    const error = (await rejectionOf(clone(words))) as BofhError;
    expect(`${error.message}; ${error.remedy ?? ''}`).toMatch(why);
    expect(host.snapshot()).toBe(before);
  });

  test('is undone if it cannot be started, or if a link in its root leads outside', async () => {
    await vmCreate(bofhOn(host), { name: 'web2', start: false, bridge: 'xenbr0' });
    host.admin.mount('/dev/vg0/web2-root', '/mnt');
    host.admin.symlink('/mnt/etc/systemd', '/etc');
    host.admin.umount('/mnt');
    const before = host.snapshot();

    const error = await rejectionOf(typed('vm clone web2 shop --ip 192.0.2.11/24'));
    expect(String(error)).toContain('etc/systemd is not a directory but a symbolic link');
    expect(host.snapshot()).toBe(before);

    host.fault({ tool: 'xl', nth: 1, mode: 'fails before' });
    expect(await rejectionOf(clone('--start'))).toBeInstanceOf(RolledBackError);
    expect(host.snapshot()).toBe(before);
  });
});

const keyFile = 'etc/ssh/ssh_host_ed25519_key';
const storageOf = (name: string): string =>
  `lv:${host.world.lvm.flatMap(({ lvs }) => lvs).find((lv) => lv.name === name)?.uuid ?? ''}`;
