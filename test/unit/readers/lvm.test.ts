import { lvs, pvs, vgs } from '../../../src/lvm/report-commands.ts';
import { readerTable, type Row } from './table.ts';

const id = (of: string): string => `${of.padEnd(6, '0')}-0000-0000-0000-0000-0000-000000`;
const bases = {
  lv: {
    ...{ lv_uuid: id('lv'), vg_uuid: id('vg'), vg_name: 'vg0', lv_name: 'web1', lv_full_name: 'vg0/web1' },
    ...{ lv_path: '/dev/vg0/web1', lv_dm_path: '/dev/mapper/vg0-web1', lv_size: '8388608', lv_tags: '' },
    ...{ lv_active: 'active', lv_device_open: '', lv_autoactivation: 'enabled', lv_layout: 'linear' },
    ...{ lv_role: 'public', origin: '', origin_uuid: '', pool_lv: '', pool_lv_uuid: '', data_percent: '' },
    ...{
      metadata_percent: '',
      copy_percent: '',
      lv_health_status: '',
      lv_merging: '',
      lv_skip_activation: '',
    },
    lv_metadata_size: '',
  },
  vg: {
    ...{
      vg_uuid: id('vg'),
      vg_name: 'vg0',
      vg_size: '1069547520',
      vg_free: '947912704',
      vg_extent_size: '4194304',
    },
    ...{ vg_extent_count: '255', vg_free_count: '226', vg_permissions: 'writeable', vg_exported: '' },
    ...{ vg_partial: '', vg_seqno: '12', vg_tags: '' },
  },
  pv: {
    ...{ pv_uuid: id('pv'), pv_name: '/dev/vdb', vg_uuid: id('vg'), vg_name: 'vg0', dev_size: '1073741824' },
    ...{
      pv_size: '1069547520',
      pv_free: '947912704',
      pv_allocatable: 'allocatable',
      pv_missing: '',
      pv_tags: '',
    },
  },
} as const;
type Item = keyof typeof bases;
const commands = { lv: lvs(), vg: vgs(), pv: pvs() } as const;

interface Input {
  readonly item: Item;
  readonly stdout: string;
}
const read = ({ item, stdout }: Input): readonly object[] =>
  commands[item].parse({ exitCode: 0, stdout, stderr: '' });
const text = (item: Item, rows: readonly object[]): string => JSON.stringify({ report: [{ [item]: rows }] });
const one = (item: Item, changes: Readonly<Record<string, unknown>>, expected: unknown): Row<Input> => [
  `${item} ${JSON.stringify(changes)}`,
  { item, stdout: text(item, [{ ...bases[item], ...changes }]) },
  expected instanceof RegExp ? expected : [expected],
];
const raw = (what: string, item: Item, stdout: string, expected: unknown): Row<Input> => [
  what,
  { item, stdout },
  expected,
];

readerTable('LVM', read, [
  one(
    'lv',
    {},
    { name: 'web1', size: 8_388_608, active: true, open: false, layout: ['linear'], autoactivation: true },
  ),
  one(
    'lv',
    { lv_name: '[lvol0_pmspare]', lv_full_name: 'vg0/[lvol0_pmspare]', lv_path: '' },
    { name: 'lvol0_pmspare', fullName: 'vg0/lvol0_pmspare', path: undefined },
  ),
  one('lv', { lv_name: 'a-b_c.d+e', lv_full_name: 'vg0/a-b_c.d+e' }, { name: 'a-b_c.d+e' }),
  one('lv', { lv_active: '' }, { active: false }),
  one('lv', { lv_active: 'unknown', lv_device_open: 'unknown' }, { active: 'unknown', open: 'unknown' }),
  one('lv', { lv_device_open: 'open' }, { open: true }),
  one('lv', { lv_autoactivation: '' }, { autoactivation: false }),
  one('lv', { lv_tags: 'a,b,bofh.x=1' }, { tags: ['a', 'b', 'bofh.x=1'] }),
  one(
    'lv',
    {
      lv_layout: 'thin,sparse',
      lv_role: 'public,origin,thinorigin',
      pool_lv: 'pool',
      pool_lv_uuid: id('pool'),
      data_percent: '12.34',
    },
    { layout: ['thin', 'sparse'], pool: { name: 'pool' }, data: 12.34 },
  ),
  one(
    'lv',
    {
      lv_layout: 'thin,pool',
      lv_role: 'private',
      data_percent: '0.00',
      metadata_percent: '10.84',
      lv_metadata_size: '4194304',
    },
    { data: 0, metadata: 10.84, metadataSize: 4_194_304 },
  ),
  one(
    'lv',
    { lv_layout: 'thin,pool', data_percent: '100.00', lv_health_status: 'out_of_data' },
    { data: 100, health: 'out_of_data' },
  ),
  one('lv', { lv_layout: 'raid,raid1', copy_percent: '43.75' }, { layout: ['raid', 'raid1'], synced: 43.75 }),
  one('lv', { lv_layout: 'raid,raid5,raid5_ls', lv_health_status: 'partial' }, { health: 'partial' }),
  one('lv', { lv_layout: 'raid,raid1', lv_health_status: 'refresh needed' }, { health: 'refresh needed' }),
  one(
    'lv',
    { lv_layout: 'raid,raid1', lv_health_status: 'mismatches exist' },
    { health: 'mismatches exist' },
  ),
  one(
    'lv',
    {
      lv_layout: 'cache',
      origin: '[web1_corig]',
      origin_uuid: id('co'),
      pool_lv: '[fast_cpool]',
      pool_lv_uuid: id('cp'),
    },
    { origin: { name: 'web1_corig' }, pool: { name: 'fast_cpool' } },
  ),
  one(
    'lv',
    { lv_layout: 'writecache', pool_lv: '[fast_cvol]', pool_lv_uuid: id('wc') },
    { pool: { name: 'fast_cvol' } },
  ),
  one('lv', { lv_layout: 'vdo,pool', data_percent: '50.03' }, { layout: ['vdo', 'pool'] }),
  one(
    'lv',
    {
      lv_layout: 'linear,snapshot',
      lv_role: 'public,snapshot,thicksnapshot',
      origin: 'root',
      origin_uuid: id('o'),
      data_percent: '3.91',
    },
    { origin: { name: 'root' }, data: 3.91 },
  ),
  one(
    'lv',
    { lv_merging: 'merging', lv_role: 'private,origin,thickorigin,multithickorigin' },
    { merging: true },
  ),
  one('lv', { lv_skip_activation: 'skip activation' }, { skipped: true }),
  one(
    'lv',
    { lv_role: 'private,pvmove', lv_name: '[pvmove0]', lv_full_name: 'vg0/[pvmove0]', copy_percent: '0.00' },
    { name: 'pvmove0', synced: 0 },
  ),
  one('lv', { lv_size: '1125899906842624' }, { size: 2 ** 50 }),
  one('lv', { lv_size: '8.00m' }, /lv_size/),
  one('lv', { lv_size: '8388608B' }, /lv_size/),
  one('lv', { lv_size: '' }, /lv_size/),
  one('lv', { lv_size: 8_388_608 }, /lv_size/),
  one('lv', { lv_size: '99999999999999999999' }, /lv_size/),
  one('lv', { lv_uuid: 'x' }, /lv_uuid/),
  one('lv', { lv_active: 'yes' }, /lv_active/),
  one('lv', { lv_autoactivation: 'auto' }, /lv_autoactivation/),
  one('lv', { data_percent: '12,34' }, /data_percent/),
  one('lv', { data_percent: '-1.00' }, /data_percent/),
  one('lv', { lv_name: 'a b' }, /lv_name/),
  one('lv', { lv_merging: undefined }, /lv_merging/),
  one('lv', { lv_health_status: 'Odd!' }, /lv_health_status/),
  one(
    'vg',
    {},
    { name: 'vg0', extents: 255, freeExtents: 226, writable: true, exported: false, partial: false },
  ),
  one('vg', { vg_permissions: 'read-only' }, { writable: false }),
  one('vg', { vg_exported: 'exported' }, { exported: true }),
  one('vg', { vg_partial: 'partial' }, { partial: true }),
  one('vg', { vg_tags: 'a,b' }, { tags: ['a', 'b'] }),
  one('vg', { vg_free_count: '0', vg_free: '0' }, { freeExtents: 0 }),
  one('vg', { vg_permissions: 'rw' }, /vg_permissions/),
  one('vg', { vg_extent_count: '' }, /vg_extent_count/),
  one('vg', { vg_seqno: '1.5' }, /vg_seqno/),
  one('pv', {}, { path: '/dev/vdb', vg: { name: 'vg0' }, allocatable: true }),
  one('pv', { vg_uuid: '', vg_name: '', pv_allocatable: '' }, { vg: undefined, allocatable: false }),
  one('pv', { pv_name: '[unknown]', pv_missing: 'missing', dev_size: '0' }, { path: undefined }),
  one('pv', { pv_name: '/dev/mapper/luks-1 2' }, { path: '/dev/mapper/luks-1 2' }),
  one('pv', { pv_missing: 'missing' }, { path: undefined }),
  one(
    'pv',
    { vg_uuid: '', vg_name: '[unknown]', pv_free: '0', pv_allocatable: '' },
    /cannot read the volume group of \/dev\/vdb/,
  ),
  one('pv', { vg_name: '[other]' }, /vg_name/),
  one('pv', { pv_name: 'vdb' }, /pv_name/),
  one('pv', { pv_uuid: '' }, /pv_uuid/),
  one('pv', { pv_allocatable: 'a' }, /pv_allocatable/),
  raw('no volume', 'lv', text('lv', []), []),
  raw('two volumes', 'lv', text('lv', [bases.lv, { ...bases.lv, lv_name: 'b' }]), [
    { name: 'web1' },
    { name: 'b' },
  ]),
  raw('a column that was not asked for', 'vg', text('vg', [{ ...bases.vg, vg_new: '1' }]), [{ name: 'vg0' }]),
  raw('the log of 2.03.24 beside it', 'vg', JSON.stringify({ report: [{ vg: [bases.vg] }], log: [] }), [
    { name: 'vg0' },
  ]),
  raw('nothing', 'lv', '', /JSON/),
  raw('a table for people', 'lv', '  LV   VG   Attr\n  web1 vg0  -wi-a-----\n', /JSON/),
  raw('a report that is cut off', 'lv', text('lv', [bases.lv]).slice(0, -20), /JSON/),
  raw('a report of something else', 'lv', text('vg', [bases.vg]), /lv_uuid/),
  raw(
    'two reports',
    'vg',
    JSON.stringify({ report: [{ vg: [bases.vg] }, { vg: [bases.vg] }] }),
    /no report of "vg", or more than one/,
  ),
  raw('no report', 'pv', '{"report":[]}', /no report of "pv", or more than one/),
  raw('a warning before it', 'pv', `  WARNING: device is missing\n${text('pv', [bases.pv])}`, /JSON/),
]);
