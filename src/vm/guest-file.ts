import { posix } from 'node:path';
import type { ReadHost } from '../command/index.ts';
import { RefusedError } from '../core/errors.ts';
import { checkRemovable } from '../file/index.ts';
import { realPath } from '../mount/index.ts';
import type { Disk, GuestConfig } from '../xen/index.ts';

/**
 * The config file's path without links in it. Refuses a link to a file, because other guests may use that
 * file.
 */
export async function removableConfig(host: ReadHost, file: string): Promise<string> {
  const path = posix.join(await realPath(host, posix.dirname(file)), posix.basename(file));
  if ((await host.stat(path))?.kind === 'symlink')
    throw new RefusedError(
      `${file} is a symbolic link to ${await host.readLink(path)}: other guests may use it too`,
      {
        remedy: `replace the link by a copy of the file: cp --remove-destination $(readlink -f ${file}) ${file}`,
      },
    );
  await checkRemovable(host, path);
  return path;
}

/** The paths of the guest's disks; a disk without a path is left out. */
export function pathsOf(guest: GuestConfig): readonly string[] {
  return guest.disks.flatMap(({ path }) => path ?? []);
}

/**
 * The resource of a disk that DRBD's script for Xen attaches by name: drbd:web1
 * (xl-disk-configuration(5)).
 */
export function resourceNameOf({ script, target }: Disk): string | undefined {
  return script !== undefined && /(?:^|\/)block-drbd$/.test(script) ? target : undefined;
}

/** A disk as text: its path, or the argument for its script or for the domain that provides it. */
export function wordsOf(disk: Disk): string {
  const resource = resourceNameOf(disk);
  return resource === undefined ? (disk.path ?? disk.target) : `drbd:${resource}`;
}

/**
 * The disk with this name in the guest, or a data disk by the name that was passed to `create`; `root` is the
 * root disk.
 */
export function diskNamed(guest: GuestConfig, name: string): Disk {
  const own = guest.disks.find(({ vdev }) => vdev === name.replace(/^\/dev\//, ''));
  const [disk, ...more] =
    name === 'root'
      ? [rootOf(guest) ?? []].flat()
      : own === undefined
        ? guest.disks.filter(({ path }) => path?.endsWith(`/${guest.name}-${name}`))
        : [own];
  if (disk !== undefined && more.length === 0) return disk;
  // The same name in two volume groups.
  if (disk !== undefined)
    throw new RefusedError(
      `${guest.name} has more than one disk ${name}: ${[disk, ...more].map((each) => `${each.vdev} (${wordsOf(each)})`).join(', ')}`,
      {
        remedy: `name one by its name in the guest: ${[disk, ...more].map(({ vdev }) => vdev).join(' or ')}`,
      },
    );
  const names = guest.disks.map(({ vdev }) => vdev).join(', ');
  throw new RefusedError(
    name === 'root'
      ? `${guest.file} does not say which disk has the root filesystem of ${guest.name}${guest.root === undefined ? '' : `: root=${guest.root} is not the name of one`}`
      : `${guest.name} has no disk ${name}`,
    {
      code: 'not-found',
      remedy: names === '' ? `bofh vm show ${guest.name}` : `name one of its disks: ${names}`,
    },
  );
}

/** The root disk. Without `root` in the configuration it is the first disk, from which a bootloader boots. */
export function rootOf({ root, disks }: GuestConfig): Disk | undefined {
  const all = disks.filter(({ devtype }) => devtype === 'disk');
  return root === undefined ? all[0] : all.find(({ vdev }) => root === `/dev/${vdev}`);
}
