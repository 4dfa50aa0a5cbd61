import { devices, dmName } from '../../world/devices.ts';
import type { World } from '../../world/world.ts';
import { failed, ok, type ToolModel } from '../answer.ts';

/** Returns every name of device-mapper. */
export function dmNames(world: World): readonly string[] {
  return devices(world).flatMap(({ lv, layer, mapping }) =>
    lv === undefined ? ((mapping ?? layer)?.name ?? []) : dmName(lv.vg.name, lv.lv.name),
  );
}

/**
 * Prints the underlying device of an open mapping; its key is in the kernel's keyring (cryptsetup
 * 2.6 with LUKS2).
 */
export function dmsetupTable(world: World, name: string): ReturnType<ToolModel> {
  const mapping = world.mappings.find((each) => each.name === name);
  if (mapping === undefined) return failed(1, `Device ${name} not found\nCommand failed.`);
  const place = `${mapping.lower} ${mapping.offset / 512}`;
  return ok(`0 ${mapping.size / 512} crypt aes-xts-plain64 :64:logon:cryptsetup:key 0 ${place}\n`);
}

/** Renames a mapping; the kernel refuses a name that another mapping or volume has. */
export function dmsetupRename(world: World, from: string, to: string): ReturnType<ToolModel> {
  const mapping = world.mappings.find(({ name }) => name === from);
  const refused = `device-mapper: rename ioctl on ${from}  failed: `;
  if (mapping === undefined) return failed(1, `${refused}No such device or address\nCommand failed.`);
  if (dmNames(world).includes(to)) return failed(1, `${refused}Device or resource busy\nCommand failed.`);
  mapping.name = to;
  return ok();
}
