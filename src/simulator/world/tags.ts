import type { Tag } from '../../blockdevice/commands.ts';
import { tagIn } from '../../blockdevice/tag.ts';
import { UsageError } from '../../core/errors.ts';
import { type Device, deviceByNumber, devices } from './devices.ts';
import { tableIn } from '../tools/blockdevice/sectors.ts';
import type { World } from './world.ts';

/** Returns the tags of a device, for links of udev and searches of blkid. */
export function tagsOf(world: World, { storage, part }: Device): ReadonlyMap<string, string> {
  const { uuid, label } = world.live.get(storage)?.superblock ?? {};
  const disk = part === undefined ? undefined : deviceByNumber(world, part.disk);
  const table = disk === undefined ? undefined : tableIn(world.live.get(disk.storage), disk.size);
  const entry = table?.partitions.find(({ number }) => number === part?.number);
  // For a dos table, libblkid builds a UUID from the id of the table and the number.
  const dos = `${table?.id.replace(/^0x/, '') ?? ''}-${(part?.number ?? 0).toString(16).padStart(2, '0')}`;
  const partUuid = table?.type === 'dos' && entry !== undefined ? dos : entry?.uuid;
  const all = { UUID: uuid, LABEL: label, PARTUUID: partUuid?.toLowerCase(), PARTLABEL: entry?.name };
  return new Map(
    Object.entries(all).flatMap(([tag, value]) =>
      value === undefined || value === '' ? [] : [[tag, value] as const],
    ),
  );
}

/** Parses a tag from a table, which may contain any text: undefined for an invalid one. */
export function tagOrNone(text: string): Tag | undefined {
  try {
    return tagIn(text);
  } catch (error) {
    if (error instanceof UsageError) return undefined;
    throw error;
  }
}

/**
 * Returns the devices with a tag. libblkid leaves out devices that lvm uses internally
 * (sysfs_devno_is_dm_private), and a whole disk that has partitions.
 */
export function taggedDevices(world: World, { name, value }: Tag): readonly Device[] {
  return devices(world).filter(
    (device) =>
      device.layer === undefined &&
      (world.partitions.get(device.number) ?? []).length === 0 &&
      tagsOf(world, device).get(name) === value,
  );
}

/**
 * Encodes a value for a link name, as encode_devnode_name of systemd 252
 * (src/shared/device-nodes.c): \xNN for every other ASCII character.
 */
export function linkName(value: string): string {
  const plain = '#+-.:=@_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
  return value.replace(/./gsu, (each) => {
    const code = each.codePointAt(0) ?? 0;
    return code > 0x7f || plain.includes(each) ? each : `\\x${code.toString(16).padStart(2, '0')}`;
  });
}
