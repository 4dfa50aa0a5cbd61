import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

/** The Debian releases that the rig's host can be made of. */
export type Suite = 'bookworm' | 'trixie';

/** Process 1 of the rig's host: a script of ours that is fast, or systemd as on a real Debian. */
export type Init = 'rig' | 'systemd';

/** What an image is made from. */
export type Recipe = { readonly suite: Suite; readonly init?: Init };

/** Raise this when code, rather than a list or an asset, changes what an image holds. */
const recipeVersion = 1;

const xenVersion: Readonly<Record<Suite, string>> = { bookworm: '4.17', trixie: '4.20' };

const everySuite: readonly string[] = [
  // A Debian tree made for a container has neither an init nor mount.
  'linux-image-amd64',
  'udev',
  'kmod',
  'mount',
  'util-linux',
  'init-system-helpers',
  'sysvinit-utils',
  'lvm2',
  'thin-provisioning-tools',
  'cryptsetup-bin',
  'drbd-utils',
  'mdadm',
  'e2fsprogs',
  'xfsprogs',
  'btrfs-progs',
  'dosfstools',
  'fdisk',
  'qemu-utils',
  'grub-xen-host',
  'qemu-system-xen',
  'openssh-server',
  'iproute2',
  'procps',
  'strace',
  'perl-base',
  // What a copied node binary is linked with.
  'libstdc++6',
  'libgcc-s1',
  // Unpack the kernel while the image is made.
  'xz-utils',
  'zstd',
  'age',
];

/** Left out when unpacking: a host without hardware, manuals or languages. Halves the image and the time to write it. */
const excluded: readonly string[] = [
  '/usr/share/doc/*',
  '/usr/share/man/*',
  '/usr/share/locale/*',
  '/usr/share/info/*',
  '/usr/share/bug/*',
  '/usr/share/lintian/*',
  ...[
    'sound',
    'drivers/gpu',
    'drivers/media',
    'drivers/infiniband',
    'drivers/usb',
    'drivers/iio',
    'drivers/hid',
    'drivers/staging',
    'drivers/hwmon',
    'drivers/input',
    'drivers/mmc',
    'drivers/comedi',
    'drivers/isdn',
    'drivers/net/wireless',
    'drivers/net/ethernet',
    'drivers/platform',
    'drivers/mtd',
    'drivers/video',
    'net/mac80211',
    'net/wireless',
    'net/bluetooth',
  ].flatMap((folder) => [`/lib/modules/*/kernel/${folder}/*`, `/usr/lib/modules/*/kernel/${folder}/*`]),
];

/** The folder of the shell scripts that go into an image or run in a machine. */
export const assetsDir: string = fileURLToPath(new URL('./assets/', import.meta.url));

/** What a host has whose packages, accounts and files are described, as those in containers. */
const described = [
  'dpkg-dev',
  'dpkg-repack',
  'cron',
  'sudo',
  'acl',
  'attr',
  'libcap2-bin',
  'locales',
  'dbus',
];

/** Debian packages of the rig's host. */
export function guestPackages({ suite, init = 'rig' }: Recipe): readonly string[] {
  const xen = xenVersion[suite];
  const first = init === 'systemd' ? ['systemd', ...described] : [];
  return [...everySuite, `xen-hypervisor-${xen}-amd64`, `xen-utils-${xen}`, ...first];
}

/** The `mmdebstrap` call that unpacks the host into `root`. It names no mirror: mmdebstrap takes this machine's, or its own default. */
export function mmdebstrapArgv(options: Recipe & { readonly root: string }): readonly string[] {
  return [
    'mmdebstrap',
    '--mode=root',
    '--variant=apt',
    '--skip=cleanup/apt',
    '--aptopt=Acquire::Languages "none"',
    // The image brings its own initramfs; Debian's takes 15 s to make.
    '--setup-hook=mkdir -p "$1/etc/initramfs-tools"; echo update_initramfs=no > "$1/etc/initramfs-tools/update-initramfs.conf"',
    '--dpkgopt=force-confold',
    ...excluded.map((pattern) => `--dpkgopt=path-exclude=${pattern}`),
    `--include=${guestPackages(options).join(',')}`,
    options.suite,
    options.root,
  ];
}

/** Identifies an image by everything that goes into it. */
export async function recipeKey(recipe: Recipe): Promise<string> {
  const hash = createHash('sha256');
  hash.update(JSON.stringify([recipeVersion, process.version, mmdebstrapArgv({ ...recipe, root: '' })]));
  const own = recipe.init === 'systemd' ? /^(boot|rig|guest|finish|systemd)-/ : /^(boot|rig|guest|finish)-/;
  for (const name of (await readdir(assetsDir)).sort())
    if (own.test(name)) hash.update(`\0${name}\0`).update(await readFile(`${assetsDir}${name}`));
  return hash.digest('hex').slice(0, 16);
}
