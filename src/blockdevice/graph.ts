import { posix } from 'node:path';
import type { Key } from '../atomic/operation.ts';
import { namesIn, type ReadHost } from '../command/index.ts';
import { ParseError } from '../core/errors.ts';
import type { Bytes } from '../core/units.ts';
import { partOfVolume } from './holders/above.ts';
import { deviceByNumber, type Device, nodeNamed } from './holders/device.ts';
import { type Facts, factsOf } from './holders/facts.ts';
import { uppersOf } from './holders/tree.ts';
import { identityOfNumber, splitLvmName } from './keys.ts';
import type { MountEntry } from './mountinfo.ts';
import { deviceNode, kernelText, sizeOf } from './node.ts';
import { whyUnreadable } from './unreadable.ts';

/**
 * The type of a device in the kernel. `volume-part`: a leg, pool or copy that lvm created for one
 * of its volumes.
 */
export type DeviceKind =
  | 'disk'
  | 'partition'
  | 'loop'
  | 'array'
  | 'volume'
  | 'volume-part'
  | 'crypt'
  | 'drbd'
  | 'multipath'
  | 'mapping';

/** A block device, with the devices below and above it. */
export interface GraphDevice {
  /** The kernel's name: `vda2`, `dm-3`. Unique on the host, until the device is removed. */
  readonly name: string;
  /** `major:minor` */
  readonly number: string;
  /** Its usual name below /dev: `/dev/mapper/vg0-web1`. */
  readonly path: string;
  readonly key: Key;
  readonly kind: DeviceKind;
  readonly size: Bytes;
  readonly readOnly: boolean;
  /** Only for device-mapper: its name there. */
  readonly mapping?: string;
  /** Only for device-mapper: the uuid by which its users recognise their devices. */
  readonly uuid?: string;
  readonly volume?: { readonly vg: string; readonly lv: string };
  readonly array?: ArrayFacts;
  readonly file?: string;
  /**
   * Names of the devices directly below it; for a loop device, those below the filesystem with its
   * file.
   */
  readonly below: readonly string[];
  readonly above: readonly string[];
  readonly mounts: readonly MountEntry[];
  /** Whether it is in use as swap. */
  readonly swap: boolean;
  /** Domains that use it as a disk. */
  readonly guests: readonly number[];
  /** Names by which the SCSI and NVMe targets of this host serve it to others. */
  readonly targets: readonly string[];
  /** What could not be found out, as text. */
  readonly unknown: readonly string[];
}

/** An md array, from sysfs (Documentation/admin-guide/md.rst). */
export interface ArrayFacts {
  readonly level: string;
  readonly members: number;
  /** `clean`, `active`, `readonly` … */
  readonly state: string;
  /** Missing members; null: the level has no such count. */
  readonly degraded: number | null;
  /** What each member contributes; the rest of the member is for the array itself. */
  readonly componentSize: Bytes;
}

/**
 * Returns every block device that has a size or is built on others, with the layers above and
 * below, only from the kernel's data. Reads all of them concurrently, because concurrent reads go
 * to a host over ssh as one request.
 */
export async function deviceGraph(host: ReadHost): Promise<ReadonlyMap<string, GraphDevice>> {
  const facts = factsOf(host);
  const met = new Map<string, Promise<Found>>();
  const meet = async (device: Device): Promise<void> => {
    if (met.has(device.name)) return;
    const looked = uppersOf(facts, device);
    const found = Promise.all([describe(facts, device), looked]).then(([own, { mounts, over }]) => ({
      ...{ ...own, mounts },
      above: [...new Set(over.map(({ device: upper }) => upper.name))],
    }));
    met.set(device.name, found);
    // Partitions are only below their disk, and not in /sys/block.
    await Promise.all([
      found,
      looked.then(({ over }) => Promise.all(over.map(({ device: upper }) => meet(upper)))),
    ]);
  };
  const names = await namesIn(host, '/sys/block');
  const devices = await Promise.all(names.map((name) => byName(host, name)));
  await Promise.all(devices.map(meet));
  const all = await inOrder(devices, met);
  const below = new Map<string, string[]>();
  for (const [name, { above }] of all)
    for (const upper of above) below.set(upper, [...(below.get(upper) ?? []), name]);
  const wanted = [...all].filter(
    ([name, { size, above }]) => size > 0 || above.length > 0 || below.has(name),
  );
  return new Map(wanted.map(([name, found]) => [name, { ...found, below: below.get(name) ?? [] }]));
}

/** Returns the name of the device that a path, link or `UUID=…` leads to. */
export async function graphName(host: ReadHost, device: string): Promise<string> {
  return (await deviceByNumber(host, (await deviceNode(host, device)).number)).name;
}

type Found = Omit<GraphDevice, 'below'>;

async function byName(host: ReadHost, name: string): Promise<Device> {
  const number = await kernelText(host, `/sys/block/${name}/dev`);
  if (number === undefined) throw new ParseError(`/sys/block/${name} has no device number`);
  return deviceByNumber(host, number);
}

/**
 * Sorts the devices: each one before the devices on it, in the kernel's order, whatever the order
 * of the answers.
 */
async function inOrder(
  devices: readonly Pick<Device, 'name'>[],
  met: ReadonlyMap<string, Promise<Found>>,
): Promise<ReadonlyMap<string, Found>> {
  const all = new Map<string, Found>();
  const add = async (name: string): Promise<void> => {
    const found = all.has(name) ? undefined : await met.get(name);
    if (found === undefined) return;
    all.set(name, found);
    for (const upper of found.above) await add(upper);
  };
  for (const { name } of devices) await add(name);
  return all;
}

async function describe(facts: Facts, device: Device): Promise<Omit<Found, 'mounts' | 'above'>> {
  const { host } = facts;
  const { name, number, sys } = device;
  const unknown: string[] = [];
  const { drbd } = facts;
  const { failure } = name.startsWith('drbd') ? await drbd() : {};
  if (failure !== undefined) unknown.push(failure);
  const [mapping, key, size, readOnly, swap, guestDisks, served] = await Promise.all([
    kernelText(host, `${sys}/dm/name`),
    keyOf(host, device, unknown),
    sizeOf(host, { path: `/dev/${name}`, number }),
    kernelText(host, `${sys}/ro`),
    isSwap(facts, device),
    facts.guestDisks(),
    facts.served(),
  ]);
  const path = mapping === undefined ? nodeNamed(name) : `/dev/mapper/${mapping}`;
  return {
    ...{ name, number, path, unknown, key, size, swap },
    readOnly: readOnly === '1',
    guests: guestDisks.filter((disk) => disk.device === number).map(({ domid }) => domid),
    targets: served.flatMap((each) => (each.number === number ? [each.name] : [])),
    ...(await madeOf(host, device, mapping)),
  };
}

/**
 * Returns the key of a device. The backing file is unknown without permission to open the loop
 * device; then uses the kernel's name.
 */
async function keyOf(host: ReadHost, { name, number }: Device, unknown: string[]): Promise<Key> {
  try {
    return (await identityOfNumber(host, number)).key;
  } catch (error) {
    unknown.push(`its permanent name: ${whyUnreadable(error)}`);
    return `dev:${name}`;
  }
}

async function madeOf(
  host: ReadHost,
  { name, sys }: Device,
  mapping: string | undefined,
): Promise<Pick<GraphDevice, 'kind' | 'mapping' | 'uuid' | 'volume' | 'array' | 'file'>> {
  if (mapping !== undefined) return mapped(mapping, (await kernelText(host, `${sys}/dm/uuid`)) ?? '');
  if ((await kernelText(host, `${sys}/partition`)) !== undefined) return { kind: 'partition' };
  const file = await kernelText(host, `${sys}/loop/backing_file`);
  if (file !== undefined) return { kind: 'loop', file };
  const level = await kernelText(host, `${sys}/md/level`);
  if (level !== undefined) return { kind: 'array', array: await arrayFacts(host, sys, level) };
  return { kind: /^drbd\d+$/.test(name) ? 'drbd' : 'disk' };
}

function mapped(mapping: string, uuid: string): Pick<GraphDevice, 'kind' | 'mapping' | 'uuid' | 'volume'> {
  if (uuid.startsWith('LVM-')) {
    const volume = splitLvmName(mapping);
    // A layer of a volume has the volume's uuid and a suffix (lib/activate/dev_manager.c, build_dm_uuid).
    const isPart = partOfVolume.test(volume.lv) || /^LVM-[A-Za-z0-9]{64}-/.test(uuid);
    return { kind: isPart ? 'volume-part' : 'volume', mapping, uuid, volume };
  }
  const kind = uuid.startsWith('CRYPT-') ? 'crypt' : uuid.startsWith('mpath-') ? 'multipath' : 'mapping';
  return { kind, mapping, uuid };
}

async function arrayFacts(host: ReadHost, sys: string, level: string): Promise<ArrayFacts> {
  const number = async (file: string): Promise<number> => {
    const text = await kernelText(host, `${sys}/md/${file}`);
    // During a reshape the old number follows the new one, in parentheses.
    const count = /^(?<now>\d+)(?: \(\d+\))?$/.exec(text ?? '')?.groups?.now;
    if (count === undefined)
      throw new ParseError(`${posix.join(sys, 'md', file)}: no number in ${JSON.stringify(text)}`);
    return Number(count);
  };
  const hasDegraded = (await host.stat(`${sys}/md/degraded`)) !== undefined;
  return {
    level,
    members: await number('raid_disks'),
    state: (await kernelText(host, `${sys}/md/array_state`)) ?? 'unknown',
    degraded: hasDegraded ? await number('degraded') : null,
    componentSize: (await number('component_size')) * 1024,
  };
}

async function isSwap(facts: Facts, { name, number }: Device): Promise<boolean> {
  return (await facts.swaps()).some(({ type, path, stat }) => {
    const same = stat?.node === undefined ? posix.basename(path) === name : stat.node === number;
    return type === 'partition' && same;
  });
}
