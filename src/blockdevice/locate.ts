import { type ChangeHost, namesIn, type ReadHost } from '../command/index.ts';
import { RefusedError } from '../core/errors.ts';
import { knownGroups, knownVolumes } from './commands.ts';
import { nodeNamed } from './holders/device.ts';
import { identityOf, identityOfNumber, isIdentity } from './keys.ts';
import { ifDevice, kernelText, sizeOf } from './node.ts';
import type { Bytes } from '../core/units.ts';

/** A device as it was when its path was journalled. */
export interface KnownDevice {
  readonly path: string;
  /** Result of `identityOf`. */
  readonly identity: string;
}

/**
 * Returns the current path of exactly this device: its old path, or another one if that path leads
 * to a different device now. Undefined if it is gone for good, which only lvm can report, for the
 * volumes of an existing group. RefusedError for any other missing device: it may come back, with
 * all its content.
 */
export async function locate(host: ReadHost, device: KnownDevice): Promise<string | undefined> {
  const there = await identityAt(host, device.path);
  if (there !== undefined && isIdentity(there, device.identity)) return device.path;
  const elsewhere = await search(host, device.identity);
  if (elsewhere !== undefined) return elsewhere;
  if (!device.identity.startsWith('LVM-')) {
    throw new RefusedError(`${device.path} is missing: its content is unknown`, {
      code: 'not-found',
      remedy: `attach ${device.path} again, then run the command again`,
    });
  }
  const group = (await host.run(knownGroups())).find(({ uuid }) => device.identity.startsWith(`LVM-${uuid}`));
  if (group === undefined || group.exported) {
    const where = group === undefined ? 'its volume group is not there' : `${group.name} is exported`;
    throw new RefusedError(`${device.path}: ${where}, so the content of the volume is unknown`, {
      remedy:
        group === undefined
          ? 'attach the disks of its volume group, then run the command again'
          : `vgimport ${group.name}`,
    });
  }
  const known = await host.run(knownVolumes());
  if (!known.includes(device.identity.replaceAll('-', ''))) return undefined;
  throw new RefusedError(`${device.path} is not active: its content is unknown`, {
    code: 'not-found',
    remedy: `activate it: lvchange -ay ${device.path}; then run the command again`,
  });
}

/**
 * Writes the cached data of exactly this device to its disk; does nothing for a device that is gone
 * for good.
 */
export async function syncDevice(
  host: ChangeHost,
  { device, identity }: { readonly device: string; readonly identity: string },
): Promise<void> {
  const path = await locate(host, { path: device, identity });
  if (path !== undefined) await host.sync(path);
}

/** The identity of the device at a path; undefined if there is no device. */
export async function identityAt(host: ReadHost, path: string): Promise<string | undefined> {
  return (await ifDevice(identityOf(host, path)))?.identity;
}

async function search(host: ReadHost, identity: string): Promise<string | undefined> {
  for (const disk of await namesIn(host, '/sys/block')) {
    for (const file of await devFiles(host, disk)) {
      const number = await kernelText(host, file);
      if (number === undefined) continue;
      if (!isIdentity((await identityOfNumber(host, number)).identity, identity)) continue;
      return nodeNamed(file.split('/').at(-2) ?? '');
    }
  }
  return undefined;
}

/**
 * Returns the current boot if the identity of a device is valid only in it, because without a serial number it is
 * the kernel name of the disk; else undefined.
 */
export async function bootOfName(host: ReadHost, identity: string): Promise<string | undefined> {
  const disk = identity.replace(/^dev:/, '').replace(/-part\d+$/, '');
  return (await namesIn(host, '/sys/block')).includes(disk) ? (await host.facts()).boot : undefined;
}

/** Returns another device, of the given size if any, that matches as well as the one at `path`. */
export async function twinOf(
  host: ReadHost,
  { path, size }: { readonly path: string; readonly size?: Bytes },
  fits: (path: string) => Promise<boolean>,
): Promise<string | undefined> {
  for (const disk of await namesIn(host, '/sys/block'))
    for (const file of await devFiles(host, disk)) {
      const number = await kernelText(host, file);
      const other = nodeNamed(file.split('/').at(-2) ?? '');
      if (number === undefined || other === path) continue;
      const bytes = await sizeOf(host, { number, path: other });
      // A loop device without a file, or a drive without a medium, has no size and no content.
      if (bytes === 0 || (size !== undefined && bytes !== size)) continue;
      if (await fits(other)) return other;
    }
  return undefined;
}

/**
 * RefusedError if the object that a step created on a disk without a serial number is on another
 * disk now: a reboot may rename such disks. `path` is the device that has the name now.
 */
export async function refuseElsewhere(
  host: ReadHost,
  { path, identity, what }: { readonly path: string; readonly identity: string; readonly what: string },
  fits: (path: string) => Promise<boolean>,
): Promise<void> {
  if ((await bootOfName(host, identity)) === undefined) return;
  const other = await twinOf(host, { path }, fits);
  if (other !== undefined)
    throw new RefusedError(
      `${what} is not on ${path} but on ${other}: the disk has no serial number, and the kernel gave it another name`,
      { remedy: `if ${what} is not needed, erase it: wipefs --all ${other}; then: bofh recover` },
    );
}

/** The files `dev` of a disk and of its partitions in sysfs. */
async function devFiles(host: ReadHost, disk: string): Promise<readonly string[]> {
  const below = (await namesIn(host, `/sys/block/${disk}`)).filter((name) => name.startsWith(disk));
  return [`/sys/block/${disk}/dev`, ...below.map((name) => `/sys/block/${disk}/${name}/dev`)];
}
