import { posix } from 'node:path';
import {
  deviceNode,
  kernelText,
  mountAt,
  type MountEntry,
  mountsOn,
  numberAt,
  recognise,
  visible,
} from '../blockdevice/index.ts';
import { deviceByNumber, nodeNamed } from '../blockdevice/holders/device.ts';
import { factsOf } from '../blockdevice/holders/facts.ts';
import { follow, inShell, type ReadHost } from '../command/index.ts';
import { CommandError, RefusedError } from '../core/errors.ts';
import { isWritable } from './mounted.ts';

/** Returns the device of a mounted filesystem, named by its device or by a path on it. */
export async function deviceOf(host: ReadHost, named: string): Promise<string> {
  if (!named.startsWith('/')) return (await deviceNode(host, named)).path;
  const { path, stat } = await follow(host, named);
  if (stat?.kind === 'block') return named;
  if (stat === undefined)
    throw new CommandError({
      tool: 'file',
      argv: ['stat', path],
      reason: 'not-found',
      what: 'there is no such device or directory',
    });
  const mount = await mountAt(host, named);
  const device = mount === undefined ? undefined : await mountedDevice(host, mount);
  if (device !== undefined) return device;
  throw new RefusedError(
    `${named} is on ${mount?.type ?? 'no filesystem'}, which has no block device: nothing can be discarded`,
    { remedy: 'name a path on a filesystem that has a device; see them: findmnt --real' },
  );
}

/** The device of a mount, by the name that it was mounted with if that still leads to it. */
async function mountedDevice(
  host: ReadHost,
  { device, type, source }: MountEntry,
): Promise<string | undefined> {
  // A btrfs has a number that belongs to no device.
  if (type === 'btrfs') return source;
  if (source.startsWith('/') && (await numberAt(host, source)) === device) return source;
  if ((await host.stat(`/sys/dev/block/${device}`)) === undefined) return undefined;
  return nodeNamed((await deviceByNumber(host, device)).name);
}

/**
 * Returns a path where the filesystem on a device is mounted writable. RefusedError if it is not
 * mounted, or mounted read-only.
 */
export async function writablePath(host: ReadHost, device: string): Promise<string> {
  const mounts = await mountsOn(host, device);
  const writable = mounts.filter(isWritable);
  const mount = await visible(host, writable);
  if (mount !== undefined) return mount.path;
  const [first] = mounts;
  if (first === undefined) throw await notMounted(host, device);
  const path = inShell(first.path);
  // The kernel would trim it nevertheless (6.18), but read-only means that nothing changes the device.
  if (writable.length === 0)
    throw new RefusedError(`${device} is mounted read-only on ${first.path}`, {
      remedy: `mount -o remount,rw ${path}; then run the command again`,
    });
  throw new RefusedError(`${device} is mounted only where another mount hides it (${first.path})`, {
    remedy: 'see the mounts: findmnt; then unmount the one that hides it: umount PATH',
  });
}

async function notMounted(host: ReadHost, device: string): Promise<RefusedError> {
  const named = inShell(device);
  if ((await recognise(host, device))?.type === 'swap')
    return new RefusedError(`${device} is a swap area, not a filesystem: only swapon discards its blocks`, {
      remedy: `swapoff ${named}; then: swapon --discard=once ${named}`,
    });
  return new RefusedError(`${device} is not mounted, and only a mounted filesystem can be trimmed`, {
    remedy: `mount it: bofh mount add ${named} PATH; then run the command again`,
  });
}

/** RefusedError if the device of a filesystem cannot discard. */
export async function refuseWithoutDiscard(host: ReadHost, device: string): Promise<void> {
  const { sys, name } = await deviceByNumber(host, (await deviceNode(host, device)).number);
  // fstrim trims those devices of a btrfs that can, and fails if none can.
  const all = [...(await factsOf(host).btrfs()).values()].find((devices) => devices.includes(name));
  if (all !== undefined && all.length > 1) return;
  const disk = (await kernelText(host, `${sys}/partition`)) === undefined ? sys : await diskOf(host, sys);
  if ((await kernelText(host, `${disk}/queue/discard_max_bytes`)) !== '0') return;
  throw new RefusedError(`${device}, or a device below it, cannot discard blocks`, {
    remedy: `see which one: lsblk --discard --inverse ${inShell(device)}; an open LUKS device discards only if it was opened so: cryptsetup refresh --allow-discards NAME`,
  });
}

/** The sysfs directory of the disk of a partition. */
async function diskOf(host: ReadHost, sys: string): Promise<string> {
  return posix.dirname(posix.resolve(posix.dirname(sys), await host.readLink(sys)));
}
