import type { Command } from '../command/index.ts';
import type { Bytes } from '../core/units.ts';
import { change, type Udev } from './commands.ts';

/**
 * Makes a volume group of physical volumes that are there, with its mark in the same metadata commit. Of a device that is
 * none it would make one by itself, and a group of no size when an extent is larger than its devices, exit 0 (2.03.16):
 * look at both first.
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
 * Removes a volume group that has no volume, if it still is the one meant; else it exits 0 and removes nothing. Its
 * physical volumes stay, free. Never with `--force` or `--yes`: of a group with volumes it asks, and they would go along.
 */
export function vgremove(
  vg: Udev & { readonly name: string; readonly uuid: string; readonly tag?: string },
): Command<void, 'destroy'> {
  const tag = vg.tag === undefined ? '' : ` && vg_tags={${vg.tag}}`;
  const argv = ['--select', `vg_uuid=${vg.uuid}${tag} && lv_count=0`, vg.name];
  return { ...change('vgremove', argv, vg), access: 'destroy' };
}

/** Which devices of a group it is about. */
export interface OfGroup extends Udev {
  readonly name: string;
  readonly devices: readonly string[];
}

/** Puts free physical volumes into a group. Of a device that is none it would make one by itself: look first. */
export function vgextend(of: OfGroup): Command<void, 'change'> {
  return change('vgextend', [of.name, ...of.devices], of);
}

/** Takes physical volumes out of a group; lvm refuses one on which extents are in use, and the last. */
export function vgreduce(of: OfGroup): Command<void, 'change'> {
  return change('vgreduce', [of.name, ...of.devices], of);
}

/** Gives a group another name, by its uuid; active volumes get new names in the kernel, also those in use. */
export function vgrename(of: Udev & { readonly uuid: string; readonly to: string }): Command<void, 'change'> {
  return change('vgrename', [of.uuid, of.to], of);
}
