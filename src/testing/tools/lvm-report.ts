import type { Answer } from '../../command/index.ts';
import { dmName, freeExtents, openers } from '../devices.ts';
import { one, readOptions, unmodelled } from '../options.ts';
import type { LogicalVolume, PhysicalVolume, VolumeGroup } from '../parts.ts';
import { bareWorld, type World } from '../world.ts';
import { type ToolCall, type ToolModel } from './answer.ts';

type Row = ReadonlyMap<string, string>;

/** lvs, vgs and pvs with `--reportformat json` (lvm2 2.03.16): every value a string, unset ones empty. */
export const lvmReports: Readonly<Record<string, ToolModel>> = {
  lvs: (call) =>
    report(call, 'lv', (world, vg) =>
      vgsOf(world, vg).flatMap((each) => byName(each.lvs).map((lv) => lvRow(world, each, lv))),
    ),
  vgs: (call) => report(call, 'vg', (world, vg) => vgsOf(world, vg).map(vgRow)),
  pvs: (call) => report(call, 'pv', (world) => world.lvm.flatMap((vg) => vg.pvs.map((pv) => pvRow(vg, pv)))),
};

function vgsOf(world: World, name: string | undefined): readonly VolumeGroup[] {
  return byName(world.lvm.filter((vg) => name === undefined || vg.name === name));
}

/** As lvm sorts them. */
function byName<T extends { readonly name: string }>(all: readonly T[]): readonly T[] {
  return all.toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

function report(
  call: ToolCall,
  item: 'lv' | 'vg' | 'pv',
  rowsOf: (world: World, vg: string | undefined) => readonly Row[],
): Answer {
  const options = readOptions(call, {
    flags: ['--nosuffix', '--all'],
    values: ['--reportformat', '--units', '--options', '--config', '--select'],
  });
  const [vg, ...more] = options.words;
  const columns = (one(options, '--options') ?? '').split(',');
  const inBytes = one(options, '--units') === 'b' && options.flags.has('--nosuffix');
  const isPlain =
    one(options, '--reportformat') === 'json' && !options.values.has('--select') && more.length === 0;
  if (!isPlain || (!inBytes && columns.some((column) => /size|free/.test(column))))
    throw unmodelled(call, 'it answers for JSON, sizes in bytes, of all or of one volume group');
  if (vg?.includes('/') === true) throw unmodelled(call, 'it answers for whole volume groups');
  const unknown = columns.find((column) => !known[item].has(column));
  if (unknown !== undefined) throw unmodelled(call, `the column ${unknown} is new to it`);
  const lines = rowsOf(call.world, vg).map((row) => `                  ${rowText(row, columns)}`);
  const stdout = [
    '  {',
    '      "report": [',
    '          {',
    `              "${item}": [`,
    ...(lines.length === 0 ? [] : [lines.join(',\n')]),
    '              ]',
    '          }',
    '      ]',
    '  }',
    '',
  ].join('\n');
  if (vg === undefined || call.world.lvm.some(({ name }) => name === vg))
    return { exitCode: 0, stdout, stderr: '' };
  const stderr = `  Volume group "${vg}" not found\n  Cannot process volume group ${vg}\n`;
  return { exitCode: 5, stdout, stderr };
}

function rowText(row: Row, columns: readonly string[]): string {
  const cells = columns.map((column) => `${JSON.stringify(column)}:${JSON.stringify(row.get(column))}`);
  return `{${cells.join(', ')}}`;
}

/** The columns of each report: those of a made-up row. */
const known: Readonly<Record<'lv' | 'vg' | 'pv', ReadonlySet<string>>> = (() => {
  const pv: PhysicalVolume = { uuid: '', path: '', deviceSize: 0, extents: 0, number: '' };
  const lv: LogicalVolume = { uuid: '', name: '', extents: 0, tags: [], autoactivation: true };
  const lists = { tags: [], pvs: [pv], lvs: [lv] };
  const vg: VolumeGroup = { uuid: '', name: '', extentSize: 1, seqno: 0, otherExtents: 0, ...lists };
  const columns = (row: Row): ReadonlySet<string> => new Set(row.keys());
  return { lv: columns(lvRow(bareWorld({}), vg, lv)), vg: columns(vgRow(vg)), pv: columns(pvRow(vg, pv)) };
})();

function lvRow(world: World, vg: VolumeGroup, lv: LogicalVolume): Row {
  const minor = world.active.get(lv.uuid);
  const isOpen = minor !== undefined && openers(world, `${world.dmMajor}:${minor}`).length > 0;
  const origin = vg.lvs.find(({ uuid }) => uuid === lv.origin);
  const isOrigin = vg.lvs.some((other) => other.origin === lv.uuid);
  const role =
    origin !== undefined
      ? 'public,snapshot,thicksnapshot'
      : isOrigin
        ? 'public,origin,thickorigin'
        : 'public';
  return new Map([
    ['lv_uuid', lv.uuid],
    ['vg_uuid', vg.uuid],
    ['vg_name', vg.name],
    ['lv_name', lv.name],
    ['lv_full_name', `${vg.name}/${lv.name}`],
    ['lv_path', `/dev/${vg.name}/${lv.name}`],
    ['lv_dm_path', `/dev/mapper/${dmName(vg.name, lv.name)}`],
    ['lv_size', String(lv.extents * vg.extentSize)],
    ['lv_tags', lv.tags.join(',')],
    ['lv_active', minor === undefined ? '' : 'active'],
    // Of what is not active lvm cannot tell (seen on 2.03.16).
    ['lv_device_open', minor === undefined ? 'unknown' : isOpen ? 'open' : ''],
    ['lv_autoactivation', lv.autoactivation ? 'enabled' : ''],
    ['lv_layout', lv.layout ?? 'linear'],
    ['lv_role', lv.role ?? role],
    ['origin', origin?.name ?? ''],
    ['origin_uuid', origin?.uuid ?? ''],
    ['pool_lv', ''],
    ['pool_lv_uuid', ''],
  ]);
}

function vgRow(vg: VolumeGroup): Row {
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

function pvRow(vg: VolumeGroup, pv: PhysicalVolume): Row {
  // The model fills the first PV first; with one PV, the usual case, that is exact.
  const before = vg.pvs.slice(0, vg.pvs.indexOf(pv)).reduce((sum, { extents }) => sum + extents, 0);
  const all = vg.pvs.reduce((sum, { extents }) => sum + extents, 0);
  const used = Math.min(pv.extents, Math.max(0, all - freeExtents(vg) - before));
  return new Map([
    ['pv_uuid', pv.uuid],
    ['pv_name', pv.path],
    ['vg_uuid', vg.uuid],
    ['vg_name', vg.name],
    ['dev_size', String(pv.deviceSize)],
    ['pv_size', String(pv.extents * vg.extentSize)],
    ['pv_free', String((pv.extents - used) * vg.extentSize)],
    ['pv_allocatable', 'allocatable'],
    ['pv_missing', ''],
    ['pv_tags', ''],
  ]);
}
