import { dmName, freeExtents, openers, pvStart } from '../../world/devices.ts';
import type { ExtentRun, LogicalVolume, PhysicalVolume, VolumeGroup } from '../../world/parts.ts';
import { bareWorld, type World } from '../../world/world.ts';
import { isPool } from './thin.ts';
import { freeRuns, usedOn, usedRuns } from './volumes.ts';

/** A row of a report of lvm: text by column; missing values are empty. */
export type Row = ReadonlyMap<string, string>;

/** Formats a row as lvm does in JSON. */
export function rowText(row: Row, columns: readonly string[]): string {
  const cells = columns.map((column) => `"${column}":${JSON.stringify(row.get(column))}`);
  return `{${cells.join(', ')}}`;
}

/** The columns of each report, from a sample row. */
export const known: Readonly<Record<'lv' | 'vg' | 'pv', ReadonlySet<string>>> = (() => {
  const pv: PhysicalVolume = { uuid: '', path: '', deviceSize: 0, extents: 0, number: '' };
  const lv: LogicalVolume = { uuid: '', name: '', extents: 0, tags: [], autoactivation: true };
  const lists = { tags: [], pvs: [pv], lvs: [lv] };
  const vg: VolumeGroup = { uuid: '', name: '', extentSize: 1, seqno: 0, otherExtents: 0, ...lists };
  const columns = (row?: Row): ReadonlySet<string> => new Set(row?.keys());
  return { lv: columns(lvRows(bareWorld({}), vg)[0]), vg: columns(vgRow(vg)), pv: columns(pvRow(vg, pv)) };
})();

/** Returns the rows of lvs for a group, also for its hidden volumes, sorted by name. */
export function lvRows(world: World, vg: VolumeGroup): readonly Row[] {
  // One pass for all rows: a search in each row would take the square of the volumes.
  const of: Relations = {
    byUuid: new Map(vg.lvs.map((lv) => [lv.uuid, lv])),
    origins: new Set(vg.lvs.flatMap(({ origin }) => origin ?? [])),
    merging: new Set(vg.lvs.flatMap(({ origin, merging }) => (merging === true ? (origin ?? []) : []))),
  };
  return byName([...vg.lvs, ...(vg.hidden ?? [])]).map((lv) => lvRow(world, vg, lv, of));
}

/** Sorts by name, as lvm does. */
export function byName<T extends { readonly name: string }>(all: readonly T[]): readonly T[] {
  return all.toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** The relations between the volumes of a group. */
interface Relations {
  readonly byUuid: ReadonlyMap<string, LogicalVolume>;
  /** The UUIDs of volumes with a snapshot. */
  readonly origins: ReadonlySet<string>;
  /** Those of volumes that a snapshot is merged into. */
  readonly merging: ReadonlySet<string>;
}

function lvRow(
  world: World,
  vg: VolumeGroup,
  lv: LogicalVolume,
  { byUuid, origins, merging }: Relations,
): Row {
  const minor = world.active.get(lv.uuid);
  const isOpen = minor !== undefined && openers(world, `${world.dmMajor}:${minor}`).length > 0;
  const origin = lv.origin === undefined ? undefined : byUuid.get(lv.origin);
  const isOrigin = origins.has(lv.uuid);
  const thickness = lv.pool === undefined ? 'thick' : 'thin';
  const role =
    origin !== undefined
      ? `public,snapshot,${thickness}snapshot`
      : isOrigin
        ? `public,origin,${thickness}origin`
        : 'public';
  const pool = lv.pool === undefined ? undefined : byUuid.get(lv.pool);
  const isHidden = lv.role?.startsWith('private,') === true;
  const shownName = isHidden ? `[${lv.name}]` : lv.name;
  const percent = (number: number | undefined): string =>
    minor === undefined || number === undefined ? '' : number.toFixed(2);
  return new Map([
    ['lv_uuid', lv.uuid],
    ['vg_uuid', vg.uuid],
    ['vg_name', vg.name],
    ['lv_name', shownName],
    ['lv_full_name', `${vg.name}/${shownName}`],
    // A thin pool has no link of its own (lib/metadata/lv.c lv_path_dup).
    ['lv_path', isPool(lv) || isHidden ? '' : `/dev/${vg.name}/${lv.name}`],
    ['lv_dm_path', `/dev/mapper/${dmName(vg.name, lv.name)}`],
    ['lv_size', String(lv.extents * vg.extentSize)],
    ['lv_tags', lv.tags.join(',')],
    ['lv_active', minor === undefined ? '' : 'active'],
    // For an inactive volume lvm reports unknown (seen on 2.03.16).
    ['lv_device_open', minor === undefined ? 'unknown' : isOpen ? 'open' : ''],
    ['lv_autoactivation', lv.autoactivation ? 'enabled' : ''],
    ['lv_layout', lv.layout ?? (lv.pool === undefined ? 'linear' : 'thin,sparse')],
    ['lv_role', lv.role ?? role],
    ['origin', origin?.name ?? ''],
    ['origin_uuid', origin?.uuid ?? ''],
    ['pool_lv', pool?.name ?? ''],
    ['pool_lv_uuid', pool?.uuid ?? ''],
    ['data_percent', percent(lv.data ?? (origin === undefined && lv.pool === undefined ? undefined : 0))],
    ['metadata_percent', percent(lv.metadata)],
    ['copy_percent', percent(lv.synced)],
    ['lv_image_synced', lv.role === 'private,raid,image' && lv.outOfSync !== true ? 'image synced' : ''],
    ['lv_health_status', lv.health ?? ''],
    ['lv_merging', lv.merging === true || merging.has(lv.uuid) ? 'merging' : ''],
    ['lv_skip_activation', lv.skipped === true ? 'skip activation' : ''],
    ['lv_metadata_size', isPool(lv) ? String((lv.moreExtents ?? 0) * vg.extentSize) : ''],
  ]);
}

/** Returns a row of vgs. */
export function vgRow(vg: VolumeGroup): Row {
  const extents = vg.pvs.reduce((sum, pv) => sum + pv.extents, 0);
  const free = freeExtents(vg);
  return new Map([
    ['vg_uuid', vg.uuid],
    ['vg_name', vg.name],
    ['vg_size', String(extents * vg.extentSize)],
    ['vg_free', String(free * vg.extentSize)],
    ['vg_extent_size', String(vg.extentSize)],
    ['vg_extent_count', String(extents)],
    ['vg_free_count', String(free)],
    ['vg_permissions', 'writeable'],
    ['vg_exported', ''],
    ['vg_partial', ''],
    ['vg_seqno', String(vg.seqno)],
    ['vg_tags', vg.tags.join(',')],
  ]);
}

/** Returns a row of pvs. */
export function pvRow(vg: VolumeGroup, pv: PhysicalVolume): Row {
  const used = usedOn(vg, pv);
  return new Map([
    ['pv_uuid', pv.uuid],
    ['pv_name', pv.path],
    ['vg_uuid', vg.isTorn === true ? '' : vg.uuid],
    ['vg_name', vg.isTorn === true ? '[unknown]' : vg.name],
    ['dev_size', String(pv.deviceSize)],
    ['pv_size', String(pv.extents * vg.extentSize)],
    ['pv_free', String((pv.extents - used) * vg.extentSize)],
    ['pv_allocatable', pv.allocatable === 'no' ? '' : 'allocatable'],
    ['pv_missing', ''],
    ['pv_tags', (pv.tags ?? []).join(',')],
    ['pe_start', String(pv.start ?? pvStart)],
  ]);
}

/** Returns a row of pvs for a physical volume in no group. */
export function freePvRow(pv: PhysicalVolume): Row {
  return new Map([
    ['pv_uuid', pv.uuid],
    ['pv_name', pv.path],
    ['vg_uuid', ''],
    ['vg_name', ''],
    ['dev_size', String(pv.deviceSize)],
    ['pv_size', String(pv.deviceSize)],
    ['pv_free', String(pv.deviceSize)],
    ['pv_allocatable', ''],
    ['pv_missing', ''],
    ['pv_tags', ''],
    ['pe_start', String(pvStart)],
  ]);
}

/** Returns the rows of pvseg: which volume uses which run of extents. */
export function pvsegRows(vg: VolumeGroup): readonly Row[] {
  return vg.pvs.flatMap(({ uuid: pv }) => {
    const used = usedRuns(vg, pv).map((run) => pvsegRow(vg, run));
    const free = freeRuns(vg)
      .filter((run) => run.pv === pv)
      .map((run) => pvsegRow(vg, run));
    const start = (row: Row): number => Number(row.get('pvseg_start'));
    return [...used, ...free].toSorted((a, b) => start(a) - start(b));
  });
}

/**
 * Returns a row for a run of extents of a physical volume; a physical volume in no group has one
 * unused run.
 */
export function pvsegRow(
  vg: Pick<VolumeGroup, 'uuid'>,
  run: ExtentRun & { readonly lv?: string; readonly lvStart?: number },
): Row {
  return new Map([
    ['pv_uuid', run.pv],
    ['vg_uuid', vg.uuid],
    ['pvseg_start', String(run.start)],
    ['pvseg_size', String(run.count)],
    ['lv_uuid', run.lv ?? ''],
    ['seg_start_pe', String(run.lvStart ?? 0)],
  ]);
}

/** Returns the rows of seg: one for each volume. */
export function segRows(vg: VolumeGroup): readonly Row[] {
  return vg.lvs.map(
    ({ uuid, layout, areas = 1 }) =>
      new Map([
        ['lv_uuid', uuid],
        ['segtype', layout === 'raid,raid1' ? 'raid1' : (layout?.split(',')[0] ?? 'linear')],
        ['stripes', String(areas)],
      ]),
  );
}
