import type { Command } from '../command/index.ts';
import type { Bytes } from '../core/units.ts';
import { change, type Udev } from './commands.ts';

/** The layout of a volume that is not linear. */
export type LvLayout =
  | { readonly type: 'striped'; readonly stripes: number; readonly stripeSize?: Bytes }
  | { readonly type: 'raid1'; readonly mirrors: number };

/**
 * Creates a linear volume, or one of another layout. A raid1 is usable while its copies are still
 * being synced. Old signatures in the extents must neither stop lvcreate, nor cause a question, nor
 * remain visible. The extents were free, so lvcreate wipes them (`--wipesignatures y`); `--yes`
 * answers only this question (2.03.16 without it: "[y/n]: [n]", exit code 5).
 */
export function lvcreate(
  make: Udev & {
    readonly vg: string;
    readonly name: string;
    readonly extents: number;
    readonly tags: readonly string[];
    readonly layout?: LvLayout | undefined;
  },
): Command<void, 'change'> {
  const tags = make.tags.flatMap((tag) => ['--addtag', tag]);
  const clean = ['--zero', 'y', '--wipesignatures', 'y', '--yes'];
  const extents = ['--extents', String(make.extents)];
  const argv = [...layoutWords(make.layout), '--name', make.name, ...extents, ...tags, ...clean, make.vg];
  return change('lvcreate', argv, make);
}

function layoutWords(layout: LvLayout | undefined): readonly string[] {
  if (layout === undefined) return [];
  if (layout.type === 'raid1') return ['--type', 'raid1', '--mirrors', String(layout.mirrors)];
  const { stripes, stripeSize } = layout;
  const size = stripeSize === undefined ? [] : ['--stripesize', `${stripeSize}b`];
  return ['--type', 'striped', '--stripes', String(stripes), ...size];
}

/** A logical volume by name, with its uuid checked by the command itself. */
export interface Guarded extends Udev {
  readonly vg: string;
  readonly name: string;
  readonly uuid: string;
}

/**
 * Deactivates a volume; lvm refuses an open one. If the uuid does not match, does nothing and exits
 * with 0.
 */
export function deactivate(lv: Guarded): Command<void, 'change'> {
  return change('lvchange', ['--activate', 'n', '--select', `lv_uuid=${lv.uuid}`, fullName(lv)], lv);
}

/**
 * Activates a volume. If its activation-skip flag is set, does nothing and exits with 0, unless
 * `skipped` overrides the flag.
 */
export function activate(lv: Guarded & { readonly skipped?: boolean }): Command<void, 'change'> {
  const meant = lv.skipped === true ? ['--ignoreactivationskip'] : [];
  return change(
    'lvchange',
    ['--activate', 'y', ...meant, '--select', `lv_uuid=${lv.uuid}`, fullName(lv)],
    lv,
  );
}

/** Sets whether the volume is activated at boot (lvm2 2.03.12 and newer). */
export function setAutoactivation(lv: Guarded & { readonly value: 'y' | 'n' }): Command<void, 'change'> {
  const select = ['--select', `lv_uuid=${lv.uuid}`];
  return change('lvchange', ['--setautoactivation', lv.value, ...select, fullName(lv)], lv);
}

/**
 * Adds or removes tags of a volume. Adding an existing tag or removing a missing one succeeds
 * (2.03.16).
 */
export function changeTags(
  lv: Guarded & { readonly add?: readonly string[]; readonly remove?: readonly string[] },
): Command<void, 'change'> {
  const add = (lv.add ?? []).flatMap((tag) => ['--addtag', tag]);
  const remove = (lv.remove ?? []).flatMap((tag) => ['--deltag', tag]);
  return change('lvchange', [...add, ...remove, '--select', `lv_uuid=${lv.uuid}`, fullName(lv)], lv);
}

/**
 * A volume and its new number of extents. Neither program accepts `--select`, so compare the uuid
 * before and after.
 */
export interface Resized extends Udev {
  readonly vg: string;
  readonly name: string;
  readonly extents: number;
}

/** A run of extents of a physical volume, by its path in lvm's reports. */
export interface Place {
  readonly path: string;
  readonly start: number;
  readonly count: number;
}

/**
 * Formats a run of extents. lvm gives ":" and "@" in paths a meaning, unless escaped
 * (dm_unescape_colons_and_at_signs).
 */
export function range({ path, start, count }: Place): string {
  return `${path.replace(/[:@]/g, '\\$&')}:${start}-${start + count - 1}`;
}

/**
 * Extends a volume, on specific extents of one physical volume if given. lvm refuses a smaller
 * size.
 */
export function lvextend(lv: Resized & { readonly onto?: Place }): Command<void, 'change'> {
  const { onto } = lv;
  const place = onto === undefined ? [] : [range(onto)];
  return change('lvextend', ['--extents', String(lv.extents), fullName(lv), ...place], lv);
}

/**
 * Reduces a volume; lvm refuses a larger size. `--yes` answers the only question, about an active
 * volume. Does not discard the extents, whatever lvm.conf says, because undo takes the same extents
 * back with their content. From 2.03.17 on lvm checks for a filesystem itself, with the kernel's
 * help, and refuses an inactive volume: `fs: 'ignore'` disables that.
 */
export function lvreduce(
  lv: Resized & { readonly fs: 'ignore' | 'unknown to it' },
): Command<void, 'destroy'> {
  const fs = lv.fs === 'ignore' ? ['--fs', 'ignore'] : [];
  const argv = ['--extents', String(lv.extents), ...fs, '--yes', fullName(lv)];
  return { ...change('lvreduce', argv, lv, 'devices{issue_discards=0}'), access: 'destroy' };
}

/** Renames a volume. lvrename accepts no `--select`, so compare the uuid before and after. */
export function lvrename(lv: Omit<Guarded, 'uuid'> & { readonly to: string }): Command<void, 'change'> {
  return change('lvrename', [lv.vg, lv.name, lv.to], lv);
}

/**
 * Removes an inactive volume if the uuid matches and it has no snapshots; otherwise removes nothing
 * and exits with 0. lvm checks for snapshots itself, under its lock: it would remove the snapshots
 * of an *inactive* origin without a question, with or without `--yes` (2.03.16,
 * test/fixtures/lvm/lvremove-inactive-origin@2.03.16.json).
 */
export function lvremove(lv: Guarded & { readonly tag?: string }): Command<void, 'destroy'> {
  const tag = lv.tag === undefined ? '' : ` && lv_tags={${lv.tag}}`;
  const alone = ' && !(lv_role={thickorigin} || lv_role={extorigin})';
  const argv = ['--select', `lv_uuid=${lv.uuid}${tag}${alone}`, fullName(lv)];
  return { ...change('lvremove', argv, lv), access: 'destroy' };
}

export function fullName({ vg, name }: { readonly vg: string; readonly name: string }): string {
  return `${vg}/${name}`;
}
