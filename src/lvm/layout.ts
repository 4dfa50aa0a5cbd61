import * as z from 'zod/mini';
import type { ReadCommand } from '../command/index.ts';
import { classifyLvm } from './commands.ts';
import { withCovering } from './covering.ts';
import { type LogicalVolume, type PhysicalVolume, toLv, toPv, toVg, type VolumeGroup } from './objects.ts';
import { withoutNotice } from './report-commands.ts';
import { lvRow, pvRow, vgRow } from './schema.ts';
import { refuseUnreadable } from './unreadable.ts';

/** A run of extents on a physical volume. */
export interface Run {
  readonly pvUuid: string;
  readonly extents: number;
  /** Undefined if the extents are free. */
  readonly lvUuid: string | undefined;
}

/** How a segment of a volume is laid out. */
export interface Segment {
  readonly lvUuid: string;
  /** `linear`, `striped`, `raid1`, `thin` … */
  readonly type: string;
  readonly stripes: number;
}

/** A volume group with its volumes, devices and the location of each extent. */
export interface LaidOutGroup extends VolumeGroup {
  readonly volumes: readonly LogicalVolume[];
  readonly devices: readonly PhysicalVolume[];
  readonly runs: readonly Run[];
  readonly segments: readonly Segment[];
}

/** The layout of all volume groups; `alone`: physical volumes in no group. */
export interface Layout {
  readonly groups: readonly LaidOutGroup[];
  readonly alone: readonly PhysicalVolume[];
}

const number = z.pipe(
  z.string().check(z.regex(/^\d+$/)),
  z.transform((text: string) => Number(text)),
);
const pvsegRow = z.object({ pv_uuid: z.string(), pvseg_size: number, lv_uuid: z.string() });
const segRow = z.object({ lv_uuid: z.string(), segtype: z.string().check(z.minLength(1)), stripes: number });

// For physical volumes in no group, lvm reports no "vg", "lv" and "seg".
const layoutReport = z.object({
  report: z.array(
    z.union([
      z.object({
        vg: z.tuple([vgRow]),
        pv: z.array(pvRow),
        lv: z.array(lvRow),
        pvseg: z.array(pvsegRow),
        seg: z.array(segRow),
      }),
      z.strictObject({ pv: z.array(pvRow), pvseg: z.array(z.unknown()) }),
    ]),
  ),
});

/** Reads every volume group with its content and layout, all at the same moment. */
export function layout(): ReadCommand<Layout> {
  const columns = {
    vg: Object.keys(vgRow.shape),
    lv: Object.keys(lvRow.shape),
    pv: Object.keys(pvRow.shape),
    pvseg: Object.keys(pvsegRow.shape),
    seg: Object.keys(segRow.shape),
  };
  const options = Object.entries(columns).flatMap(([report, names]) => [
    ...['--configreport', report],
    ...['--options', names.join(',')],
  ]);
  return {
    tool: 'lvm',
    argv: ['fullreport', '--reportformat', 'json', '--units', 'b', '--nosuffix', '--all', ...options],
    access: 'read',
    parse: ({ stdout }) => toLayout(layoutReport.parse(JSON.parse(withoutNotice(stdout)))),
    classify: classifyLvm,
  };
}

function toLayout({ report }: z.infer<typeof layoutReport>): Layout {
  const groups = report.flatMap((one) => {
    if (!('vg' in one)) return [];
    const runs = one.pvseg.map((row) => ({
      pvUuid: row.pv_uuid,
      extents: row.pvseg_size,
      lvUuid: row.lv_uuid === '' ? undefined : row.lv_uuid,
    }));
    const segments = one.seg.map((row) => ({ lvUuid: row.lv_uuid, type: row.segtype, stripes: row.stripes }));
    const [row] = one.vg;
    return [
      { ...toVg(row), volumes: withCovering(one.lv.map(toLv)), devices: one.pv.map(toPv), runs, segments },
    ];
  });
  const alone = report.flatMap((one) => ('vg' in one ? [] : one.pv));
  refuseUnreadable(alone);
  return { groups, alone: alone.map(toPv) };
}
