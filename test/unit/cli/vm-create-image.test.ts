import { beforeEach, describe, expect, test } from 'vitest';
import { type BofhError, RolledBackError } from '../../../src/core/errors.ts';
import type { SimulatedHost } from '../../../src/simulator/index.ts';
import { qcow2, type Qcow2 } from '../../../src/simulator/tools/copy/qemu-img.ts';
import { simulatedBofh } from '../../../src/simulator/index.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { bofhOn, debianBoot, hostWithServer, hostWithSource } from '../simulator/support.ts';
import { runVerb } from './support/run-verb.ts';
import { testRuntime } from './support/runtime.ts';

const mib = 1024 ** 2;
const uuid = '5e1f0000-0000-4000-8000-00000000000a';
const superblock = {
  ...({ type: 'ext4', usage: 'filesystem', uuid, version: '1.0', blockSize: 4096, blocks: 4096 } as const),
  features: ['metadata_csum'],
};
const files = {
  'etc/hostname': 'template\n',
  'etc/ssh/ssh_host_rsa_key': 'of the template\n',
  'etc/machine-id': '0123456789abcdef0123456789abcdef\n',
  'usr/sbin/sshd': 'x',
  'srv/data': 'kept\n',
};

let host: SimulatedHost;
beforeEach(() => {
  host = hostWithSource();
});

const give = (image: Partial<Qcow2> = {}): void =>
  host.admin.writeFile('/srv/web.qcow2', qcow2({ size: 16 * mib, superblock, files, ...image }));

async function create(words: string) {
  const { runtime, stdout } = testRuntime(simulatedBofh({ host, site: bofhOn(host).site }), { json: true });
  await runVerb(runtime, `vm create web1 ${words}`);
  return JSON.parse(stdout()) as { readonly root: string; readonly hostKey: string | null };
}

describe('vm create --source image:FILE', () => {
  test('copies the image, grows it, and gives it a UUID, a name and keys of its own', async () => {
    give();

    const { root, hostKey } = await create('--source image:/srv/web.qcow2 --size 64m --swap 16m');

    const storage = `lv:${host.world.lvm[0]?.lvs.find(({ name }) => name === 'web1-root')?.uuid ?? ''}`;
    const copy = host.world.live.get(storage)?.superblock;
    expect(copy?.blocks).toBe((64 * mib) / 4096);
    expect(copy?.uuid).not.toBe(uuid);
    host.admin.mount(root, '/mnt');
    const text = (path: string) => host.admin.readFile(`/mnt/${path}`);
    expect([text('etc/hostname'), text('srv/data'), text('etc/machine-id')]).toEqual([
      'web1\n',
      'kept\n',
      '',
    ]);
    expect(text('etc/fstab')).toMatch(new RegExp(`^UUID=${copy?.uuid ?? ''} / ext4 .*\nUUID=\\S+ none swap`));
    expect(await host.stat('/mnt/etc/ssh/ssh_host_rsa_key')).toBeUndefined();
    expect(hostKey).toMatch(/^SHA256:/);
  });

  test('is as large as the image without --size', async () => {
    give();
    await create('--source image:/srv/web.qcow2');
    expect(host.world.lvm[0]?.lvs.find(({ name }) => name === 'web1-root')?.extents).toBe(4);
  });

  test.each<readonly [string, Partial<Qcow2>, string, RegExp]>([
    ['that needs another file', { backing: '/etc/shadow' }, '', /needs other files: \/etc\/shadow/],
    ['that is truncated', { truncated: true }, '', /damaged or truncated/],
    ['that is encrypted', { encrypted: true }, '', /is encrypted/],
    ['larger than --size', { size: 128 * mib }, '--size 64m', /more than --size 64 MiB/],
  ])('refuses an image %s, and changes nothing', async (_, image, words, why) => {
    give(image);
    const before = host.snapshot();
    const error = (await rejectionOf(create(`--source image:/srv/web.qcow2 ${words}`.trim()))) as BofhError;
    expect(error.message).toMatch(why);
    expect(host.snapshot()).toBe(before);
  });

  test('refuses a name without a format, and an archive without a size', async () => {
    expect(String(await rejectionOf(create('--source image:/srv/web.vmdk')))).toContain('the format of');
    expect(String(await rejectionOf(create('--source tar:/srv/debian.tar')))).toContain('--size is missing');
    expect(String(await rejectionOf(create('--source image:/srv/x.raw --size 1g --drbd b')))).toContain(
      'image',
    );
  });

  test.each(['xfs', 'btrfs'])('copies the files of an image that is a %s into an ext4', async (type) => {
    give({ superblock: { ...superblock, type } });
    const { root } = await create('--source image:/srv/web.qcow2 --size 32m');
    host.admin.mount(root, '/mnt');
    expect(host.admin.readFile('/mnt/srv/data')).toBe('kept\n');
    expect(host.admin.readFile('/mnt/etc/fstab')).toMatch(/^UUID=\S+ \/ ext4 /);
    expect(host.world.lvm[0]?.lvs.map(({ name }) => name)).not.toContain('web1-image');
  });

  test('undoes the copy of an image with another filesystem', async () => {
    give({ superblock: { ...superblock, type: 'f2fs' } });
    const before = host.snapshot();
    const error = await rejectionOf(create('--source image:/srv/web.qcow2 --size 64m'));
    expect(error).toBeInstanceOf(RolledBackError);
    expect(String(error)).toContain('the root in an image must be ext2, ext3, ext4, xfs or btrfs');
    expect(host.snapshot()).toBe(before);
  });
});

describe('vm create --source image:FILE with partitions', () => {
  const types = {
    root: '4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709',
    linux: '0FC63DAF-8483-4772-8E79-3D69D8477DE4',
    esp: 'C12A7328-F81F-11D2-BA4B-00A0C93EC93B',
    boot: 'BC13C2FF-59E6-4262-A352-B275FD6F7172',
    bios: '21686148-6449-6E6F-744E-656564454649',
  };
  const partUuid = '11111111-2222-4333-8444-0000000000';
  const vfat = { type: 'vfat', usage: 'filesystem', uuid: '1234-ABCD' } as const;
  const fstab = (lines = ''): string =>
    `PARTUUID=${partUuid}01 / ext4 rw,discard 0 1\n${lines}UUID=1234-ABCD /boot/efi vfat defaults 0 0\n`;
  const menu = [
    `search --no-floppy --fs-uuid --set=root ${uuid}`,
    `linux /boot/vmlinuz-6.1.0 root=PARTUUID=${partUuid}01 ro console=ttyS0`,
    'initrd /boot/initrd.img-6.1.0',
  ].join('\n');
  const system = {
    ...files,
    'etc/fstab': fstab(),
    'etc/default/grub.d/40-force-partuuid.cfg': 'GRUB_FORCE_PARTUUID=x\n',
    'boot/vmlinuz-6.1.0': 'x',
    'boot/initrd.img-6.1.0': 'x',
    'boot/grub/grub.cfg': `${menu}\n`,
  };

  type Part = Omit<NonNullable<Qcow2['partitions']>[number], 'from' | 'uuid' | 'size'> & {
    readonly mib?: number;
  };
  const part = (type: keyof typeof types, of: Partial<Part> = {}): Part => ({ type: types[type], ...of });
  const esp = part('esp', { superblock: vfat, mib: 1 });
  const root = (of: Partial<Part> = {}): Part => part('root', { superblock, files: system, mib: 16, ...of });
  function giveParts(...parts: readonly Part[]): void {
    let from = 1;
    const partitions = parts.map(({ mib: size = 1, ...each }, at) => {
      const placed = { ...each, from: from * mib, size: size * mib, uuid: `${partUuid}0${at + 1}` };
      from += size;
      return placed;
    });
    host.admin.writeFile('/srv/web.qcow2', qcow2({ size: (from + 1) * mib, partitions }));
  }
  const source = '--source image:/srv/web.qcow2';
  const fileOf = (device: string, path: string): string => {
    host.admin.mount(device, '/mnt');
    const text = host.admin.readFile(`/mnt/${path}`);
    host.admin.umount('/mnt');
    return text;
  };

  test('copies the root with a new UUID, and names mounts that its fstab loses', async () => {
    giveParts(part('bios'), esp, root());
    const created = await create(`${source} --size 64m`);

    expect(created).toMatchObject({
      ...{ source: '/srv/web.qcow2', partition: 3, dropped: ['/boot/efi'], merged: [] },
    });
    const text = fileOf(created.root, 'etc/fstab');
    expect(text).toMatch(/^UUID=\S+ \/ ext4 .*\n$/);
    expect(text).not.toContain(uuid);
  });

  test('is as large as the partition without --size', async () => {
    giveParts(esp, root({ mib: 32 }));
    await create(source);
    expect(host.world.lvm[0]?.lvs.find(({ name }) => name === 'web1-root')?.extents).toBe(8);
  });

  test('boots its own kernel: its grub.cfg names the disk and not the partition', async () => {
    host = hostWithServer(debianBoot);
    giveParts(root(), esp);
    const created = await create(`${source} --size 64m --memory 128m --boot grub`);

    const text = fileOf(created.root, 'boot/grub/grub.cfg');
    expect(text).toContain('root=/dev/xvda ro');
    expect(text).not.toContain(uuid);
    host.admin.mount(created.root, '/mnt');
    expect(await host.stat('/mnt/etc/default/grub.d/40-force-partuuid.cfg')).toBeUndefined();
  });

  test('takes the largest Linux filesystem where no partition has the type of a root', async () => {
    giveParts(
      part('linux', { superblock, files: { 'etc/x': '' }, mib: 2 }),
      part('linux', { superblock, files: system, mib: 16 }),
    );
    expect(await create(`${source} --size 64m`)).toMatchObject({ partition: 2 });
  });

  test('accepts the number of the partition', async () => {
    giveParts(root(), root());
    expect(await create(`${source} --size 64m --partition 2`)).toMatchObject({ partition: 2 });
  });

  const bootUuid = '5e1f0000-0000-4000-8000-0000000000b0';
  const bootFiles = {
    'vmlinuz-6.1.0': 'x',
    'initrd.img-6.1.0': 'x',
    'grub/grub.cfg': [
      `search --no-floppy --fs-uuid --set=root ${uuid}`,
      `  search --no-floppy --fs-uuid --set=root ${bootUuid}`,
      `  linux /vmlinuz-6.1.0 root=PARTUUID=${partUuid}01 ro rootflags=subvol=@ console=ttyS0`,
      '  initrd /microcode.cpio /initrd.img-6.1.0',
      '',
    ].join('\n'),
  };
  const boot = (of: Partial<Part> = {}): Part =>
    part('boot', {
      superblock: { ...superblock, uuid: bootUuid, label: 'BOOT' },
      ...{ files: bootFiles, mib: 2, ...of },
    });
  const mountsBoot = (line = 'LABEL=BOOT /boot ext4 defaults 0 2') => ({
    'etc/ssh/sshd_config': '',
    'boot/hidden': 'x',
    'etc/fstab': fstab(`${line}\n`),
  });
  const ubuntu = (of: Partial<Part> = {}) =>
    part('linux', { superblock, files: mountsBoot(), mib: 16, ...of });

  test('copies the files of a separate /boot into the root, and grub.cfg finds them there', async () => {
    host = hostWithServer(debianBoot);
    giveParts(ubuntu(), esp, boot());
    const created = await create(`${source} --size 32m --memory 128m --boot grub`);

    expect(created).toMatchObject({ partition: 1, merged: ['/boot'], dropped: ['/boot/efi'] });
    const text = fileOf(created.root, 'boot/grub/grub.cfg');
    const own = /^UUID=(\S+) \/ ext4 .*\n$/.exec(fileOf(created.root, 'etc/fstab'))?.[1] ?? '';
    expect(text).toBe(
      [
        `search --no-floppy --fs-uuid --set=root ${own}`,
        `  search --no-floppy --fs-uuid --set=root ${own}`,
        '  linux /boot/vmlinuz-6.1.0 root=/dev/xvda ro console=ttyS0',
        '  initrd /microcode.cpio /boot/initrd.img-6.1.0',
        '',
      ].join('\n'),
    );
    expect(fileOf(created.root, 'boot/vmlinuz-6.1.0')).toBe('x');
    host.admin.mount(created.root, '/mnt');
    expect(await host.stat('/mnt/boot/hidden')).toBeUndefined();
    expect(host.world.lvm[0]?.lvs.filter(({ name }) => name.includes('image'))).toEqual([]);
  });

  test.each([
    `UUID=${bootUuid}`,
    `PARTUUID=${partUuid}02`,
    '/dev/vda2',
    '/dev/disk/by-label/BOOT',
    `/dev/disk/by-uuid/${bootUuid}`,
  ])('finds the partition that its fstab calls %s', async (name) => {
    giveParts(ubuntu({ files: mountsBoot(`${name} /boot ext4 defaults`) }), boot());
    expect(await create(`${source} --size 32m`)).toMatchObject({ merged: ['/boot'] });
  });

  test('is as large as its filesystems without --size', async () => {
    giveParts(ubuntu(), boot());
    await create(source);
    expect(host.world.lvm[0]?.lvs.find(({ name }) => name === 'web1-root')?.extents).toBe(5);
  });

  test('a dry run says what it cannot see', async () => {
    giveParts(ubuntu(), boot());
    const before = host.snapshot();
    const { runtime } = testRuntime(simulatedBofh({ host, site: bofhOn(host).site }), {
      dryRun: true,
    });
    const error = await rejectionOf(runVerb(runtime, `vm create web1 ${source} --size 32m`));
    expect(String(error)).toContain('cannot tell what is in the partition of the image');
    expect((error as BofhError).remedy).toContain('run it without --dry-run');
    expect(host.snapshot()).toBe(before);
  });

  const lvm = { type: 'LVM2_member', usage: 'raid' } as const;
  test.each<readonly [string, readonly Part[], string, RegExp]>([
    [
      'two of which may be the root',
      [root(), root()],
      '',
      /both partition 1 and partition 2.*1 \(16 MiB, root, ext\); 2 \(16 MiB, root, ext\)/,
    ],
    [
      'whose root is in LVM',
      [esp, part('linux', { superblock: lvm })],
      '',
      /no partition of a Linux type has ext2, ext3, ext4, xfs or btrfs.*2 \(1 MiB, linux, LVM2_member\)/,
    ],
    [
      'whose root is encrypted',
      [root({ superblock: { type: 'crypto_LUKS', usage: 'crypto' } })],
      '',
      /partition 1 is not ext2.*crypto_LUKS/,
    ],
    [
      'whose root is in LVM beside a /boot',
      [
        part('linux', { superblock: { ...superblock, type: 'xfs' } }),
        part('linux', { superblock: lvm, mib: 4 }),
      ],
      '',
      /partition 2 is LVM2_member and may contain the root/,
    ],
    [
      'whose copies need more space than the group has',
      [root({ superblock: { ...superblock, type: 'xfs' }, mib: 100_000 })],
      '',
      /the volume group vg0 has .* free .* are needed: 97\.7 GiB of that only while the image is copied/,
    ],
    [
      'without the partition that is named',
      [root()],
      '--partition 7',
      /there is no partition 7; .*1 \(16 MiB, root, ext\)/,
    ],
    [
      'whose root is larger than --size',
      [root({ mib: 128 })],
      '',
      /partition 1 of \S+ has 128 MiB, more than --size 64 MiB/,
    ],
    ['without partitions', [], '', /has no partitions/],
  ])('refuses an image %s, and changes nothing', async (_, parts, words, why) => {
    giveParts(...parts);
    const before = host.snapshot();
    expect(String(await rejectionOf(create(`${source} --size 64m ${words}`.trim())))).toMatch(why);
    expect(host.snapshot()).toBe(before);
  });

  test.each<readonly [string, Readonly<Record<string, string>>, RegExp]>([
    [
      'a separate /boot',
      { ...system, 'etc/fstab': fstab('LABEL=BOOT /boot ext4 defaults 0 2\n') },
      /mounts LABEL=BOOT on \/boot, and no other partition/,
    ],
    [
      'a vfat with data',
      { ...system, 'etc/fstab': fstab('LABEL=DATA /data vfat defaults 0 2\n') },
      /mounts LABEL=DATA on \/data, and no other partition/,
    ],
    ['no /etc', { 'srv/data': 'x' }, /partition 1 of \S+ has no files in \/etc/],
  ])('undoes the copy of a root with %s', (_, content, why) => undone([root({ files: content })], why));

  async function undone(parts: readonly Part[], why: RegExp, words = '--size 64m'): Promise<void> {
    giveParts(...parts);
    const before = host.snapshot();
    const error = await rejectionOf(create(`${source} ${words}`));
    expect(error).toBeInstanceOf(RolledBackError);
    expect(String(error)).toMatch(why);
    expect(host.snapshot()).toBe(before);
  }

  test.each<readonly [string, readonly Part[], RegExp]>([
    [
      'a /boot that no partition has',
      [ubuntu(), boot({ superblock })],
      /mounts LABEL=BOOT on \/boot, but LABEL=BOOT is not a partition of the image with ext2/,
    ],
    [
      'a /boot that two partitions may be',
      [ubuntu(), boot(), boot()],
      /but several partitions of the image match LABEL=BOOT/,
    ],
    [
      'a line of the fstab that cannot be parsed',
      [ubuntu({ files: mountsBoot('LABEL=BOOT') }), boot()],
      /\/etc\/fstab in partition 1 of \S+: line 2 could not be parsed/,
    ],
    [
      'no directory for the mount',
      [ubuntu({ files: { ...mountsBoot('LABEL=BOOT /etc/hostname ext4') } }), boot()],
      /on \/etc\/hostname, but \/etc\/hostname is not a directory in the image/,
    ],
    ['no /etc', [ubuntu({ files: { 'srv/data': 'x' } }), boot()], /partition 1 of \S+ has no files in \/etc/],
  ])('undoes everything for an image with %s', (_, parts, why) => undone(parts, why));

  test('undoes everything for an image with more files than --size holds', () =>
    undone(
      [ubuntu({ files: { ...mountsBoot(), 'srv/data': 'x'.repeat(17 * mib) } }), boot()],
      /partition 1 of \S+ holds 17 MiB, which does not fit into --size 16 MiB/,
      '--size 16m',
    ));

  test('refuses kernels in boot/loader/entries with --boot grub', async () => {
    host = hostWithServer(debianBoot);
    const { 'grub/grub.cfg': _, ...entries } = { ...bootFiles, 'loader/entries/x.conf': 'x' };
    await undone([ubuntu(), boot({ files: entries })], /boot\/loader\/entries/, '--size 64m --boot grub');
  });

  test('refuses --partition for an image without a table, and for an archive', async () => {
    give();
    expect(String(await rejectionOf(create(`${source} --partition 1`)))).toContain('has no partition table');
    expect(
      String(await rejectionOf(create('--source tar:/srv/debian.tar --size 64m --partition 1'))),
    ).toContain('--partition is for --source image:FILE');
  });
});
