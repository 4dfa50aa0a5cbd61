import { beforeEach, describe, expect, test } from 'vitest';
import * as answers from '../../../src/cli/output/answers/index.ts';
import type { BofhError } from '../../../src/core/errors.ts';
import { simulatedBofh, type SimulatedHost } from '../../../src/simulator/index.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { bofhOn, ranOf, vmCreate } from '../simulator/support.ts';
import { addData, dataUuid, editFstab, hostWithData } from '../vm/tree-support.ts';
import { typedOn } from './support/run-verb.ts';

let host: SimulatedHost;
beforeEach(async () => {
  host = await hostWithData();
});

const typed = async (line: string, json = true) =>
  (await typedOn(simulatedBofh({ host, site: bofhOn(host).site }), line, { json })).stdout;
const mount = async (words = '') =>
  answers.vmMount.parse(JSON.parse(await typed(`vm mount web1 ${words}`.trim())));
const unmount = async () => answers.vmUnmount.parse(JSON.parse(await typed('vm unmount web1')));
const edit = (how: (text: string) => string): void =>
  host.admin.writeFile('/etc/xen/web1.cfg', how(host.admin.readFile('/etc/xen/web1.cfg')));
const mounted = () => host.world.mounts.map(({ path, options }) => `${path} ${options}`);
const said = (error: unknown) => `${(error as BofhError).message} ${(error as BofhError).remedy ?? ''}`;

describe('vm mount', () => {
  test.each([
    ['by UUID', `UUID=${dataUuid}`],
    ['by a quoted UUID', `UUID="${dataUuid}"`],
    ['by label', 'LABEL=data'],
    ['by the name in the guest', '/dev/xvdc'],
    ['by the link of udev in the guest', `/dev/disk/by-uuid/${dataUuid}`],
  ])('mounts root and data as one tree, %s', async (_, source) => {
    editFstab(host, (text) => `${text}${source} /srv xfs noatime,nofail 0 2\ntmpfs /tmp tmpfs rw 0 0\n`);

    const made = await mount('/mnt');

    expect(made).toEqual({
      ...{ name: 'web1', path: '/mnt', changed: true, closed: [] },
      mounts: [
        { device: '/dev/vg0/web1-root', path: '/mnt', mode: 'rw' },
        { device: '/dev/vg0/web1-data', path: '/mnt/srv', mode: 'rw' },
      ],
    });
    expect(mounted().filter((line) => line.startsWith('/mnt'))).toEqual([
      expect.stringMatching(/^\/mnt rw,nosuid,nodev/),
      expect.stringMatching(/^\/mnt\/srv rw,nosuid,nodev,noatime/),
    ]);
    expect(host.admin.readFile('/mnt/etc/hostname')).toBe('web1\n');
  });

  // With a type mount(8) starts a program of that name, and an option can name a device of this host.
  test.each([
    ['type', `UUID=${dataUuid} /srv fuse.sh defaults 0 2`],
    ['type', `UUID=${dataUuid} /srv nfs defaults 0 2`],
    ['options', `UUID=${dataUuid} /srv xfs logdev=/dev/vda,noatime 0 2`],
  ])('ignores %s of the guest with a meaning on this host: %s', async (_, line) => {
    editFstab(host, (text) => `${text}${line}\n`);

    await mount('/mnt');

    const ran = ranOf(host, 'mount');
    expect(ran.at(-1)).toMatch(
      /^--types xfs --options rw,(?:noatime,)?nosuid,nodev,x-\S+ --source \S+ --target \/mnt\/srv$/,
    );
  });

  test('mounts on a private directory, and prints the next command', async () => {
    const lines = await typed('vm mount web1', false);

    expect(lines).toMatch(/web1 are mounted on \/run\/bofh\/mnt\/.*bofh vm unmount web1\n$/s);
  });

  test('mounts read-only as requested, or like the disk', async () => {
    editFstab(host, (text) => `${text}/dev/xvdc /srv xfs defaults 0 2\n`);
    edit((text) => text.replace('xvdc,rw', 'xvdc,ro'));

    expect((await mount()).mounts.map(({ mode }) => mode)).toEqual(['rw', 'ro']);
    await unmount();
    expect((await mount('--read-only')).mounts.map(({ mode }) => mode)).toEqual(['ro', 'ro']);
  });

  test('changes nothing the second time, and is refused at another path', async () => {
    const { path } = await mount('/mnt');
    const before = host.snapshot();

    expect(await mount()).toMatchObject({ path, changed: false });
    expect(await typed('vm mount web1 /mnt', false)).toContain('nothing to do');
    expect(said(await rejectionOf(mount('/srv')))).toMatch(/mounted on \/mnt already bofh vm unmount web1/);
    expect(host.snapshot()).toBe(before);
  });

  test('does not report a partly mounted tree as mounted', async () => {
    editFstab(host, (text) => `${text}/dev/xvdc /srv xfs defaults 0 2\n`);
    await mount('/mnt');
    host.admin.umount('/mnt/srv');

    expect(said(await rejectionOf(mount()))).toMatch(/mounted on \/mnt, but without \/srv/);
  });

  test('keeps the guest from being started, until it is unmounted', async () => {
    await mount('/mnt');

    for (const line of ['vm start web1', 'xen start web1'])
      expect(said(await rejectionOf(typed(line)))).toMatch(/web1-root is in use: mounted on \/mnt/);
    const rows = await typed('xen start-all');
    expect(rows).toMatch(/web1-root is in use: mounted on \/mnt/);
    expect(host.world.domains.some(({ name }) => name === 'web1')).toBe(false);
    await unmount();
    await typed('vm start web1');
    expect(host.world.domains.some(({ name }) => name === 'web1')).toBe(true);
  });

  test.each<readonly [string, () => unknown, RegExp]>([
    [
      'a running guest',
      () => typed('vm start web1'),
      /domain \d+ \(running\).*bofh vm stop web1; then run the command again/s,
    ],
    [
      'a guest that is not configured',
      () => host.admin.rename('/etc/xen/web1.cfg', '/etc/xen/x'),
      /no guest web1/,
    ],
    [
      'a disk that is mounted elsewhere',
      () => host.admin.mount('/dev/vg0/web1-data', '/srv'),
      /web1-data, a disk of web1, is mounted on \/srv.*bofh vm unmount web1/s,
    ],
    ['a directory in use', () => host.admin.writeFile('/mnt/x', ''), /\/mnt is not empty \(x\)/],
    ['a directory that is not there', () => host.admin.rename('/mnt', '/mnt2'), /no such directory/],
    [
      'a root that is not there',
      () => host.admin.lvrename('vg0', 'web1-root', 'x'),
      /xvda, is \/dev\/vg0\/web1-root, which is not a block device/,
    ],
    [
      'a root that is encrypted',
      () => host.admin.format('/dev/vg0/web1-root', { type: 'crypto_LUKS', usage: 'crypto' }),
      /holds crypto_LUKS: bofh mounts a guest only if its root disk is ext2/,
    ],
    [
      'an option that names a program',
      () => editFstab(host, (text) => `${text}/dev/xvdc /srv2 xfs uhelper=evil 0 2\n`),
      /has the mount option .*, which bofh does not allow/,
    ],
    [
      'content that is no filesystem of Linux',
      () => host.admin.format('/dev/vg0/web1-data', { type: 'ntfs', usage: 'filesystem', uuid: dataUuid }),
      /web1-data, a disk of web1, holds ntfs.*bofh mounts only ext2/,
    ],
    [
      'a partition that no disk is',
      () => editFstab(host, (text) => `${text}/dev/xvdc1 /srv xfs defaults 0 2\n`),
      /mounts \/dev\/xvdc1 on \/srv, which is none of its disks \(xvdc: xfs/,
    ],
    // On this host it is the disk of the host itself.
    [
      'a disk of this host',
      () => editFstab(host, (text) => `${text}/dev/vda /srv ext4 defaults 0 2\n`),
      /mounts \/dev\/vda on \/srv/,
    ],
    [
      'a UUID of no disk',
      () =>
        editFstab(
          host,
          (text) => `${text}UUID=0c0ffee0-0000-4000-8000-000000000001 /srv ext4 defaults 0 2\n`,
        ),
      /none of its disks/,
    ],
    [
      'a line that cannot be read',
      () => editFstab(host, (text) => `${text}/dev/xvdc /srv\n`),
      /fstab of web1: line 4 could not be parsed.*bofh mount add \/dev\/vg0\/web1-root/,
    ],
    // As on NixOS.
    [
      'a link in the place of the fstab',
      () => {
        host.admin.mkdir('/mnt2');
        host.admin.mount('/dev/vg0/web1-root', '/mnt2');
        host.admin.removeFile('/mnt2/etc/fstab');
        host.admin.symlink('/mnt2/etc/fstab', '/etc/static/fstab');
        host.admin.umount('/mnt2');
      },
      /fstab of web1 is not a regular file, so its filesystems are not known.*bofh mount add \/dev\/vg0\/web1-root/,
    ],
    [
      'two disks of one UUID',
      () => addData(host, 'web1-copy', 'xvdd'),
      /both \/dev\/vg0\/web1-copy and \/dev\/vg0\/web1-data/,
    ],
  ])('refuses %s before anything changes', async (_, arrange, why) => {
    editFstab(host, (text) => `${text}UUID=${dataUuid} /srv xfs defaults 0 2\n`);
    await arrange();
    const before = host.snapshot();

    expect(said(await rejectionOf(mount('/mnt')))).toMatch(why);
    expect(host.snapshot()).toBe(before);
  });

  test('is undone if a mount point in the tree is a symbolic link', async () => {
    editFstab(host, (text) => `${text}/dev/xvdc /link xfs defaults 0 2\n`);
    host.admin.mount('/dev/vg0/web1-root', '/mnt');
    host.admin.symlink('/mnt/link', '/srv');
    host.admin.umount('/mnt');
    const before = mounted();

    expect(said(await rejectionOf(mount('/mnt')))).toMatch(/link is a symlink/);
    expect(mounted()).toEqual(before);
  });

  test('leaves out mounts with nofail or noauto', async () => {
    editFstab(host, (text) => `${text}/dev/xvdz /srv xfs nofail 0 2\n/dev/xvdc /data xfs noauto 0 2\n`);

    expect((await mount()).mounts).toHaveLength(1);
  });
});

describe('vm unmount', () => {
  beforeEach(() => editFstab(host, (text) => `${text}/dev/xvdc /srv xfs defaults 0 2\n`));

  test('unmounts in reverse order', async () => {
    const before = mounted();
    await mount('/mnt');

    expect((await unmount()).mounts).toEqual([
      { device: '/dev/vg0/web1-data', path: '/mnt/srv' },
      { device: '/dev/vg0/web1-root', path: '/mnt' },
    ]);
    expect(mounted()).toEqual(before);
  });

  test('also unmounts foreign and repeated mounts', async () => {
    host.admin.mount('/dev/vg0/web1-root', '/mnt');
    host.admin.mount('/dev/vg0/web1-data', '/srv');

    expect(await unmount()).toMatchObject({ mounts: [{}, {}] });
  });

  test('succeeds with nothing to do', async () => {
    expect(await typed('vm unmount web1', false)).toBe('nothing to do: no disk of web1 is mounted\n');
  });

  test('names the holder, and changes nothing', async () => {
    await mount('/mnt');
    host.admin.mount('/dev/vg0/web1-root2', '/mnt/srv/www');
    const before = host.snapshot();

    expect(said(await rejectionOf(unmount()))).toMatch(
      /a disk of web1 is in use: \/mnt\/srv: .*\/mnt\/srv\/www/,
    );
    expect(host.snapshot()).toBe(before);
  });

  test('leaves other guests alone', async () => {
    await vmCreate(bofhOn(host), { name: 'web3', start: false });
    host.admin.mount('/dev/vg0/web3-root', '/srv');

    expect(await unmount()).toMatchObject({ mounts: [] });
  });
});
