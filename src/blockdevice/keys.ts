import { posix } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { DeviceKeys, Key } from '../atomic/operation.ts';
import { CommandError, ParseError } from '../core/errors.ts';
import { askedAgain, namesIn, orMissing, type ReadHost } from '../command/index.ts';
import { loopBacking } from './commands.ts';
import { deviceNode, kernelText } from './node.ts';

/** A device's keys, and what distinguishes it from another one that gets its name later. */
export interface DeviceIdentity extends DeviceKeys {
  /** The uuid of LVM or cryptsetup, inode and offset of a loop device, otherwise the key. */
  readonly identity: string;
  /**
   * The object whose destruction destroys the device's content: the LV, the LUKS header, the file
   * behind a loop device.
   */
  readonly container: Key;
}

/**
 * Returns the key of the device that a path, link or `UUID=…` leads to, and the keys of every
 * device below it, all from the kernel's data: /dev/vg0/web1, /dev/mapper/vg0-web1 and /dev/dm-3
 * are one `lv:vg0/web1`.
 */
export async function keysOf(host: ReadHost, path: string): Promise<DeviceKeys> {
  const { key, beneath } = await identityOf(host, path);
  return { key, beneath };
}

/** The key of a device, if it is another one than before, for a `Look`. */
export async function movedFrom(
  host: ReadHost,
  path: string,
  before: Key,
): Promise<{ readonly movedTo?: Key }> {
  const { key } = await identityOf(host, path);
  return key === before ? {} : { movedTo: key };
}

/**
 * Like `keysOf`, with the identity. CommandError `not-found`, RefusedError if it is not a block
 * device.
 */
export async function identityOf(host: ReadHost, path: string): Promise<DeviceIdentity> {
  return identityOfNumber(host, (await deviceNode(host, path)).number);
}

/** Like `identityOf`, for a device number such as `253:3`. */
export async function identityOfNumber(host: ReadHost, number: string): Promise<DeviceIdentity> {
  const sys = `/sys/dev/block/${number}`;
  // At the same time: over ssh each answer takes a round trip.
  const [there, mapping, uuid = '', file, partition, numbers] = await Promise.all([
    host.stat(sys),
    kernelText(host, `${sys}/dm/name`),
    kernelText(host, `${sys}/dm/uuid`),
    backingFile(host, sys),
    kernelText(host, `${sys}/partition`),
    slaves(host, sys),
  ]);
  if (there === undefined) throw noDevice(number);
  if (mapping !== undefined) return over(host, { ...mapped(mapping, uuid), numbers });
  const attached = file === undefined ? undefined : await attachedAt(host, sys);
  if (attached !== undefined) return attached;
  if (partition !== undefined) return partitionOf(host, { sys, partition });
  const [id, link] = await Promise.all([diskId(host, sys), host.readLink(sys)]);
  const key = `dev:${id ?? posix.basename(link)}`;
  return over(host, { key, identity: key, container: key, also: [], numbers });
}

/**
 * Whether it is the journalled device. Also handles journals of a version that did not record when
 * a file was created.
 */
export function isIdentity(now: string, journalled: string): boolean {
  return (
    now === journalled ||
    (/^(?:dev:loop:[\d:]+@\d+|file:\d+)$/.test(journalled) && now.startsWith(`${journalled}+`))
  );
}

interface Described {
  readonly key: Key;
  readonly identity: string;
  readonly container: Key;
  /** Keys of other objects below: the volume group, the LUKS header, the file. */
  readonly also: readonly Key[];
  /** Numbers of the devices directly below. */
  readonly numbers: readonly string[];
}

async function over(host: ReadHost, { numbers, also, ...self }: Described): Promise<DeviceIdentity> {
  const lower = await Promise.all(numbers.map((number) => identityOfNumber(host, number)));
  const beneath = new Set([...also, ...lower.flatMap((each) => [each.key, ...each.beneath])]);
  beneath.delete(self.key);
  return { ...self, beneath: [...beneath] };
}

// Format of dm/uuid, as set by cryptsetup 2.6 (CRYPT-LUKS2-<32 hex>-<name>) and LVM (LVM-<VG
// uuid><LV uuid>[-layer]).
const luksUuid = /^CRYPT-LUKS[12]-(?<hex>[0-9a-f]{32})-/;
const hyphens = /^(?<a>.{8})(?<b>.{4})(?<c>.{4})(?<d>.{4})(?<e>.{12})$/;

function mapped(name: string, uuid: string): Omit<Described, 'numbers'> {
  if (uuid.startsWith('LVM-')) {
    const { vg, lv } = splitLvmName(name);
    const key = `lv:${vg}/${lv}`;
    return { key, identity: uuid, container: key, also: [`vg:${vg}`] };
  }
  const header = luksUuid.exec(uuid)?.groups?.hex?.replace(hyphens, '$<a>-$<b>-$<c>-$<d>-$<e>');
  const key = `map:${name}`;
  const identity = uuid === '' ? key : uuid;
  if (header === undefined) return { key, identity, container: key, also: [] };
  return { key, identity, container: `luks:${header}`, also: [`luks:${header}`] };
}

/**
 * Splits a device-mapper name of LVM into VG and LV: hyphens in either are doubled, a single one
 * separates them (and the layer that may follow). No LV's name begins with a hyphen, so the result
 * is unambiguous (libdm dm_split_lvm_name).
 */
export function splitLvmName(name: string): { readonly vg: string; readonly lv: string } {
  const groups = /^(?<vg>(?:[^-]|--)+)-(?!-)(?<lv>(?:[^-]|--)+)(?:-(?<layer>[^-]+))?$/.exec(name)?.groups;
  if (groups?.vg === undefined || groups.lv === undefined) {
    throw new ParseError(`device-mapper name "${name}" is not a name of LVM`);
  }
  return { vg: groups.vg.replaceAll('--', '-'), lv: groups.lv.replaceAll('--', '-') };
}

/**
 * Returns the backing file; undefined while a loop device is being detached, when the kernel shows
 * an empty path.
 */
async function backingFile(host: ReadHost, sys: string): Promise<string | undefined> {
  const file = await kernelText(host, `${sys}/loop/backing_file`);
  return file === '' ? undefined : file;
}

/**
 * Returns a loop device with a file; undefined if it has none. Tries again while others detach and
 * attach it; ParseError if its inode stays unknown.
 */
async function attachedAt(looking: ReadHost, sys: string): Promise<DeviceIdentity | undefined> {
  for (let [tries, host] = [1, looking]; ; tries += 1) {
    const file = await backingFile(host, sys);
    if (file === undefined) return undefined;
    const found = await loop(host, { sys, file });
    if (found !== undefined) return found;
    if (tries === mostTries)
      throw new ParseError(`losetup does not show the inode of ${file} (${sys}): only root can read it`);
    await pause(pauseMs);
    host = askedAgain(host);
  }
}

const mostTries = 20;
const pauseMs = 50;

/**
 * Returns the identity; undefined if the device is being detached. The inode comes from the kernel,
 * because the path in sysfs may lead to another file now.
 */
async function loop(
  host: ReadHost,
  at: { readonly sys: string; readonly file: string },
): Promise<DeviceIdentity | undefined> {
  const name = posix.basename(await host.readLink(at.sys));
  const backing = await backingOf(host, `/dev/${name}`);
  if (backing === undefined) return undefined;
  const key = `dev:loop:${backing}`;
  const offset = (await kernelText(host, `${at.sys}/loop/offset`)) ?? '0';
  const there = at.file.endsWith(' (deleted)') ? undefined : await host.stat(at.file);
  // A file that reuses the inode number of a removed one is another file.
  const isSame = there !== undefined && key === `dev:loop:${there.device}:${there.inode}`;
  const born = isSame && there.birth !== undefined ? `+${there.birth}` : '';
  const identity = `${key}@${offset}${born}`;
  if (at.file.endsWith(' (deleted)')) return { key, identity, container: key, beneath: [] };
  return { key, identity, container: `file:${at.file}`, beneath: [`file:${at.file}`] };
}

/**
 * Returns the inode; undefined while the device is being detached, and if only root may read it.
 */
async function backingOf(host: ReadHost, device: string): Promise<string | undefined> {
  return await orMissing(host.run(loopBacking(device)));
}

async function partitionOf(host: ReadHost, at: { sys: string; partition: string }): Promise<DeviceIdentity> {
  const disk = posix.dirname(posix.resolve('/sys/dev/block', await host.readLink(at.sys)));
  const number = await kernelText(host, `${disk}/dev`);
  if (number === undefined) throw new ParseError(`${at.sys}: a partition without its disk`);
  const whole = await identityOfNumber(host, number);
  const part = `-part${at.partition}`;
  const key = `${whole.key}${part}`;
  return {
    key,
    identity: `${whole.identity}${part}`,
    container: key,
    beneath: [whole.key, ...whole.beneath],
  };
}

// Returns the serial number that the drivers show (nvme, scsi, virtio): stable across reboots,
// unlike /dev/sdX. A SCSI disk without such a page has the file, but reading it fails; then, as
// without the file, only the name is known.
async function diskId(host: ReadHost, sys: string): Promise<string | undefined> {
  const texts = await Promise.all(
    ['wwid', 'device/wwid', 'serial', 'device/serial', 'device/cid'].map((file) =>
      kernelText(host, `${sys}/${file}`).catch((error: unknown) => {
        if (error instanceof CommandError) return undefined;
        throw error;
      }),
    ),
  );
  const ids = texts.map((text) => text?.trim().replace(/[^\w.:-]+/g, '_'));
  return ids.find((id) => id !== undefined && id !== '');
}

async function slaves(host: ReadHost, sys: string): Promise<readonly string[]> {
  const names = await namesIn(host, `${sys}/slaves`);
  return Promise.all(
    names.map(async (name) => {
      const number = await kernelText(host, `${sys}/slaves/${name}/dev`);
      if (number === undefined) throw new ParseError(`${sys}/slaves/${name} has no device number`);
      return number;
    }),
  );
}

function noDevice(number: string): CommandError {
  const argv = ['stat', `/sys/dev/block/${number}`];
  return new CommandError({ tool: 'file', argv, reason: 'not-found', what: 'the kernel has no such device' });
}
