import type { ReadHost } from '../command/index.ts';
import type { RootContent, UnpackedFile } from '../copy/index.ts';
import { RefusedError, UsageError } from '../core/errors.ts';
import { option } from '../core/option.ts';
import type { Site } from '../site.ts';
import { parseConfig, xlInfo } from '../xen/index.ts';
import { checkKernel, followed } from './checks.ts';
import type { CheckedCreate } from './create-request.ts';

/** The settings of xl.cfg(5) with which a new guest boots. */
export async function bootSettings(
  host: ReadHost,
  { site, request }: { readonly site: Site; readonly request: CheckedCreate },
): Promise<Readonly<Record<string, string | number>>> {
  const { kernel, ramdisk, type } = request;
  if (type !== 'pv') await refuseUnvirtualized(host, type);
  if (type === 'hvm') return await emulated(host, request);
  if (request.boot !== 'grub')
    return {
      ...(await checkKernel({ host, site, ...request })),
      root: '/dev/xvda rw',
      extra: 'console=hvc0',
    };
  if (kernel !== undefined || ramdisk !== undefined)
    throw new UsageError(
      `${option('--kernel', 'kernel')} and ${option('--boot grub', "boot: 'grub'")} cannot be used together: GRUB boots the kernel in the root filesystem of the guest`,
      { remedy: 'leave out one of them' },
    );
  const grub = type === 'pvh' ? site.guestGrubPvh : site.guestGrub;
  if ((await followed(host, grub)) === undefined)
    throw new RefusedError(`there is no file ${grub}, the GRUB that boots the kernel of a guest`, {
      code: 'not-found',
      remedy: `install it: apt-get install grub-xen-host; or name it in the site file: ${type === 'pvh' ? 'guestGrubPvh' : 'guestGrub'}`,
    });
  return { kernel: grub };
}

/** Throws RefusedError if the processor cannot run a guest of this type. */
async function refuseUnvirtualized(host: ReadHost, type: 'pvh' | 'hvm'): Promise<void> {
  const { canVirtualize } = await host.run(xlInfo());
  if (canVirtualize) return;
  throw new RefusedError(
    `this host cannot run guests of type ${type}: Xen found no virtualization in its processor`,
    {
      remedy: `switch it on in the firmware (AMD-V, VT-x); or use ${option('--type pv', "type: 'pv'")}`,
    },
  );
}

/** The emulator of PCs for Xen, in Debian's package qemu-system-xen. */
const deviceModel = '/usr/libexec/xen-qemu-system-i386';

/**
 * The settings of an emulated PC: it boots from its disk, and from its CD-ROM drive while the disk has no boot loader.
 * Its serial console is that of `xl console`. Each can be overridden by a line of the request.
 */
async function emulated(
  host: ReadHost,
  { extra = [] }: CheckedCreate,
): Promise<Readonly<Record<string, string | number>>> {
  const usual = { boot: 'cd', serial: 'pty', vnc: 1, vnclisten: '127.0.0.1' };
  const { settings } = parseConfig({ text: extra.map((line) => `${line}\n`).join(''), file: 'extra' });
  if (!settings.has('device_model_override') && (await followed(host, deviceModel)) === undefined)
    throw new RefusedError(`there is no file ${deviceModel}, which emulates the PC of a guest of type hvm`, {
      code: 'not-found',
      remedy: `install it: apt-get install qemu-system-xen; or name another emulator: ${option('--extra \'device_model_override = "FILE"\'', 'extra: [\'device_model_override = "FILE"\']')}`,
    });
  return Object.fromEntries(Object.entries(usual).filter(([key]) => !settings.has(key)));
}

/**
 * The grub.cfg with which GRUB finds the kernel of a root: that of the source, or a new one that names these
 * two files.
 */
export type GrubMenu = { readonly text: string } | { readonly kernel: string; readonly ramdisk: string };

/** The file that GRUB reads in a root. */
export const grubConfig = 'boot/grub/grub.cfg';

const withoutMenu = 'remove boot/grub in the source: then bofh writes a grub.cfg';
const remedyFor = (what: string): string =>
  `${what} in the source, or leave out ${option('--boot grub', "boot: 'grub'")}`;

/** What the grub.cfg of a source may name. */
export interface OldNames {
  /** Names of the root, besides its UUID. */
  readonly names: readonly string[];
  /** Only if files were copied: the UUIDs of all filesystems of the source, that of its root first. */
  readonly uuids?: readonly string[];
}

/** The GRUB menu of a root with this content. Throws RefusedError if GRUB would find no kernel. */
export function grubMenu(
  { paths, texts }: RootContent,
  { names, uuids }: OldNames = { names: [] },
): GrubMenu {
  const kernels = [...paths].filter((path) => /^boot\/vmlinu[xz]-./.test(path));
  if (kernels.length === 0)
    throw new RefusedError('the source has no kernel (boot/vmlinuz-…) that GRUB could boot', {
      remedy: remedyFor('install linux-image-amd64'),
    });
  const newest = kernels.toSorted((one, other) => other.localeCompare(one, 'en', { numeric: true }));
  refuseCompressed(newest[0] ?? '', texts);
  const text = texts
    .get(grubConfig)
    ?.replaceAll(/(?<=\sroot=)\S+/g, (word) => (names.includes(word) ? '/dev/xvda' : word));
  if (text !== undefined) {
    const changed = uuids === undefined ? text : inOneRoot(text, paths, uuids);
    withRoot(changed, 'any');
    return { text: changed };
  }
  if (paths.has(grubConfig))
    throw new RefusedError(`${grubConfig} of the source is not a regular file`, { remedy: withoutMenu });
  if (paths.has('boot/grub'))
    throw new RefusedError('the source has boot/grub without grub.cfg', {
      remedy: remedyFor('run update-grub, or remove boot/grub (then bofh writes a grub.cfg),'),
    });
  if (paths.has('boot/loader/entries'))
    throw new RefusedError(
      'the source lists its kernels in boot/loader/entries, which the GRUB of this host does not read',
      {
        remedy: `leave out ${option('--boot grub', "boot: 'grub'")}, and name a kernel of this host: ${option('--kernel FILE --ramdisk FILE', 'kernel and ramdisk')}`,
      },
    );
  // In Debian, these two links point to the newest kernel.
  if (['vmlinuz', 'initrd.img'].every((link) => paths.has(link)))
    return { kernel: '/vmlinuz', ramdisk: '/initrd.img' };
  for (const kernel of newest) {
    const ramdisk = ramdiskNames(kernel.replace(/^boot\/vmlinu[xz]-/, ''))
      .map((name) => `boot/${name}`)
      .find((path) => paths.has(path));
    if (ramdisk !== undefined) return { kernel: `/${kernel}`, ramdisk: `/${ramdisk}` };
  }
  throw new RefusedError(`the source has ${newest[0] ?? ''}, and no ramdisk (boot/initrd.img-…) for it`, {
    remedy: remedyFor('install initramfs-tools, run update-initramfs -c -k all'),
  });
}

/** Begin of the names of the files that say how the kernels of a root were configured; read for a PV guest. */
export const kernelConfig = 'boot/config-';

/**
 * Throws RefusedError for a kernel that GRUB cannot unpack: in a PV guest it does so itself, by gzip, xz or lzo. The
 * kernel of Debian 13 is compressed with zstd. GRUB 2.06 says "not xen image"; 2.12 has no module for it either, only
 * gzio, lzopio and xzio.
 */
function refuseCompressed(kernel: string, texts: RootContent['texts']): void {
  const config = texts.get(kernel.replace(/^boot\/vmlinu[xz]-/, kernelConfig)) ?? '';
  const by = /^CONFIG_KERNEL_(?<by>ZSTD|LZ4|LZMA|BZIP2)=y$/m.exec(config)?.groups?.by?.toLowerCase();
  if (by === undefined) return;
  throw new RefusedError(
    `the kernel ${kernel} of the source is compressed with ${by}, and GRUB cannot unpack that for a PV guest`,
    {
      remedy: `boot it as PVH: ${option('--type pvh', "type: 'pvh'")}; or name a kernel of this host: ${option('--kernel FILE --ramdisk FILE', 'kernel and ramdisk')}`,
    },
  );
}

/**
 * Changes a grub.cfg for files that were copied from several filesystems, or from the subvolume of a btrfs,
 * into one root: its UUID, and the paths of kernels and ramdisks.
 */
function inOneRoot(
  text: string,
  paths: ReadonlySet<string>,
  [root = '', ...others]: readonly string[],
): string {
  const inRoot = (path: string): string =>
    [path, `/boot${path}`, path.replace(/^\/[^/]+/, '')].find((each) => paths.has(each.slice(1))) ?? path;
  return others
    .reduce((changed, uuid) => changed.replaceAll(uuid, root), text)
    .replaceAll(/^[ \t]*(?:linux|initrd)\S*[ \t].*$/gm, (line) =>
      line.replaceAll(/ (?:rootflags|rootfstype)=\S+/g, '').replaceAll(/(?<=\s)\/\S+/g, inRoot),
    );
}

/** The names that distributions give the ramdisk of this kernel version. */
export function ramdiskNames(version: string): readonly string[] {
  return [`initrd.img-${version}`, `initramfs-${version}.img`, `initramfs-${version}`, `initrd-${version}`];
}

/** The grub.cfg of a root with this UUID. */
export function grubFile(menu: GrubMenu, root: string): UnpackedFile {
  if ('text' in menu) {
    const content = withRoot(menu.text, root);
    // The file may contain the hash of a password.
    return { path: grubConfig, content, encoding: 'latin1', mode: 0o600 };
  }
  const lines = [
    '# Written by bofh. update-grub replaces it.',
    'set timeout=1',
    'menuentry "Linux" {',
    `  search --no-floppy --set=root --fs-uuid ${root}`,
    `  linux ${menu.kernel} root=UUID=${root} ro console=hvc0`,
    `  initrd ${menu.ramdisk}`,
    '}',
  ];
  return { path: grubConfig, content: `${lines.join('\n')}\n`, mode: 0o644 };
}

/** Throws RefusedError for a grub.cfg that names another root. */
export function withRoot(text: string, root: string): string {
  const roots = [...text.matchAll(/^[ \t]*linux\S*[ \t].*[ \t]root=(?<root>\S+)/gm)].map(
    (found) => found[1] ?? '',
  );
  const searched = [...text.matchAll(/--fs-uuid[ \t].*?(?<uuid>[0-9A-Fa-f-]{9,36})[ \t]*$/gm)].map(
    (found) => found[1] ?? '',
  );
  const uuids = new Set([
    ...roots.flatMap((each) => (each.startsWith('UUID=') ? each.slice(5) : [])),
    ...searched,
  ]);
  const odd = roots.find((each) => !each.startsWith('UUID=') && each !== '/dev/xvda');
  const why =
    roots.length === 0
      ? 'has no line "linux … root=…"'
      : odd !== undefined
        ? `boots with root=${odd}, which the guest will not have`
        : uuids.size > 1
          ? `names several filesystems (${[...uuids].join(', ')}), and the guest has one`
          : undefined;
  if (why !== undefined)
    throw new RefusedError(`the file ${grubConfig} in the source of the guest ${why}`, {
      remedy: withoutMenu,
    });
  return [...uuids].reduce((result, uuid) => result.replaceAll(uuid, root), text);
}
