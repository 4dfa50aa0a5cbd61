import { beforeEach, describe, expect, test } from 'vitest';
import { type BofhError, RefusedError } from '../../../src/core/errors.ts';
import type { SimulatedHost, TarMember } from '../../../src/simulator/index.ts';
import { qcow2 } from '../../../src/simulator/tools/copy/qemu-img.ts';
import { grubMenu, withRoot } from '../../../src/vm/boot.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { runVerb } from '../cli/support/run-verb.ts';
import { testRuntime } from '../cli/support/runtime.ts';
import { bofhOn, debianBoot, hostWithServer, oldMenu, oldRoot } from '../simulator/support.ts';

const create = 'vm create web1 --source tar:/srv/debian.tar --size 64m --memory 128m --boot grub';

let host: SimulatedHost;
beforeEach(() => {
  host = hostWithServer(debianBoot);
  host.admin.mkdir('/mnt');
});

const typed = (line: string) => runVerb(testRuntime(bofhOn(host)).runtime, line);
const uuidOf = (name: string) => {
  const lv = host.world.lvm.flatMap(({ lvs }) => lvs).find((each) => each.name === name);
  return host.world.live.get(`lv:${lv?.uuid ?? ''}`)?.superblock?.uuid ?? '';
};
function menuOf(name: string): string {
  host.admin.mount(`/dev/vg0/${name}-root`, '/mnt');
  const text = host.admin.readFile('/mnt/boot/grub/grub.cfg');
  host.admin.umount('/mnt');
  return text;
}

describe('vm create --boot grub', () => {
  test.each([
    ['pv', 'grub-x86_64-xen.bin'],
    ['pvh', 'grub-i386-xen_pvh.bin'],
  ])('of a %s guest writes a grub.cfg for the kernel of the root', async (type, grub) => {
    await typed(`${create} --type ${type}`);

    const config = host.admin.readFile('/etc/xen/web1.cfg');
    expect(config).toContain(`kernel = "/usr/lib/grub-xen/${grub}"\n`);
    expect(config).not.toMatch(/^(?:ramdisk|root|extra) /m);
    const uuid = uuidOf('web1-root');
    expect(menuOf('web1')).toContain(
      `  search --no-floppy --set=root --fs-uuid ${uuid}\n  linux /vmlinuz root=UUID=${uuid} ro console=hvc0\n  initrd /initrd.img\n`,
    );
  });

  const withMenu = (content: string): readonly TarMember[] => [
    ...debianBoot,
    { path: './boot/grub/', type: 'directory' },
    { path: './boot/grub/grub.cfg', content, mode: 0o444 },
  ];

  test('writes the new UUID to a grub.cfg of the source, and a clone of the guest gets its own', async () => {
    host = hostWithServer(withMenu(oldMenu));
    host.admin.mkdir('/mnt');
    await typed(create);
    await typed('vm clone web1 web2');

    expect(menuOf('web1')).toBe(oldMenu.replaceAll(oldRoot, uuidOf('web1-root')));
    expect(menuOf('web2')).toBe(oldMenu.replaceAll(oldRoot, uuidOf('web2-root')));
    expect(uuidOf('web2-root')).not.toBe(uuidOf('web1-root'));
  });

  test('does the same in an image', async () => {
    const superblock = {
      ...({ type: 'ext4', usage: 'filesystem', uuid: oldRoot, version: '1.0' } as const),
      ...{ blockSize: 4096, blocks: 4096, features: [] },
    };
    const files = { 'boot/vmlinuz-6.1': 'x', 'boot/grub/grub.cfg': oldMenu };
    host.admin.writeFile('/srv/web.qcow2', qcow2({ size: 16 * 1024 ** 2, superblock, files }));
    await typed(create.replace('tar:/srv/debian.tar', 'image:/srv/web.qcow2'));
    expect(menuOf('web1')).toBe(oldMenu.replaceAll(oldRoot, uuidOf('web1-root')));
  });

  test('refuses a grub.cfg that boots from elsewhere, and changes nothing', async () => {
    host = hostWithServer(withMenu(oldMenu.replaceAll(`UUID=${oldRoot}`, '/dev/sda1')));
    const before = host.snapshot();
    const error = await rejectionOf(typed(create));
    expect(error).toBeInstanceOf(RefusedError);
    expect(String(error)).toContain('boots with root=/dev/sda1');
    expect(host.snapshot()).toBe(before);
  });

  test.each([
    ['a kernel of the host', '--kernel /boot/a --ramdisk /boot/b', /cannot be used together/],
    ['GRUB that is not installed', '--type pvh', /there is no file \S+xen_pvh\.bin/],
  ])('refuses %s, and changes nothing', async (_, words, why) => {
    host.admin.removeFile('/usr/lib/grub-xen/grub-i386-xen_pvh.bin');
    const before = host.snapshot();
    const error = (await rejectionOf(typed(`${create} ${words}`))) as BofhError;
    expect(error.message).toMatch(why);
    expect(error.remedy).toMatch(/^leave out|^install it: apt-get install grub-xen-host/);
    expect(host.snapshot()).toBe(before);
  });
});

describe('the compression of the kernel', () => {
  const version = '6.1';
  const withKernel = (by: string): void => {
    const content = `CONFIG_HAVE_KERNEL_ZSTD=y\n# CONFIG_KERNEL_GZIP is not set\nCONFIG_KERNEL_${by}=y\n`;
    host = hostWithServer([...debianBoot, { path: `./boot/config-${version}`, content }]);
    const superblock = {
      ...({ type: 'ext4', usage: 'filesystem', uuid: oldRoot, version: '1.0' } as const),
      ...{ blockSize: 4096, blocks: 4096, features: [] },
    };
    const files = {
      [`boot/vmlinuz-${version}`]: 'x',
      [`boot/config-${version}`]: content,
      'boot/grub/grub.cfg': oldMenu,
    };
    host.admin.writeFile('/srv/web.qcow2', qcow2({ size: 16 * 1024 ** 2, superblock, files }));
    host.admin.mkdir('/srv/root');
    for (const name of ['boot', 'etc', 'dev', 'proc', 'sys', 'run', 'tmp'])
      host.admin.mkdir(`/srv/root/${name}`);
    for (const [name, text] of Object.entries({ ...files, 'boot/grub/grub.cfg': undefined }))
      if (text !== undefined) host.admin.writeFile(`/srv/root/${name}`, text);
    host.admin.writeFile(`/srv/root/boot/initrd.img-${version}`, 'x');
  };
  const sources = ['tar:/srv/debian.tar', 'image:/srv/web.qcow2', 'dir:/srv/root'];

  test.each(sources)('is refused for a PV guest if GRUB cannot unpack it: %s', async (source) => {
    withKernel('ZSTD');
    const before = host.snapshot();
    const error = await rejectionOf(typed(create.replace('tar:/srv/debian.tar', source)));
    const refusal = error instanceof RefusedError ? error : (error as Error).cause;
    expect(refusal).toMatchObject({
      message: `the kernel boot/vmlinuz-${version} of the source is compressed with zstd, and GRUB cannot unpack that for a PV guest`,
      remedy: expect.stringContaining('boot it as PVH: --type pvh; or ') as string,
    });
    expect(host.snapshot()).toBe(before);
  });

  test.each(sources)('does not matter if GRUB unpacks it, or in a PVH guest: %s', async (source) => {
    withKernel('XZ');
    await typed(create.replace('tar:/srv/debian.tar', source));
    withKernel('ZSTD');
    await typed(`${create.replace('tar:/srv/debian.tar', source)} --type pvh`);
  });
});

describe('the kernel that GRUB boots', () => {
  const menu = (...paths: readonly string[]) => grubMenu({ paths: new Set(paths), texts: new Map() });

  test('is the newest one with a ramdisk', () => {
    const all = ['boot/vmlinuz-6.1.0-9', 'boot/vmlinuz-6.1.0-18', 'boot/vmlinuz-6.1.0-21'];
    expect(menu(...all, 'boot/initrd.img-6.1.0-9', 'boot/initrd.img-6.1.0-18')).toEqual({
      kernel: '/boot/vmlinuz-6.1.0-18',
      ramdisk: '/boot/initrd.img-6.1.0-18',
    });
    expect(menu('boot/vmlinuz-virt', 'boot/initramfs-virt')).toMatchObject({
      ramdisk: '/boot/initramfs-virt',
    });
  });

  test.each<[string, readonly string[], RegExp, RegExp]>([
    ['without a kernel', ['boot'], /no kernel/, /install linux-image-amd64 in the source, or leave out boot/],
    ['without a ramdisk', ['boot/vmlinuz-6.1'], /no ramdisk/, /initramfs-tools/],
    ['with an empty boot/grub', ['boot/vmlinuz-6.1', 'boot/grub'], /without grub\.cfg/, /update-grub/],
    [
      'whose grub.cfg is a link',
      ['boot/vmlinuz-6.1', 'boot/grub/grub.cfg'],
      /not a regular file/,
      /remove boot\/grub/,
    ],
    [
      'that lists its kernels for another GRUB',
      ['boot/vmlinuz-6.1', 'boot/initramfs-6.1.img', 'boot/loader/entries'],
      /boot\/loader\/entries, which the GRUB of this host does not read/,
      /leave out boot.*name a kernel of this host/,
    ],
  ])('is refused in a source %s', (_, paths, why, remedy) => {
    expect(() => menu(...paths)).toThrow(why);
    expect(() => menu(...paths)).toThrow(
      expect.objectContaining({ remedy: expect.stringMatching(remedy) as string }),
    );
  });

  test.each([
    ['set default=0\n', /has no line/],
    [
      `linux /vmlinuz root=UUID=${oldRoot}\nlinux /vmlinuz root=UUID=${oldRoot.replace('5', '6')}\n`,
      /several/,
    ],
    [`search --fs-uuid --set=root ABCD-1234\nlinux /v root=UUID=${oldRoot}\n`, /several/],
    ['linux /vmlinuz root=LABEL=root\n', /root=LABEL=root/],
  ])('is refused by a grub.cfg such as %j', (text, why) => {
    expect(() => withRoot(text, 'new')).toThrow(why);
  });

  test('is at its new path in a grub.cfg of a btrfs with subvolumes', () => {
    const old = [
      `search --no-floppy --fs-uuid --set=root ${oldRoot}`,
      `  linux /@rootfs/boot/vmlinuz-6.1 root=UUID=${oldRoot} ro rootflags=subvol=@rootfs quiet`,
      '  initrd /@rootfs/boot/initrd.img-6.1 /unknown',
      '',
    ].join('\n');
    const paths = new Set(['boot/vmlinuz-6.1', 'boot/initrd.img-6.1']);
    const texts = new Map([['boot/grub/grub.cfg', old]]);
    expect(grubMenu({ paths, texts }, { names: [], uuids: [oldRoot] })).toEqual({
      text: old.replaceAll('/@rootfs', '').replace(' rootflags=subvol=@rootfs', ''),
    });
    expect(grubMenu({ paths, texts })).toEqual({ text: old });
  });

  test('is left to a grub.cfg with the name of the disk in the guest', () => {
    expect(withRoot('linux /vmlinuz root=/dev/xvda ro\n', 'new')).toBe('linux /vmlinuz root=/dev/xvda ro\n');
  });
});
