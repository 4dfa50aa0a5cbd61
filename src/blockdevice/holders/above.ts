import type { Holder } from '../../core/errors.ts';
import { ParseError } from '../../core/errors.ts';
import { splitLvmName } from '../keys.ts';
import { kernelText } from '../node.ts';
import { type Device, deviceByNumber } from './device.ts';
import type { Facts } from './facts.ts';
import { namesIn } from '../../command/index.ts';

/** A device on top of another one. */
export interface Upper {
  readonly holder: Holder;
  /** Returns its device, to find its holders in turn. */
  readonly device: () => Promise<Device>;
  /** For a loop device: the path of its file. */
  readonly file?: string;
}

/**
 * Returns what the kernel itself lists as built on a device: device-mapper, md and others that
 * claim their devices.
 */
export async function built(facts: Facts, { sys }: Device): Promise<readonly Upper[]> {
  const { host } = facts;
  const found: Upper[] = [];
  for (const name of await namesIn(host, `${sys}/holders`)) {
    const at = `${sys}/holders/${name}`;
    const mapping = await kernelText(host, `${at}/dm/name`);
    const holder =
      mapping === undefined
        ? other(name)
        : mapped({ name: mapping, uuid: (await kernelText(host, `${at}/dm/uuid`)) ?? '' });
    found.push({ holder, device: () => deviceAt(facts, at) });
  }
  return found;
}

function other(name: string): Holder {
  const words = `part of /dev/${name}`;
  if (/^md\d/.test(name) || name.startsWith('md_'))
    return { kind: 'array', name, words, free: ['mdadm', '--stop', `/dev/${name}`] };
  const minor = /^drbd(?<minor>\d+)$/.exec(name)?.groups?.minor;
  if (minor !== undefined)
    return {
      kind: 'drbd',
      device: `/dev/${name}`,
      words: `DRBD stores /dev/${name} on it`,
      free: ['drbdsetup', 'detach', minor],
    };
  return { kind: 'device', name, words };
}

// Parts of a volume cannot be deactivated alone (their suffixes are in lib/misc/lvm-string.c of
// lvm2).
export const partOfVolume =
  /_(?:tdata|tmeta|cdata|cmeta|cvol|corig|wcorig|vdata|mlog|mimage_\d+|rimage_\d+|rmeta_\d+)$/;

/** Describes a device-mapper device, which its users recognise by its uuid. */
export function mapped({ name, uuid }: { readonly name: string; readonly uuid: string }): Holder {
  const words = `beneath /dev/mapper/${name}`;
  const holder = (free: readonly string[]): Holder => ({ kind: 'mapping', name, words, free });
  if (uuid.startsWith('LVM-')) {
    const { vg, lv } = splitLvmName(name);
    return holder(['lvchange', '-an', `${vg}/${lv.replace(partOfVolume, '')}`]);
  }
  if (uuid.startsWith('CRYPT-')) return holder(['cryptsetup', 'close', name]);
  if (uuid.startsWith('mpath-')) return holder(['multipath', '-f', name]);
  return holder(['dmsetup', 'remove', name]);
}

/** Returns the loop devices over the device itself. */
export async function loopsOver(facts: Facts, { number }: Device): Promise<readonly Upper[]> {
  const found = (await facts.loops()).filter(({ stat }) => stat?.node === number);
  return found.map(({ name }) => loop(facts, name, `behind the loop device /dev/${name}`));
}

/**
 * Returns the loop devices over a file of a filesystem, by the number that lstat(2) shows for its
 * files.
 */
export async function loopsWithin(facts: Facts, filesystem: string): Promise<readonly Upper[]> {
  const found = (await facts.loops()).filter(
    ({ stat }) => stat?.kind === 'file' && stat.device === filesystem,
  );
  return found.map(({ name, file }) => ({
    ...loop(facts, name, `its file ${file} is behind the loop device /dev/${name}`),
    file,
  }));
}

function loop(facts: Facts, name: string, words: string): Upper {
  return {
    holder: { kind: 'loop', device: `/dev/${name}`, words, free: ['losetup', '--detach', `/dev/${name}`] },
    device: () => deviceAt(facts, `/sys/block/${name}`),
  };
}

/** Returns the partitions of a disk, whose holders are holders of the disk too. */
export async function partitions({ host }: Facts, at: Device): Promise<readonly Device[]> {
  const found: Device[] = [];
  for (const entry of await namesIn(host, at.sys)) {
    if (!entry.startsWith(at.name)) continue;
    if ((await kernelText(host, `${at.sys}/${entry}/partition`)) === undefined) continue;
    const number = await kernelText(host, `${at.sys}/${entry}/dev`);
    if (number === undefined) throw new ParseError(`${at.sys}/${entry} has no device number`);
    found.push(await deviceByNumber(host, number));
  }
  return found;
}

async function deviceAt({ host }: Facts, sys: string): Promise<Device> {
  const number = await kernelText(host, `${sys}/dev`);
  if (number === undefined) throw new ParseError(`${sys} has no device number`);
  return deviceByNumber(host, number);
}
