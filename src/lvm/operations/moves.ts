import * as z from 'zod/mini';
import type { ReadHost } from '../../command/index.ts';
import { RefusedError } from '../../core/errors.ts';
import { formatSize } from '../../core/units.ts';
import { pvSegments, pvs } from '../report-commands.ts';
import { reported } from '../unreadable.ts';
import type { LogicalVolume, PhysicalVolume, PvSegment, WholeGroup } from '../objects.ts';

const start = z.int().check(z.nonnegative());

/**
 * A run of extents of one volume with its old and new location: within one segment of the volume.
 */
export const piece = z.strictObject({
  lvUuid: z.string(),
  /**
   * The name of the volume with the extents at that time; for a thin pool the hidden volume. Only
   * shown.
   */
  name: z.string(),
  from: z.strictObject({ pvUuid: z.string(), start }),
  to: z.strictObject({ pvUuid: z.string(), start }),
  count: z.int().check(z.positive()),
});

export type Piece = z.infer<typeof piece>;

/** The extents of a group with its volumes and devices, read at one moment. */
export interface Extents {
  readonly runs: readonly PvSegment[];
  readonly volumes: readonly LogicalVolume[];
  readonly devices: readonly PhysicalVolume[];
}

/** Reads the extents of a group. */
export async function extentsOf(
  host: ReadHost,
  { uuid, volumes }: Pick<WholeGroup, 'uuid' | 'volumes'>,
): Promise<Extents> {
  const devices = (await reported(host, pvs())).filter(({ vg }) => vg?.uuid === uuid);
  const own = new Set(devices.map((pv) => pv.uuid));
  const runs = (await reported(host, pvSegments())).filter(({ pvUuid }) => own.has(pvUuid));
  return { runs: runs.toSorted((a, b) => a.start - b.start), volumes, devices };
}

/**
 * Returns the name of the volume to which a hidden part belongs: lvm reserves these suffixes
 * (lvm(8), "Valid names").
 */
export function topName(name: string): string {
  return name.replace(/_(?:tdata|tmeta|(?:rimage|rmeta)_\d+)$/, '');
}

/** Returns the extents to move off a physical volume: of all volumes, or of one. */
export function leavingRuns(
  { runs, volumes }: Extents,
  { pvUuid, only }: { readonly pvUuid: string; readonly only: LogicalVolume | undefined },
): readonly { readonly run: PvSegment; readonly lv: LogicalVolume }[] {
  return runs.flatMap((run) => {
    if (run.pvUuid !== pvUuid || run.of === undefined) return [];
    const lv = volumes.find(({ uuid }) => uuid === run.of?.lvUuid);
    if (lv === undefined)
      throw new RefusedError(`lvm does not say which volume has the extents from ${run.start} on`, {
        remedy: 'look at it: pvs --segments -o +lv_name,lv_uuid; then run the command again',
      });
    return only === undefined || topName(lv.name) === only.name ? [{ run, lv }] : [];
  });
}

/**
 * Chooses the target of each run: the first free extents with space for all of it, otherwise
 * several. Two stripes, or two copies, of one volume never go to the same device. RefusedError if
 * there is no space.
 */
export function planMoves(
  extents: Extents,
  {
    leaving,
    onto,
    extentSize,
  }: {
    readonly leaving: ReturnType<typeof leavingRuns>;
    /** The physical volumes, in the order to fill them. */
    readonly onto: readonly PhysicalVolume[];
    readonly extentSize: number;
  },
): Piece[] {
  const free = onto.flatMap(({ uuid }) =>
    extents.runs
      .filter(({ pvUuid, of }) => pvUuid === uuid && of === undefined)
      .map((run) => ({ pvUuid: uuid, start: run.start, count: run.extents })),
  );
  const pieces: Piece[] = [];
  for (const { run, lv } of leaving) {
    const barred = new Set(barredFor(extents, lv));
    let [start, count] = [run.start, run.extents];
    while (count > 0) {
      const open = free.filter((each) => each.count > 0 && !barred.has(each.pvUuid));
      const into = open.find((each) => each.count >= count) ?? open[0];
      if (into === undefined) throw noRoom(lv, count * extentSize);
      const part = Math.min(count, into.count);
      const to = { pvUuid: into.pvUuid, start: into.start };
      pieces.push({
        ...{ lvUuid: lv.uuid, name: lv.name, count: part, to },
        from: { pvUuid: run.pvUuid, start },
      });
      into.start += part;
      into.count -= part;
      start += part;
      count -= part;
    }
  }
  return pieces;
}

/**
 * Returns the devices that must not get the run, because one failure would take two parts: other
 * stripes of the volume, or other copies of its raid.
 */
function barredFor({ runs, volumes }: Extents, lv: LogicalVolume): readonly string[] {
  const copy = copyOf(lv.name);
  const others = volumes.filter((other) =>
    copy === undefined
      ? other.uuid === lv.uuid && lv.layout.includes('striped')
      : topName(other.name) === topName(lv.name) && copyOf(other.name) !== copy,
  );
  return runs.flatMap(({ pvUuid, of }) => (others.some(({ uuid }) => uuid === of?.lvUuid) ? [pvUuid] : []));
}

/** Returns the number of the copy to which a raid part belongs. */
function copyOf(name: string): string | undefined {
  return /_r(?:image|meta)_(?<copy>\d+)$/.exec(name)?.groups?.copy;
}

function noRoom({ fullName }: LogicalVolume, missing: number): RefusedError {
  return new RefusedError(
    `there is not enough free space for ${formatSize(missing)} of ${fullName} on the devices to which it may move; nothing was moved`,
    { code: 'no-space', remedy: 'name more devices, or add one: bofh lvm vg extend VG DEVICE' },
  );
}

/**
 * `here`: at the old location; `there`: at the new one; `moving`: lvm is copying it or stopped
 * midway; `lost`: at neither.
 */
export type At = 'here' | 'there' | 'moving' | 'lost';

/** Returns where a piece is now. */
export function placeOf({ runs, volumes }: Extents, { lvUuid, from, to, count }: Piece): At {
  const owners = (place: Piece['from']): ReadonlySet<string | undefined> =>
    new Set(
      runs
        .filter((run) => run.pvUuid === place.pvUuid)
        .filter((run) => run.start < place.start + count && place.start < run.start + run.extents)
        .map(({ of }) => of?.lvUuid),
    );
  const has = (place: Piece['from'], uuid: string): boolean => {
    const all = owners(place);
    return all.size === 1 && all.has(uuid);
  };
  if (has(to, lvUuid)) return 'there';
  if (has(from, lvUuid)) return 'here';
  const mirror = volumes.find((lv) => isMove(lv) && has(from, lv.uuid) && has(to, lv.uuid));
  return mirror === undefined ? 'lost' : 'moving';
}

/** Whether this is the temporary volume by which lvm moves extents. */
export function isMove({ role }: LogicalVolume): boolean {
  return role.includes('pvmove');
}
