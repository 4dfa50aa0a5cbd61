import { execFileSync, spawnSync } from 'node:child_process';
import {
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Steps } from '../../src/atomic/index.ts';
import { openJournals, recover } from '../../src/atomic/recovery/recover.ts';
import { image, unpack } from '../../src/copy/operations.ts';
import { create } from '../../src/filesystem/operations.ts';
import { localHost } from '../../src/host/local.ts';
import { mount } from '../../src/mount/operations.ts';
import type { Tx } from '../../src/operations.ts';
import { makeFilesystems } from '../../src/vm/data-disks.ts';
import { fillRoot, measureSource, planSource } from '../../src/vm/root-source.ts';
import { rejectionOf } from '../support/rejection.ts';
import { mountedPaths, sequence, sh, startScript, storage, testEngine } from './sequence.ts';

const host = localHost();
const mib = 1024 ** 2;
let disk: ReturnType<typeof storage>;
let devices: string[];

beforeEach(() => {
  disk = storage();
  devices = [];
});
afterEach(() => disk.clean());

const types = {
  linux: '0FC63DAF-8483-4772-8E79-3D69D8477DE4',
  boot: 'BC13C2FF-59E6-4262-A352-B275FD6F7172',
  esp: 'C12A7328-F81F-11D2-BA4B-00A0C93EC93B',
};
type Files = Readonly<Record<string, string>>;
interface Part {
  readonly type: keyof typeof types;
  readonly mebibytes: number;
  /** The program that makes its filesystem, with its arguments. */
  readonly make: readonly [tool: string, ...argv: string[]];
  /** Writes into the mounted filesystem. */
  readonly fill?: (at: string) => void;
}

const write = (files: Files) => (at: string) => {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(at, dirname(path)), { recursive: true });
    writeFileSync(join(at, path), text);
  }
};

/** An image with a gpt. */
function build(parts: readonly Part[], format: 'raw' | 'qcow2' = 'qcow2'): string {
  const raw = disk.path('cloud.raw');
  writeFileSync(raw, '');
  truncateSync(raw, (parts.reduce((sum, { mebibytes }) => sum + mebibytes, 0) + 2) * mib);
  const lines = parts.map(
    ({ type, mebibytes }, at) => `size=${String(mebibytes)}M,type=${types[type]},name=part-${String(at)}`,
  );
  execFileSync('sfdisk', ['--quiet', raw], { input: `label: gpt\n${lines.join('\n')}\n` });
  let at = 1;
  for (const [index, { mebibytes, make, fill }] of parts.entries()) {
    const part = disk.path(`part-${String(index)}`);
    writeFileSync(part, '');
    truncateSync(part, mebibytes * mib);
    sh(...make, part);
    if (fill !== undefined) {
      const place = disk.makeDir(`fill-${String(index)}`);
      sh('mount', '-o', 'loop', part, place);
      fill(place);
      sh('umount', place);
    }
    sh('dd', `if=${part}`, `of=${raw}`, 'bs=1M', `seek=${String(at)}`, 'conv=notrunc,sparse', 'status=none');
    at += mebibytes;
  }
  if (format === 'raw') return raw;
  sh('qemu-img', 'convert', '-c', '-f', 'raw', '-O', 'qcow2', raw, disk.path('cloud.qcow2'));
  return disk.path('cloud.qcow2');
}

function blank(name: string, mebibytes: number): string {
  const device = disk.blank(name, mebibytes);
  devices.push(device);
  return device;
}

/** Nothing that bofh mounted is left. */
const expectUnmounted = () => expect(devices.flatMap((each) => mountedPaths(each))).toEqual([]);

/** The methods that fill a root, with loop devices in the place of temporary volumes. */
function txOf(steps: Steps): Tx {
  const createLv = ({ name, size }: { readonly name: string; readonly size: number }) =>
    Promise.resolve({ path: blank(name, Math.ceil(size / mib)), release: () => Promise.resolve() });
  const tx = {
    scope: (name: string, body: (inner: Tx) => Promise<unknown>) =>
      steps.scope(name, (inner) => body(txOf(inner))),
    temporary: {
      lvm: { createLv },
      mount: { mount: (args: Parameters<Tx['mount']['mount']>[0]) => steps.temporary(mount, args) },
    },
    copy: {
      image: (args: Parameters<Tx['copy']['image']>[0]) => steps.step(image, args),
      unpack: (args: Parameters<Tx['copy']['unpack']>[0]) => steps.step(unpack, args),
    },
    filesystem: {
      create: (args: Parameters<Tx['filesystem']['create']>[0]) => steps.step(create, args),
    },
  };
  return tx as unknown as Tx;
}

/** Creates the root of a guest from an image; returns what its mounted root has. */
async function root(
  path: string,
  { mebibytes = 64, boot }: { readonly mebibytes?: number; readonly boot?: 'grub' } = {},
) {
  const device = blank('root', mebibytes);
  const source = { type: 'image' as const, path };
  const { copies } = await measureSource(host, { name: 'web1', source, type: 'pv' });
  const request = {
    ...{ name: 'web1', source, size: mebibytes * mib, memory: 128 * mib, swap: 0, vcpus: 1 },
    ...{ type: 'pv' as const, start: false, ...(boot === undefined ? {} : { boot }) },
  };
  const identity = { hostname: 'web1', sshKeys: [], network: undefined, timezone: undefined };
  const planned = await planSource(host, { request, vg: 'vg0', identity });
  if (planned.type === 'disk') throw new Error('a PV guest has no copy of a whole disk');
  const { dropped, merged } = await sequence(testEngine(disk.path('state')), async (steps) => {
    const tx = txOf(steps);
    return fillRoot(tx, {
      ...{ source: planned, device },
      roles: { scripts: [], description: undefined, environment: {}, seconds: 1 },
      filesOf: (uuid) => makeFilesystems(tx, { root: uuid, swap: undefined, data: [] }),
    });
  });
  expectUnmounted();
  const at = disk.makeDir('guest');
  sh('mount', '-o', 'ro', device, at);
  const uuid = sh('blkid', '-p', '-o', 'value', '-s', 'UUID', device).trim();
  return {
    ...{ at, uuid, dropped, merged, copies: copies.map(({ name }) => name) },
    text: (name: string) => readFileSync(join(at, name), 'utf8'),
    names: sh('find', at, '-mindepth', '1', '-printf', '%P\n').trim().split('\n').toSorted(),
  };
}

/** Everything that a copy must have, for a file. An xfs shows its ACLs twice. */
const shown = (at: string, name: string): string =>
  [
    sh('stat', '--format=%A %u %g %h %s %Y', join(at, name)),
    sh('getfattr', '--absolute-names', '--dump', '--match=-', join(at, name)).replaceAll(
      /^(?:#|trusted.SGI_ACL).*\n/gm,
      '',
    ),
    sh('getfacl', '--omit-header', '--absolute-names', join(at, name)),
  ].join('');

const esp: Part = { type: 'esp', mebibytes: 8, make: ['mkfs.vfat'] };
const system = { 'etc/hostname': 'template\n', 'etc/ssh/ssh_host_rsa_key': 'key' };
const xfs = ['mkfs.xfs', '-q'] as const;

describe('the root of a guest from a cloud image', () => {
  it.each(['raw', 'qcow2'] as const)(
    'with xfs for / and /boot (%s) has all files with their attributes',
    async (format) => {
      const before: string[] = [];
      const path = build(
        [
          esp,
          {
            ...{ type: 'boot', mebibytes: 304, make: [...xfs, '-L', 'boot'] },
            fill: write({ 'vmlinuz-5.14': 'kernel' }),
          },
          {
            ...{ type: 'linux', mebibytes: 320, make: [...xfs] },
            fill: (at) => {
              write({ ...system, 'boot/hidden': '', 'bin/su': 'x', 'bin/ping': 'x' })(at);
              write({ 'etc/fstab': 'UUID=x / xfs defaults 0 0\nLABEL=boot /boot xfs defaults 0 0\n' })(at);
              linkSync(join(at, 'bin/su'), join(at, 'bin/same'));
              sh('chown', '7:8', join(at, 'bin/su'));
              sh('chmod', '4755', join(at, 'bin/su'));
              sh('setfacl', '--modify=user:7:r', join(at, 'bin/su'));
              sh('setfattr', '--name=user.colour', '--value=blue', join(at, 'bin/su'));
              sh('setfattr', '--name=security.selinux', '--value=system_u:x', join(at, 'bin/su'));
              sh('setcap', 'cap_net_raw+ep', join(at, 'bin/ping'));
              mkdirSync(join(at, 'dev'));
              sh('mknod', join(at, 'dev/null'), 'c', '1', '3');
              writeFileSync(join(at, 'sparse'), '');
              truncateSync(join(at, 'sparse'), 200 * mib);
              before.push(shown(at, 'bin/su'), shown(at, 'bin/ping'));
            },
          },
        ],
        format,
      );
      // The kernel mounts an xfs only once, unless it may have the same UUID.
      sh('mount', '-o', 'loop,ro', disk.path('part-2'), disk.makeDir('same'));

      const made = await root(path);

      expect(made.merged).toEqual(['/boot']);
      expect(made.copies).toEqual(['web1-image-3', 'web1-image-2']);
      expect(made.names).toContain('boot/vmlinuz-5.14');
      expect(made.names.join('\n')).not.toMatch(/hidden|ssh_host_rsa/);
      expect([shown(made.at, 'bin/su'), shown(made.at, 'bin/ping')]).toEqual(before);
      expect(sh('getfattr', '--dump', '--match=^trusted', join(made.at, 'bin/su'))).toBe('');
      expect(statSync(join(made.at, 'bin/same')).ino).toBe(statSync(join(made.at, 'bin/su')).ino);
      expect(statSync(join(made.at, 'dev/null')).isCharacterDevice()).toBe(true);
      expect(statSync(join(made.at, 'sparse')).blocks).toBe(0);
      expect(made.text('etc/fstab')).toBe(`UUID=${made.uuid} / ext4 defaults 0 1\n`);
      expect(made.text('etc/hostname')).toBe('web1\n');
    },
  );

  it('with an xfs that was not unmounted has what only its log has', async () => {
    const part: Part = { type: 'linux', mebibytes: 320, make: [...xfs], fill: write(system) };
    const raw = build([part], 'raw');
    const loop = sh(
      'losetup',
      '--find',
      '--show',
      '--offset',
      String(mib),
      '--sizelimit',
      String(320 * mib),
      raw,
    ).trim();
    const at = disk.makeDir('dirty');
    try {
      sh('mount', loop, at);
      write({ 'etc/new': '' })(at);
      // Ends the filesystem with a written log, as a power cut does.
      sh('xfs_io', '-x', '-c', 'shutdown -f', at);
      sh('umount', at);
    } finally {
      sh('losetup', '--detach', loop);
    }
    expect((await root(raw)).names).toContain('etc/new');
  });

  it('with subvolumes of a btrfs, and a /boot that is an ext4, has their files', async () => {
    const make = (at: string): void => {
      for (const name of ['root', 'home', 'old']) sh('btrfs', '-q', 'subvolume', 'create', join(at, name));
      const lines = ['root /', 'home /home'].map((each) => {
        const [name = '', target = ''] = each.split(' ');
        return `UUID=@ ${target} btrfs subvol=${name},compress=zstd:1 0 0`;
      });
      const uuid = sh('findmnt', '--noheadings', '--output', 'UUID', at).trim();
      const fstab = [
        ...lines,
        'PARTLABEL=part-1 /boot ext4 defaults 1 2',
        'LABEL=EFI /boot/efi vfat umask=0077 0 2',
        '',
      ];
      const text = fstab.join('\n').replaceAll('@', uuid);
      write({ ...system, 'etc/fstab': text, 'srv/data': 'data' })(join(at, 'root'));
      for (const name of ['home', 'boot']) mkdirSync(join(at, 'root', name));
      sh('btrfs', '-q', 'subvolume', 'create', join(at, 'root/var'));
      write({ 'log/x': 'x' })(join(at, 'root/var'));
      sh('btrfs', 'property', 'set', join(at, 'root/var/log'), 'compression', 'zstd');
      write({ 'me/.profile': 'x' })(join(at, 'home'));
      write({ 'etc/fstab': text })(join(at, 'old'));
    };
    const made = await root(
      build([
        esp,
        {
          ...{ type: 'boot', mebibytes: 16, make: ['mkfs.ext4', '-q', '-L', 'BOOT'] },
          fill: write({ 'vmlinuz-6': 'x' }),
        },
        { type: 'linux', mebibytes: 128, make: ['mkfs.btrfs', '-q'], fill: make },
      ]),
    );

    expect(made).toMatchObject({ merged: ['/home', '/boot'], dropped: ['/boot/efi'] });
    expect(made.names).toEqual(expect.arrayContaining(['home/me/.profile', 'boot/vmlinuz-6', 'var/log/x']));
    expect(made.text('srv/data')).toBe('data');
    expect(existsSync(join(made.at, 'old'))).toBe(false);
  });

  it('with a default subvolume has that one', async () => {
    const make = (at: string): void => {
      for (const name of ['@', '@/.snapshots', '@/var'])
        sh('btrfs', '-q', 'subvolume', 'create', join(at, name));
      mkdirSync(join(at, '@/.snapshots/1'));
      const own = join(at, '@/.snapshots/1/snapshot');
      sh('btrfs', '-q', 'subvolume', 'create', own);
      const label = 'LABEL=ROOT';
      write({
        ...system,
        'etc/fstab': `${label} / btrfs defaults 0 0\n${label} /var btrfs subvol=/@/var 0 0\n`,
      })(own);
      mkdirSync(join(own, 'var'));
      write({ 'lib/x': 'x' })(join(at, '@/var'));
      sh('btrfs', 'subvolume', 'set-default', own);
    };
    const made = await root(
      build([{ type: 'linux', mebibytes: 128, make: ['mkfs.btrfs', '-q', '-L', 'ROOT'], fill: make }]),
    );
    expect(made.names).toEqual(expect.arrayContaining(['etc/hostname', 'var/lib/x']));
    expect(made.merged).toEqual(['/var']);
  });

  it('with a separate /boot as Ubuntu has boots the kernel of the image', async () => {
    const uuids = {
      root: '11111111-1111-4111-8111-111111111111',
      boot: '22222222-2222-4222-8222-222222222222',
    };
    const menu = [
      `search --no-floppy --fs-uuid --set=root ${uuids.root}`,
      `\tsearch --no-floppy --fs-uuid --set=root ${uuids.boot}`,
      '\tlinux\t/vmlinuz-6.8.0 root=LABEL=cloudimg-rootfs ro console=tty1',
      '\tinitrd\t/initrd.img-6.8.0',
      '',
    ].join('\n');
    const made = await root(
      build([
        {
          ...{ type: 'linux', mebibytes: 32 },
          make: ['mkfs.ext4', '-q', '-L', 'cloudimg-rootfs', '-U', uuids.root],
          fill: write({
            ...{ ...system, 'boot/.keep': '' },
            'etc/fstab':
              'LABEL=cloudimg-rootfs / ext4 defaults 0 1\nLABEL=BOOT /boot ext4 defaults 0 2\nLABEL=UEFI /boot/efi vfat umask=0077 0 1\n',
          }),
        },
        esp,
        {
          ...{ type: 'boot', mebibytes: 16, make: ['mkfs.ext4', '-q', '-L', 'BOOT', '-U', uuids.boot] },
          fill: write({ 'vmlinuz-6.8.0': 'k', 'initrd.img-6.8.0': 'r', 'grub/grub.cfg': menu }),
        },
      ]),
      { boot: 'grub' },
    );

    expect(made.text('boot/grub/grub.cfg')).toBe(
      [
        `search --no-floppy --fs-uuid --set=root ${made.uuid}`,
        `\tsearch --no-floppy --fs-uuid --set=root ${made.uuid}`,
        '\tlinux\t/boot/vmlinuz-6.8.0 root=/dev/xvda ro console=tty1',
        '\tinitrd\t/boot/initrd.img-6.8.0',
        '',
      ].join('\n'),
    );
    expect(made.dropped).toEqual(['/boot/efi']);
    expect(made.names).not.toContain('boot/.keep');
  });
});

describe('an image that is refused after its copy', () => {
  const boot: Part = {
    ...{ type: 'boot', mebibytes: 16, make: ['mkfs.ext4', '-q', '-L', 'BOOT'] },
    fill: write({ vmlinuz: 'x' }),
  };
  const of = (fill: (at: string) => void): readonly Part[] => [
    {
      ...{ type: 'linux', mebibytes: 32, make: ['mkfs.ext4', '-q'] },
      fill: (at) => {
        write({ ...system, 'etc/fstab': 'LABEL=BOOT /boot ext4 defaults 0 2\n', 'boot/x': '' })(at);
        fill(at);
      },
    },
    boot,
  ];
  const linked = (name: string, target: string) => (at: string) => {
    sh('rm', '--recursive', join(at, name));
    symlinkSync(target, join(at, name));
  };

  it.each<readonly [string, (at: string) => void, RegExp]>([
    [
      'a link for /boot',
      linked('boot', '/srv'),
      /LABEL=BOOT on \/boot, but \/boot is not a directory in the image/,
    ],
    ['a link for /etc', linked('etc', '/etc'), /has no files in \/etc/],
    ['a link for /etc/fstab', linked('etc/fstab', '/etc/fstab'), /\/etc\/fstab in .* is not a regular file/],
    [
      'a mount that leads out of it',
      write({ 'etc/fstab': 'LABEL=BOOT /../../../../srv ext4 defaults 0 2\n' }),
      /is not a directory in the image/,
    ],
    [
      'more files than the root has room for',
      write({ large: 'x'.repeat(20 * mib) }),
      /does not fit into .* 20 MiB/,
    ],
  ])('with %s is undone', async (_, fill, why) => {
    expect(String(await rejectionOf(root(build(of(fill)), { mebibytes: 20 })))).toMatch(why);
    expectUnmounted();
  });

  it('with a link for /etc/fstab and one filesystem is undone', async () => {
    const path = build(of(linked('etc/fstab', '/etc/fstab')).slice(0, 1));
    expect(String(await rejectionOf(root(path)))).toMatch(/\/etc\/fstab in .* is not a regular file/);
    expectUnmounted();
  });

  it('with several subvolumes that may be the root names them', async () => {
    const fill = (at: string): void => {
      for (const name of ['one', 'two']) {
        sh('btrfs', '-q', 'subvolume', 'create', join(at, name));
        write({ ...system, 'etc/fstab': '' })(join(at, name));
      }
    };
    const path = build([{ type: 'linux', mebibytes: 128, make: ['mkfs.btrfs', '-q'], fill }]);
    expect(String(await rejectionOf(root(path)))).toMatch(
      /several subvolumes that may be the root: (?:one, two|two, one)/,
    );
    expectUnmounted();
  });

  it('with a filesystem that the kernel does not mount names the way out', async () => {
    const raw = build([{ type: 'linux', mebibytes: 320, make: [...xfs], fill: write(system) }], 'raw');
    const bytes = readFileSync(raw);
    // An unknown incompatible feature; the kernel then does not read further.
    bytes[mib + 216] = 0x80;
    writeFileSync(raw, bytes);
    const error = await rejectionOf(root(raw));
    expect(String(error)).toMatch(/the xfs on partition 1 of \S+cloud.raw cannot be mounted: mount: /);
    expectUnmounted();
  });
});

describe('a copy of mounted filesystems that was killed', () => {
  it.each([
    ['their mounts', false],
    ['their mounts, which a boot has ended', true],
  ])('is undone by recovery with %s', async (_, ended) => {
    const [source, boot, target] = [blank('source', 320), blank('boot', 16), blank('target', 64)];
    sh('mkfs.xfs', '-q', source);
    sh('mkfs.ext4', '-q', boot);
    const fill = disk.makeDir('fill');
    for (const device of [boot, source]) {
      sh('mount', device, fill);
      write({ 'boot/hidden': '' })(fill);
      for (let at = 0; at < 6000; at += 1)
        if (device === source) writeFileSync(join(fill, `f${String(at)}`), 'x'.repeat(3000));
      sh('umount', fill);
    }
    const here = (path: string): string => JSON.stringify(new URL(path, import.meta.url).pathname);
    writeFileSync(
      disk.path('child.ts'),
      `import { sequence, testEngine } from ${here('./sequence.ts')};
       import { unpack } from ${here('../../src/copy/operations.ts')};
       import { create } from ${here('../../src/filesystem/operations.ts')};
       import { mount } from ${here('../../src/mount/operations.ts')};
       const [source, boot, device] = ${JSON.stringify([source, boot, target])};
       await sequence(testEngine(${JSON.stringify(disk.path('state'))}), async (tx) => {
         const tree = await tx.temporary(mount, { device: source, type: 'xfs', mode: 'ro' });
         await tx.temporary(mount, { device: boot, path: tree.path + '/boot', hides: true, mode: 'ro' });
         const { uuid: filesystem } = await tx.step(create, { device, type: 'ext4' });
         const { path: root } = await tx.temporary(mount, { device, type: 'ext4', mode: 'rw' });
         await tx.step(unpack, { source: tree.path, mounts: 'included', root, device, filesystem, files: [] });
         process.kill(process.pid, 'SIGTERM');
       });`,
    );
    const { child, ended: end } = startScript(disk.path('child.ts'));
    const copied = () => mountedPaths(target).flatMap((at) => readdirSync(at)).length;
    await expect.poll(copied, { timeout: 90_000, interval: 5 }).toBeGreaterThan(1);
    child.kill('SIGKILL');
    expect(await end).toBe('SIGKILL');
    if (ended)
      for (const device of [boot, source, target])
        for (const at of mountedPaths(device)) {
          // tar goes on without bofh.
          await expect.poll(() => spawnSync('umount', [at]).status, { timeout: 60_000 }).toBe(0);
          if (device !== boot) rmdirSync(at);
        }
    const engine = testEngine(disk.path('state'));
    const [open] = await openJournals(engine);

    expect((await recover(open?.id ?? '', { engine, yes: false })).end).toBe('rolled-back');

    expectUnmounted();
    expect(spawnSync('blkid', ['-p', target]).status).toBe(2);
  });
});
