import type { Answer } from '../../../command/index.ts';
import { freePvs, withDeviceList } from '../../world/devices.ts';
import { one, readOptions, unmodelled } from '../../options.ts';
import type { PhysicalVolume, VolumeGroup } from '../../world/parts.ts';
import type { World } from '../../world/world.ts';
import { ok, type ToolCall, type ToolModel, failed } from '../answer.ts';
import { lvpoll } from './snapshot.ts';
import {
  byName,
  freePvRow,
  known,
  lvRows,
  pvRow,
  pvsegRow,
  pvsegRows,
  type Row,
  rowText,
  segRows,
  vgRow,
} from './rows.ts';
import { deviceAt } from '../blockdevice/device-at.ts';

/**
 * lvs, vgs, pvs and fullreport with `--reportformat json` (lvm2 2.03.16): every value is a string,
 * missing ones are empty.
 */
export const lvmReports: Readonly<Record<string, ToolModel>> = {
  lvs: (call) => report(call, 'lv', (world, vg) => vgsOf(world, vg).flatMap((each) => lvRows(world, each))),
  vgs: (call) => report(call, 'vg', (world, vg) => vgsOf(world, vg).map(vgRow)),
  lvm: (call) => {
    if (call.argv.join() === 'version') return version();
    if (call.argv.join(' ') === autoextend) return ok('thin_pool_autoextend_threshold=100\n');
    return call.argv[0] === 'lvpoll' ? lvpoll(call) : fullreport(call);
  },
  pvck,
  pvs: (call) => (call.argv.includes('--segments') ? segments(call) : report(call, 'pv', allPvRows)),
};

/** 100 is lvm's own default (lib/config/config_settings.h). */
const autoextend = 'config --typeconfig full activation/thin_pool_autoextend_threshold';

/** Returns all rows of pvs, sorted by device as lvm does. */
function allPvRows(world: World): readonly Row[] {
  const members = world.lvm.flatMap((vg) => vg.pvs.map((pv) => pvRow(vg, pv)));
  const device = (row: Row): string => row.get('pv_name') ?? '';
  return [...members, ...freePvs(world).map(freePvRow)].toSorted((a, b) => (device(a) < device(b) ? -1 : 1));
}

/** `pvs --segments`: every run of extents, sorted by device. */
function segments(call: ToolCall): Answer {
  const argv = call.argv.filter((word) => word !== '--segments');
  const columns = (one(readOptions({ tool: call.tool, argv }, readBy), '--options') ?? '').split(',');
  const rows = [...groupsOf(call.world).flatMap(pvsegRows), ...freePvs(call.world).map(freeSegment)];
  if (columns.some((column) => rows[0]?.has(column) === false))
    throw unmodelled(call, 'it shows only the columns that bofh reads');
  return ok(whole(call, [[part('pvseg', rows, columns)]]));
}

/** Returns the row of a physical volume in no group: one run that no volume uses. */
function freeSegment({ uuid: pv }: PhysicalVolume): Row {
  return pvsegRow({ uuid: '' }, { pv, start: 0, count: 0 });
}

/** `lvm version`, as in test/fixtures/lvm/lvm-version@2.03.16.json. */
function version(): Answer {
  return ok(
    '  LVM version:     2.03.16(2) (2022-05-18)\n  Library version: 1.02.185 (2022-05-18)\n  Driver version:  4.47.0\n',
  );
}

function vgsOf(world: World, name: string | undefined): readonly VolumeGroup[] {
  return byName(groupsOf(world).filter((vg) => name === undefined || vg.name === name));
}

/** Returns the groups that lvm can read. */
function groupsOf(world: World): readonly VolumeGroup[] {
  return world.lvm.filter(({ isTorn }) => isTorn !== true);
}

const readBy = {
  flags: ['--nosuffix', '--all'],
  values: ['--reportformat', '--units', '--options', '--config', '--configreport', '--select'],
};

function report(
  call: ToolCall,
  item: 'lv' | 'vg' | 'pv',
  rowsOf: (world: World, vg: string | undefined) => readonly Row[],
): Answer {
  const options = readOptions(call, readBy);
  const [vg, ...more] = options.words;
  const columns = (one(options, '--options') ?? '').split(',');
  const inBytes = one(options, '--units') === 'b' && options.flags.has('--nosuffix');
  const isPlain =
    one(options, '--reportformat') === 'json' && !options.values.has('--select') && more.length === 0;
  if (!isPlain || (!inBytes && columns.some((column) => /size|free/.test(column))))
    throw unmodelled(call, 'it answers for JSON, sizes in bytes, of all or of one volume group');
  if (vg?.includes('/') === true) throw unmodelled(call, 'it answers for whole volume groups');
  const unknown = columns.find((column) => !known[item].has(column));
  if (unknown !== undefined) throw unmodelled(call, `the model does not know the column ${unknown}`);
  const rows = withDeviceList(call.world, () => rowsOf(call.world, vg));
  const stdout = whole(call, [[part(item, rows, columns)]]);
  if (vg === undefined || groupsOf(call.world).some(({ name }) => name === vg))
    return { exitCode: 0, stdout, stderr: '' };
  const stderr = `  Volume group "${vg}" not found\n  Cannot process volume group ${vg}\n`;
  return { exitCode: 5, stdout, stderr };
}

/**
 * Prints one report for each volume group, in the order in which lvm finds them, and one for the
 * physical volumes in no group.
 */
function fullreport(call: ToolCall): Answer {
  const [command, ...argv] = call.argv;
  const options = readOptions({ tool: call.tool, argv }, readBy);
  const names = options.values.get('--configreport') ?? [];
  const columns = new Map(names.map((name, at) => [name, options.values.get('--options')?.[at]?.split(',')]));
  const asked =
    command === 'fullreport' &&
    names.join() === 'vg,lv,pv,pvseg,seg' &&
    one(options, '--reportformat') === 'json' &&
    one(options, '--units') === 'b' &&
    options.flags.size === 2 &&
    !options.values.has('--select') &&
    options.words.length === 0;
  const isKnown = (item: 'lv' | 'pv' | 'vg'): boolean =>
    columns.get(item)?.every((column) => known[item].has(column)) === true;
  if (!asked || !isKnown('vg') || !isKnown('lv') || !isKnown('pv'))
    throw unmodelled(
      call,
      'it answers for JSON, sizes in bytes, of all volume groups, in columns that it knows',
    );
  const { world } = call;
  const { groups, free } = withDeviceList(world, () => ({
    groups: groupsOf(world).map((vg) => rowsOfGroup(world, vg)),
    free: freePvs(world),
  }));
  const torn = world.lvm.filter(({ isTorn }) => isTorn === true);
  const alone = {
    pv: [...free.map(freePvRow), ...torn.flatMap((vg) => vg.pvs.map((pv) => pvRow(vg, pv)))],
    pvseg: [...free, ...torn.flatMap(({ pvs }) => pvs)].map(freeSegment),
  };
  const reports = alone.pv.length === 0 ? groups : [...groups, alone];
  const parts = (rows: Readonly<Record<string, readonly Row[]>>): readonly string[] =>
    Object.entries(rows).map(([item, of]) => part(item, of, columns.get(item) ?? []));
  return ok(whole(call, reports.map(parts)));
}

function rowsOfGroup(world: World, vg: VolumeGroup): Readonly<Record<string, readonly Row[]>> {
  const lvs = lvRows(world, vg);
  const pvs = vg.pvs.map((pv) => pvRow(vg, pv));
  return { vg: [vgRow(vg)], pv: pvs, lv: lvs, pvseg: pvsegRows(vg), seg: segRows(vg) };
}

/** Prints one list of rows, under its name. */
function part(item: string, rows: readonly Row[], columns: readonly string[]): string {
  const lines = rows.map((row) => `                  ${rowText(row, columns)}`);
  return [
    `              "${item}": [`,
    ...(lines.length === 0 ? [] : [lines.join(',\n')]),
    '              ]',
  ].join('\n');
}

/**
 * Prints all reports. lvm reads unreadable metadata again, and reports that within its answer
 * (test/loop/lvm-reads.test.ts).
 */
function whole({ world }: ToolCall, reports: readonly (readonly string[])[]): string {
  const each = reports.map((parts) => `          {\n${parts.join('\n              ,\n')}\n          }`);
  return [
    '  {',
    '      "report": [',
    ...(groupsOf(world).length < world.lvm.length ? ['  Retrying metadata scan.'] : []),
    ...(each.length === 0 ? [] : [each.join('\n          ,\n')]),
    '      ]',
    '  }',
    '',
  ].join('\n');
}

/** `pvck --dump headers` and `metadata_search` (lvm2 2.03.16). Each change of a group is written 512 bytes after the one before. */
function pvck(call: ToolCall): ReturnType<ToolModel> {
  const [dump, what, path = '', ...more] = call.argv;
  const device = deviceAt(call.world, path);
  const vg = call.world.lvm.find(({ pvs }) => pvs.some(({ number }) => number === device?.number));
  if (dump !== '--dump' || more.length > 0 || vg === undefined)
    throw unmodelled(call, 'it dumps what a device of a volume group has');
  const at = (seqno: number): number => 4096 + 512 * seqno;
  if (what === 'headers') {
    const text = `  metadata text at ${at(vg.seqno)} crc 0x0 # vgname ${vg.isTorn === true ? '? seqno 0' : `${vg.name} seqno ${vg.seqno}`}\n`;
    return vg.isTorn === true ? failed(5, '  Found bad header or metadata values.', text) : ok(text);
  }
  if (what !== 'metadata_search') throw unmodelled(call, 'it dumps headers, and searches for metadata');
  const copies = Array.from({ length: vg.seqno }, (_, n) => n + 1).map(
    (seqno) => `  metadata at ${at(seqno)} length 700 crc 0 vg ${vg.name} seqno ${seqno} id ${vg.uuid}\n`,
  );
  return ok(`  Searching for metadata at offset 4096 size 1044480\n${copies.join('')}`);
}
