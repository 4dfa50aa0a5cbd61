import * as z from 'zod/mini';
import type { ReadCommand } from '../command/index.ts';
import { ParseError } from '../core/errors.ts';
import { classifyLvm } from './commands.ts';
import { withCovering } from './covering.ts';
import {
  type LogicalVolume,
  type PhysicalVolume,
  type PvSegment,
  toLv,
  toPv,
  toPvSegment,
  toVg,
  toWholeGroup,
  type VolumeGroup,
  type WholeGroup,
} from './objects.ts';
import { refuseUnreadable } from './unreadable.ts';
import { fullReport, imageRow, lvRow, pvRow, pvSegmentRow, vgRow } from './schema.ts';

/** Which volume group to report (default: all). */
export interface ReportScope {
  readonly vg?: string;
}

/**
 * Reads every logical volume, including hidden ones. A missing volume group: exit code 5,
 * `not-found`.
 */
export function lvs(scope: ReportScope = {}): ReadCommand<readonly LogicalVolume[]> {
  const command = report({ tool: 'lvs', item: 'lv', row: lvRow, convert: toLv, flags: ['--all'], scope });
  return { ...command, parse: (answer) => withCovering(command.parse(answer)) };
}

/**
 * Reads the uuid of each image of a raid that is in sync (lvs(8), `lv_image_synced`; the kernel's
 * status has a letter for each image).
 */
export function syncedImages(): ReadCommand<readonly string[]> {
  const command = report({
    ...{ tool: 'lvs', item: 'lv', row: imageRow, flags: ['--all'], scope: {} },
    convert: ({ lv_uuid, lv_image_synced }) => (lv_image_synced === true ? [lv_uuid] : []),
  });
  return { ...command, parse: (answer) => command.parse(answer).flat() };
}

/** Reads every volume group. */
export function vgs(scope: ReportScope = {}): ReadCommand<readonly VolumeGroup[]> {
  return report({ tool: 'vgs', item: 'vg', row: vgRow, convert: toVg, flags: [], scope });
}

/**
 * Reads every volume group with all its logical volumes at one moment: lvm reads each group once,
 * under its lock. Unlike `lvs` it also shows the volumes of an exported group
 * (test/fixtures/lvm/fullreport-exported@2.03.16.json).
 */
export function fullreport(): ReadCommand<readonly WholeGroup[]> {
  const columns = {
    vg: Object.keys(vgRow.shape),
    lv: Object.keys(lvRow.shape),
    // lvm always prints these reports too; by default they have columns that bofh does not use.
    ...{ pv: ['pv_uuid', 'pv_name', 'vg_name'], pvseg: ['pv_uuid'], seg: ['lv_uuid'] },
  };
  const options = Object.entries(columns).flatMap(([report, names]) => [
    ...['--configreport', report],
    ...['--options', names.join(',')],
  ]);
  return {
    tool: 'lvm',
    argv: ['fullreport', ...inBytes, '--all', ...options],
    access: 'read',
    parse: ({ stdout }) => {
      if (lastReport.text !== stdout) lastReport = { text: stdout, groups: groupsIn(stdout) };
      return lastReport.groups;
    },
    classify: classifyLvm,
  };
}

/**
 * The last report and its parsed groups: a sequence reads the report several times, and parsing
 * 1,000 volumes takes longer than lvm.
 */
let lastReport: { readonly text?: string; readonly groups: readonly WholeGroup[] } = { groups: [] };

function groupsIn(text: string): readonly WholeGroup[] {
  return fullReport.parse(JSON.parse(withoutNotice(text))).report.flatMap((one) => {
    if ('vg' in one) return [toWholeGroup(one)];
    refuseUnreadable(one.pv);
    return [];
  });
}

/** Reads every physical volume, including those in no volume group. */
export function pvs(): ReadCommand<readonly PhysicalVolume[]> {
  const command = report({
    tool: 'pvs',
    item: 'pv',
    row: pvRow,
    convert: (row) => row,
    flags: [],
    scope: {},
  });
  return {
    ...command,
    parse: (answer) => {
      const found = command.parse({ ...answer, stdout: withoutNotice(answer.stdout) });
      refuseUnreadable(found);
      return found.map(toPv);
    },
  };
}

/**
 * Reads every run of extents of every physical volume in a group: used by which volume, or free.
 */
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

/**
 * Removes the notice within the JSON: if lvm cannot read metadata, it reads everything again and
 * reports that there (2.03.16). If the report then shows what could not be read, the rest can be
 * used.
 */
export function withoutNotice(stdout: string): string {
  return stdout.replace(/^ *Retrying metadata scan\.\n/gm, '');
}

// Exactly one report, because bofh requests none twice (--configreport).
function rows<Row extends z.ZodMiniObject>(stdout: string, item: string, row: Row): z.infer<Row>[] {
  const whole = z.object({ report: z.array(z.record(z.string(), z.array(row))) });
  const [only, ...more] = whole.parse(JSON.parse(stdout)).report;
  const found = only?.[item];
  if (found === undefined || more.length > 0)
    throw new ParseError(`lvm printed no report of "${item}", or more than one`);
  return found;
}
