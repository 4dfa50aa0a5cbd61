import * as z from 'zod/mini';
import { type Answer, type Command, nothing, type ReadCommand, type Tool } from '../command/index.ts';
import { ParseError, type Reason } from '../errors.ts';
import type { Bytes } from '../units.ts';
import {
  type LogicalVolume,
  type PhysicalVolume,
  toLv,
  toPv,
  toVg,
  toWholeGroup,
  type VolumeGroup,
  type WholeGroup,
} from './objects.ts';
import { fullReport, lvRow, pvRow, pvSegmentRow, vgRow } from './schema.ts';

/** Which volume group to report; all of them when it is left out. */
export interface ReportScope {
  readonly vg?: string;
}

/** Every logical volume, hidden ones too, in one listing. A missing volume group: exit 5, `not-found`. */
export function lvs(scope: ReportScope = {}): ReadCommand<readonly LogicalVolume[]> {
  return report({ tool: 'lvs', item: 'lv', row: lvRow, convert: toLv, flags: ['--all'], scope });
}

/** Every volume group. */
export function vgs(scope: ReportScope = {}): ReadCommand<readonly VolumeGroup[]> {
  return report({ tool: 'vgs', item: 'vg', row: vgRow, convert: toVg, flags: [], scope });
}

/**
 * Every volume group with all its logical volumes, of one moment: lvm reads each group once, under its lock. Of an
 * exported one it shows the volumes too, which `lvs` does not (test/fixtures/lvm/fullreport-exported@2.03.16.json).
 */
export function fullreport(): ReadCommand<readonly WholeGroup[]> {
  const columns = {
    vg: Object.keys(vgRow.shape),
    lv: Object.keys(lvRow.shape),
    // The other reports cannot be left out; left to themselves they have columns that nobody reads.
    ...{ pv: ['pv_uuid'], pvseg: ['pv_uuid'], seg: ['lv_uuid'] },
  };
  const options = Object.entries(columns).flatMap(([report, names]) => [
    ...['--configreport', report],
    ...['--options', names.join(',')],
  ]);
  return {
    tool: 'lvm',
    argv: ['fullreport', ...inBytes, '--all', ...options],
    access: 'read',
    parse: ({ stdout }) =>
      fullReport.parse(JSON.parse(stdout)).report.flatMap((one) => ('vg' in one ? [toWholeGroup(one)] : [])),
    classify: classifyLvm,
  };
}

/** Every physical volume, also those in no volume group. */
export function pvs(): ReadCommand<readonly PhysicalVolume[]> {
  return report({ tool: 'pvs', item: 'pv', row: pvRow, convert: toPv, flags: [], scope: {} });
}

/** A run of extents of a physical volume: in the group of `vgUuid`, of that volume from its `lvStart`-th extent on. */
export interface PvSegment {
  readonly pvUuid: string;
  readonly start: number;
  readonly extents: number;
  /** Undefined: they are free. Of a raid or a pool it is the hidden volume that has the extents. */
  readonly of: { readonly lvUuid: string; readonly lvStart: number } | undefined;
}

/** Every run of extents of every physical volume that is in a group: whose it is, or that it is free. */
export function pvSegments(): ReadCommand<readonly PvSegment[]> {
  const columns = Object.keys(pvSegmentRow.shape).join(',');
  return {
    tool: 'pvs',
    argv: [...inBytes, '--segments', '--options', columns],
    access: 'read',
    parse: ({ stdout }) => rows(stdout, 'pvseg', pvSegmentRow).flatMap(toPvSegment),
    classify: classifyLvm,
  };
}

/** The version of lvm2: `2.03.16`. */
export function lvmVersion(): ReadCommand<string> {
  return {
    tool: 'lvm',
    argv: ['version'],
    access: 'read',
    parse: ({ stdout }) => {
      const version = /^ *LVM version: +(?<version>\d+(?:\.\d+)+)/m.exec(stdout)?.groups?.version;
      if (version === undefined) throw new ParseError('it names no version');
      return version;
    },
    classify: classifyLvm,
  };
}

/** From so many percent on lvm makes thin pools larger by itself (dmeventd); 100: it does not. */
export function autoextendThreshold(): ReadCommand<number> {
  return {
    tool: 'lvm',
    argv: ['config', '--typeconfig', 'full', 'activation/thin_pool_autoextend_threshold'],
    access: 'read',
    parse: ({ stdout }) => {
      const percent = /^thin_pool_autoextend_threshold=(?<percent>\d{1,3})\n$/.exec(stdout)?.groups?.percent;
      if (percent === undefined) throw new ParseError('it names no threshold');
      return Number(percent);
    },
    classify: classifyLvm,
  };
}

/** Is a udevd there to answer lvm? Without one lvm would wait for it for ever. */
export interface Udev {
  readonly udev: 'running' | 'absent';
}

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

/**
 * Makes a snapshot of a volume: with `extents` a classic one, which has so many for what changes (lvm cuts them to what it
 * can need), without them a thin one of a thin volume. A thin one is not activated, now or at boot, which is lvm's own
 * default said aloud. lvcreate takes no `--select`: compare the uuid of the origin afterwards.
 */
export function lvsnapshot(
  make: Udev & {
    readonly vg: string;
    readonly origin: string;
    readonly name: string;
    readonly extents: number | undefined;
    readonly tags: readonly string[];
  },
): Command<void, 'change'> {
  const tags = make.tags.flatMap((tag) => ['--addtag', tag]);
  const room =
    make.extents === undefined ? ['--setactivationskip', 'y'] : ['--extents', String(make.extents)];
  return change(
    'lvcreate',
    ['--snapshot', '--name', make.name, ...room, ...tags, `${make.vg}/${make.origin}`],
    make,
  );
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

/**
 * Removes a classic snapshot if it still is the one meant; else it exits 0 and removes nothing. It stays active as long as
 * its origin is, so `--yes` answers the only question, whether an active volume is to go: no volume has a snapshot as its
 * origin, and one that is open is refused all the same (_lv_remove_check_in_use of 2.03.16).
 */
export function removeSnapshot(lv: Guarded & { readonly tag?: string }): Command<void, 'destroy'> {
  const tag = lv.tag === undefined ? '' : ` && lv_tags={${lv.tag}}`;
  const argv = ['--yes', '--select', `lv_uuid=${lv.uuid}${tag} && lv_role={thicksnapshot}`, fullName(lv)];
  const command = change('lvremove', argv, lv);
  return { ...command, access: 'destroy' };
}

/**
 * Why an lvm program failed. Its exit code 5 means nearly everything, so its text in the C locale must tell
 * (fixtures in test/fixtures/lvm).
 */
export function classifyLvm(answer: Answer): Reason {
  const stderr = answer.stderr + loggedIn(answer.stdout);
  if (/not found|Failed to find|No device found|[Cc]annot process volume group/.test(stderr))
    return 'not-found';
  if (/already exists|already in use/i.test(stderr)) return 'exists';
  if (/insufficient (?:free|suitable)|Insufficient|not enough free/i.test(stderr)) return 'no-space';
  if (
    /in use|is used by|already in volume group|exclusively|Device or resource busy|Can't get lock/i.test(
      stderr,
    )
  )
    return 'busy';
  if (/Permission denied|need to be root|must be root/i.test(stderr)) return 'denied';
  return 'unknown';
}

// Beside a report in JSON, 2.03.31 says there what went wrong, and nothing on stderr (lvs-missing-vg@2.03.31.json).
function loggedIn(stdout: string): string {
  return [...stdout.matchAll(/"log_message":"(?:[^"\\]|\\.)*"/g)].map(([message]) => `\n${message}`).join('');
}

type LvmTool = Extract<Tool, `${'lv' | 'pv' | 'vg'}${string}`>;

function fullName({ vg, name }: { readonly vg: string; readonly name: string }): string {
  return `${vg}/${name}`;
}

/** A program of lvm that changes something, and does not wait for a udevd that is not there. */
export function change(
  tool: LvmTool,
  argv: readonly string[],
  { udev }: Udev,
  settings?: string,
): Command<void, 'change'> {
  const all = [
    ...(udev === 'running' ? [] : ['activation{udev_sync=0 udev_rules=0}']),
    ...(settings === undefined ? [] : [settings]),
  ];
  const config = all.length === 0 ? [] : ['--config', all.join(' ')];
  return { tool, argv: [...config, ...argv], access: 'change', parse: nothing, classify: classifyLvm };
}

function toPvSegment(row: z.infer<typeof pvSegmentRow>): readonly PvSegment[] {
  // The space of one that is in no group.
  if (row.vg_uuid === '') return [];
  const of = row.lv_uuid === '' ? undefined : { lvUuid: row.lv_uuid, lvStart: row.seg_start_pe };
  return [{ pvUuid: row.pv_uuid, start: row.pvseg_start, extents: row.pvseg_size, of }];
}

const inBytes = ['--reportformat', 'json', '--units', 'b', '--nosuffix'];

function report<Row extends z.ZodMiniObject, T>(of: {
  readonly tool: 'lvs' | 'pvs' | 'vgs';
  readonly item: 'lv' | 'pv' | 'vg';
  readonly row: Row;
  readonly convert: (row: z.infer<Row>) => T;
  readonly flags: readonly string[];
  readonly scope: ReportScope;
}): ReadCommand<readonly T[]> {
  const columns = Object.keys(of.row.shape).join(',');
  const vg = of.scope.vg === undefined ? [] : [of.scope.vg];
  return {
    tool: of.tool,
    argv: [...inBytes, ...of.flags, '--options', columns, ...vg],
    access: 'read',
    parse: ({ stdout }) => rows(stdout, of.item, of.row).map(of.convert),
    classify: classifyLvm,
  };
}

// One report, because no report is repeated (--configreport): a second one would be an answer to something else.
function rows<Row extends z.ZodMiniObject>(stdout: string, item: string, row: Row): z.infer<Row>[] {
  const whole = z.object({ report: z.array(z.record(z.string(), z.array(row))) });
  const [only, ...more] = whole.parse(JSON.parse(stdout)).report;
  const found = only?.[item];
  if (found === undefined || more.length > 0) throw new ParseError(`not one report of "${item}"`);
  return found;
}
