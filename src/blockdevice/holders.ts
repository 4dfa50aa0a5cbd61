import { posix } from 'node:path';
import type { ReadHost } from '../command/index.ts';
import { ParseError } from '../errors.ts';
import { mountEntries, unescapeOctal } from './mountinfo.ts';
import { deviceNode, kernelNames, kernelText } from './node.ts';

/**
 * Who uses a device now, in words that tell what to end: "mounted on /mnt (mount 41)". The kernel's facts only: mounts
 * (of our mount namespace), swap, devices on top of it, loop devices over it, guests that have it, and all that for
 * its partitions too. An empty list does not prove that nobody has it open.
 */
export async function holders(host: ReadHost, device: string): Promise<readonly string[]> {
  return holdersOf(host, (await deviceNode(host, device)).number);
}

async function holdersOf(host: ReadHost, number: string): Promise<readonly string[]> {
  const sys = `/sys/dev/block/${number}`;
  const name = posix.basename(await host.readLink(sys));
  return [
    ...(await mounts(host, { number, name })),
    ...(await swap(host, { number, name })),
    ...(await above(host, sys)),
    ...(await loops(host, number)),
    ...(await guests(host, number)),
    ...(await partitions(host, { sys, name })),
  ];
}

interface Device {
  readonly number: string;
  /** The kernel's name: `dm-3`. */
  readonly name: string;
}

// btrfs shows a number of its own in mountinfo; its devices stand in sysfs as long as it is mounted.
async function mounts(host: ReadHost, { number, name }: Device): Promise<readonly string[]> {
  const here = (await mountEntries(host)).filter(({ device }) => device === number);
  const words = here.map(({ path, id }) => `mounted on ${path} (mount ${id})`);
  for (const id of await kernelNames(host, '/sys/fs/btrfs')) {
    const devices = await kernelNames(host, `/sys/fs/btrfs/${id}/devices`);
    if (devices.includes(name)) words.push(`part of the mounted btrfs ${id}`);
  }
  return words;
}

const swapLine = /^(?<path>[^ \t]+)[ \t]+(?<type>partition|file)[ \t]+\d+[ \t]+\d+[ \t]+-?\d+$/;

async function swap(host: ReadHost, { number, name }: Device): Promise<readonly string[]> {
  const text = await kernelText(host, '/proc/swaps');
  // A kernel without swap has no such file.
  if (text === undefined) return [];
  const [head, ...lines] = text.split('\n');
  if (head?.startsWith('Filename') !== true) throw new ParseError('/proc/swaps does not begin as it should');
  const words: string[] = [];
  for (const line of lines) {
    const groups = swapLine.exec(line)?.groups;
    if (groups?.path === undefined) throw new ParseError(`/proc/swaps: cannot read the line "${line}"`);
    const path = unescapeOctal(groups.path);
    const node = (await host.stat(path))?.node;
    const same = node === undefined ? posix.basename(path) === name : node === number;
    if (groups.type === 'partition' && same) words.push(`in use as swap (${path})`);
  }
  return words;
}

async function above(host: ReadHost, sys: string): Promise<readonly string[]> {
  const words: string[] = [];
  for (const name of await kernelNames(host, `${sys}/holders`)) {
    const mapping = await kernelText(host, `${sys}/holders/${name}/dm/name`);
    words.push(mapping === undefined ? `part of /dev/${name}` : `beneath /dev/mapper/${mapping}`);
  }
  return words;
}

async function loops(host: ReadHost, number: string): Promise<readonly string[]> {
  const words: string[] = [];
  for (const name of await kernelNames(host, '/sys/block')) {
    if (!name.startsWith('loop')) continue;
    const file = await kernelText(host, `/sys/block/${name}/loop/backing_file`);
    if (file === undefined || (await host.stat(file))?.node !== number) continue;
    words.push(`behind the loop device /dev/${name}`);
  }
  return words;
}

const backend = /^vbd-(?<domid>\d+)-(?<device>\d+)$/;

// xen-blkback opens a device without claiming it, so it stands in no `holders`; physical_device is hex, fd:3.
async function guests(host: ReadHost, number: string): Promise<readonly string[]> {
  const devices = '/sys/bus/xen-backend/devices';
  const hex = number
    .split(':', 2)
    .map((part) => Number(part).toString(16))
    .join(':');
  const words: string[] = [];
  for (const name of await kernelNames(host, devices)) {
    const domid = backend.exec(name)?.groups?.domid;
    if (domid === undefined) continue;
    if ((await kernelText(host, `${devices}/${name}/physical_device`)) !== hex) continue;
    words.push(`a disk of the guest with domid ${domid}`);
  }
  return words;
}

async function partitions(host: ReadHost, at: { sys: string; name: string }): Promise<readonly string[]> {
  const words: string[] = [];
  for (const entry of await kernelNames(host, at.sys)) {
    if (!entry.startsWith(at.name)) continue;
    if ((await kernelText(host, `${at.sys}/${entry}/partition`)) === undefined) continue;
    const number = await kernelText(host, `${at.sys}/${entry}/dev`);
    if (number === undefined) throw new ParseError(`${at.sys}/${entry} has no device number`);
    words.push(...(await holdersOf(host, number)).map((word) => `its partition ${entry}: ${word}`));
  }
  return words;
}
