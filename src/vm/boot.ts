import { posix } from 'node:path';
import type { ReadHost } from '../command/index.ts';
import type { UnpackedFile } from '../copy/index.ts';
import { RefusedError, UsageError } from '../core/errors.ts';
import { option } from '../core/option.ts';
import { textFile } from '../file/index.ts';
import { directoryBeneath } from '../mount/index.ts';
import type { Site } from '../site.ts';
import { checkKernel, followed } from './checks.ts';
import type { CheckedCreate } from './create-request.ts';

/** The settings of xl.cfg(5) by which a new guest boots. */
export async function bootSettings(
  host: ReadHost,
  { site, request }: { readonly site: Site; readonly request: CheckedCreate },
): Promise<Readonly<Record<string, string>>> {
  const { kernel, ramdisk, type } = request;
  if (request.boot !== 'grub')
    return {
      ...(await checkKernel({ host, site, ...request })),
      root: '/dev/xvda rw',
      extra: 'console=hvc0',
    };
  if (kernel !== undefined || ramdisk !== undefined)
    throw new UsageError(
      `${option('--kernel', 'kernel')} and ${option('--boot grub', "boot: 'grub'")} cannot be used together: GRUB boots the kernel in the root of the guest`,
      { remedy: 'leave out one of them' },
    );
  const grub = type === 'pvh' ? site.guestGrubPvh : site.guestGrub;
  if ((await followed(host, grub)) === undefined)
    throw new RefusedError(`there is no file ${grub}, which boots the kernel of a guest`, {
      code: 'not-found',
      remedy: `apt install grub-xen-host; or name it in the site file: ${type === 'pvh' ? 'guestGrubPvh' : 'guestGrub'}`,
    });
  return { kernel: grub };
}

/** How GRUB finds the kernel of a root: by its own grub.cfg, or by one that names these two files. */
export type GrubMenu = 'of the source' | { readonly kernel: string; readonly ramdisk: string };

const cfg = 'boot/grub/grub.cfg';
const remedyFor = (what: string): string =>
  `${what} in the source, or leave out ${option('--boot grub', "boot: 'grub'")}`;

/** RefusedError if GRUB would find no kernel in a root with these paths. */
export function grubMenu(paths: ReadonlySet<string>): GrubMenu {
  const kernels = [...paths].filter((path) => /^boot\/vmlinu[xz]-./.test(path));
  if (kernels.length === 0)
    throw new RefusedError('the source has no kernel (boot/vmlinuz-…) that GRUB could boot', {
      remedy: remedyFor('install linux-image-amd64'),
    });
  if (paths.has(cfg)) return 'of the source';
  if (paths.has('boot/grub'))
    throw new RefusedError(`the source has boot/grub without grub.cfg`, {
      remedy: remedyFor('run update-grub, or remove boot/grub (then bofh writes a grub.cfg),'),
    });
  // Debian keeps these two links on its newest kernel.
  if (['vmlinuz', 'initrd.img'].every((link) => paths.has(link)))
    return { kernel: '/vmlinuz', ramdisk: '/initrd.img' };
  const newest = kernels.toSorted((one, other) => other.localeCompare(one, 'en', { numeric: true }));
  for (const kernel of newest) {
    const version = kernel.replace(/^boot\/vmlinu[xz]-/, '');
    const ramdisk = [
      `initrd.img-${version}`,
      `initramfs-${version}.img`,
      `initramfs-${version}`,
      `initrd-${version}`,
    ]
      .map((name) => `boot/${name}`)
      .find((path) => paths.has(path));
    if (ramdisk !== undefined) return { kernel: `/${kernel}`, ramdisk: `/${ramdisk}` };
  }
  throw new RefusedError(`the source has ${newest[0] ?? ''}, and no ramdisk (boot/initrd.img-…) for it`, {
    remedy: remedyFor('install initramfs-tools, run update-initramfs -c -k all'),
  });
}

/** A grub.cfg for a root that has none. */
export function newGrubConfig(menu: GrubMenu, root: string): readonly UnpackedFile[] {
  if (menu === 'of the source') return [];
  const lines = [
    '# Written by bofh. update-grub replaces it.',
    'set timeout=1',
    'menuentry "Linux" {',
    `  search --no-floppy --set=root --fs-uuid ${root}`,
    `  linux ${menu.kernel} root=UUID=${root} ro console=hvc0`,
    `  initrd ${menu.ramdisk}`,
    '}',
  ];
  return [{ path: cfg, content: `${lines.join('\n')}\n`, mode: 0o644 }];
}

/** The grub.cfg of a mounted root with the UUID that this root has now. */
export async function ownGrubConfig(
  host: ReadHost,
  { mounted, root }: { readonly mounted: string; readonly root: string },
): Promise<UnpackedFile> {
  const path = posix.join(await directoryBeneath(host, mounted, posix.dirname(cfg)), 'grub.cfg');
  if ((await host.stat(path))?.kind !== 'file')
    throw new RefusedError(`${cfg} of the source is not a regular file`, {
      remedy: `remove boot/grub in the source: then bofh writes a grub.cfg`,
    });
  const { content, mode } = await textFile(host, path);
  return { path: cfg, content: withRoot(content, root), mode: mode & 0o777 };
}

/** RefusedError for a grub.cfg whose root cannot be this one. */
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
    throw new RefusedError(`${cfg} of the source ${why}`, {
      remedy: 'remove boot/grub in the source: then bofh writes a grub.cfg',
    });
  return [...uuids].reduce((result, uuid) => result.replaceAll(uuid, root), text);
}
