import type { Command } from '../command/index.ts';
import type { Bytes } from '../core/units.ts';
import { change, type Udev } from './commands.ts';

/** How a volume that is not linear lies on its devices. */
export type LvLayout =
  | { readonly type: 'striped'; readonly stripes: number; readonly stripeSize?: Bytes }
  | { readonly type: 'raid1'; readonly mirrors: number };

/**
 * Makes a linear volume, or one of another layout; a raid1 is in use while its copies are still made. An old signature in its extents must neither stop nor prompt, and must not show through:
 * they were free, so it is wiped (`--wipesignatures y`) without a question, which is all that `--yes` answers here
 * (lvcreate 2.03.16 without it: "[y/n]: [n]", exit 5).
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

/** One logical volume: by its name, and guarded by its uuid in the very command. */
export interface Guarded extends Udev {
  readonly vg: string;
  readonly name: string;
  readonly uuid: string;
}

/** Takes a volume out of the kernel; refused while it is open. With another uuid it exits 0 and does nothing. */
export function deactivate(lv: Guarded): Command<void, 'change'> {
  return change('lvchange', ['--activate', 'n', '--select', `lv_uuid=${lv.uuid}`, fullName(lv)], lv);
}

/** Puts a volume into the kernel. Of one that is skipped nothing happens, exit 0, unless `skipped` says that it is meant. */
export function activate(lv: Guarded & { readonly skipped?: boolean }): Command<void, 'change'> {
  const meant = lv.skipped === true ? ['--ignoreactivationskip'] : [];
  return change(
    'lvchange',
    ['--activate', 'y', ...meant, '--select', `lv_uuid=${lv.uuid}`, fullName(lv)],
    lv,
  );
}

/** Shall the volume be activated at boot? (lvm2 2.03.12 and newer) */
export function setAutoactivation(lv: Guarded & { readonly value: 'y' | 'n' }): Command<void, 'change'> {
  const select = ['--select', `lv_uuid=${lv.uuid}`];
  return change('lvchange', ['--setautoactivation', lv.value, ...select, fullName(lv)], lv);
}

/** Puts tags on a volume, or takes them off. One that it has already, or has not, is no failure (2.03.16). */
export function changeTags(
  lv: Guarded & { readonly add?: readonly string[]; readonly remove?: readonly string[] },
): Command<void, 'change'> {
  const add = (lv.add ?? []).flatMap((tag) => ['--addtag', tag]);
  const remove = (lv.remove ?? []).flatMap((tag) => ['--deltag', tag]);
  return change('lvchange', [...add, ...remove, '--select', `lv_uuid=${lv.uuid}`, fullName(lv)], lv);
}

/** A volume and the extents that it is to have. Neither program takes `--select`: compare the uuid before and after. */
export interface Resized extends Udev {
  readonly vg: string;
  readonly name: string;
  readonly extents: number;
}

/** Makes a volume larger, on the very extents of one physical volume when they are said; refused when it would be smaller. */
export function lvextend(
  lv: Resized & { readonly onto?: { readonly path: string; readonly start: number; readonly count: number } },
): Command<void, 'change'> {
  const { onto } = lv;
  const place = onto === undefined ? [] : [`${onto.path}:${onto.start}-${onto.start + onto.count - 1}`];
  return change('lvextend', ['--extents', String(lv.extents), fullName(lv), ...place], lv);
}

/**
 * Makes a volume smaller; refused when it would be larger. `--yes` answers the question about an active one, and there is
 * no other. What was in the extents must stay in them, so they are not discarded, whatever lvm.conf says: going back
 * takes them again. From 2.03.17 on lvm looks for a filesystem itself, in the kernel's words, and refuses an inactive
 * volume: `fs: 'ignore'` has it not look.
 */
export function lvreduce(
  lv: Resized & { readonly fs: 'ignore' | 'unknown to it' },
): Command<void, 'destroy'> {
  const fs = lv.fs === 'ignore' ? ['--fs', 'ignore'] : [];
  const argv = ['--extents', String(lv.extents), ...fs, '--yes', fullName(lv)];
  return { ...change('lvreduce', argv, lv, 'devices{issue_discards=0}'), access: 'destroy' };
}

/** Gives a volume another name. lvrename takes no `--select`: compare the uuid before and after. */
export function lvrename(lv: Omit<Guarded, 'uuid'> & { readonly to: string }): Command<void, 'change'> {
  return change('lvrename', [lv.vg, lv.name, lv.to], lv);
}

/**
 * Removes an inactive volume if it still is the one meant, and nobody has a snapshot of it; else it exits 0 and removes
 * nothing. The second part is lvm's own look under its lock: an *inactive* origin's snapshots are taken along without
 * a question, `--yes` or not (2.03.16, test/fixtures/lvm/lvremove-inactive-origin@2.03.16.json).
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
