import type { Command } from '../command/index.ts';
import type { Bytes } from '../core/units.ts';
import { change, type Udev } from './commands.ts';

/**
 * Creates a volume group of existing physical volumes, with its tag in the same metadata commit.
 * vgcreate would initialize a device that is not a physical volume. If an extent is larger than the
 * devices, it would create a group of size 0 and exit with 0 (2.03.16). Check both first.
 */
export function vgcreate(
  make: Udev & {
    readonly name: string;
    readonly devices: readonly string[];
    readonly extentSize: Bytes;
    readonly tags: readonly string[];
  },
): Command<void, 'change'> {
  const tags = make.tags.flatMap((tag) => ['--addtag', tag]);
  const extent = ['--physicalextentsize', `${make.extentSize}b`];
  return change('vgcreate', [...tags, ...extent, make.name, ...make.devices], make);
}

/**
 * Removes a volume group without volumes if the uuid matches; otherwise does nothing and exits with
 * 0. Its physical volumes become free. Never with `--force` or `--yes`: it would then also remove
 * volumes, about which it asks.
 */
export function vgremove(
  vg: Udev & { readonly name: string; readonly uuid: string; readonly tag?: string },
): Command<void, 'destroy'> {
  const tag = vg.tag === undefined ? '' : ` && vg_tags={${vg.tag}}`;
  const argv = ['--select', `vg_uuid=${vg.uuid}${tag} && lv_count=0`, vg.name];
  return { ...change('vgremove', argv, vg), access: 'destroy' };
}

/** A group and some of its devices. */
export interface OfGroup extends Udev {
  readonly name: string;
  readonly devices: readonly string[];
}

/**
 * Adds free physical volumes to a group. vgextend would initialize a device that is not a physical
 * volume: check first.
 */
export function vgextend(of: OfGroup): Command<void, 'change'> {
  return change('vgextend', [of.name, ...of.devices], of);
}

/** Removes physical volumes from a group; lvm refuses one with used extents, and the last one. */
export function vgreduce(of: OfGroup): Command<void, 'change'> {
  return change('vgreduce', [of.name, ...of.devices], of);
}

/** Renames a group, by its uuid; active volumes get new names in the kernel, even those in use. */
export function vgrename(of: Udev & { readonly uuid: string; readonly to: string }): Command<void, 'change'> {
  return change('vgrename', [of.uuid, of.to], of);
}
