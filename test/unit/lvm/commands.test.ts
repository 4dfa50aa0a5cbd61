import { describe, expect, test } from 'vitest';
import type { ReadCommand } from '../../../src/command/index.ts';
import * as commands from '../../../src/lvm/commands.ts';
import * as reports from '../../../src/lvm/report-commands.ts';
import * as volumes from '../../../src/lvm/lv-commands.ts';
import * as snapshots from '../../../src/lvm/snapshot-commands.ts';
import { lvRow, pvRow, vgRow } from '../../../src/lvm/schema.ts';
import { versionsOf } from '../../support/record/recordings.ts';
import { everyVersion, recorded } from '../blockdevice/fixtures.ts';

const udev = { udev: 'running' } as const;
const uuid = '2TjDxf-IzZl-zGPj-stwa-sAQM-1KOf-0SQYVU';
const web1 = { vg: 'vg0', name: 'web1', uuid, ...udev };

describe('argv', () => {
  test.each([
    ['lvs-many', reports.lvs()],
    ['lvs-missing-vg', reports.lvs({ vg: 'nope' })],
    ['vgs-two', reports.vgs()],
    ['vgs-missing-vg', reports.vgs({ vg: 'nope' })],
    ['pvs-three', reports.pvs()],
    ['fullreport-many', reports.fullreport()],
    ['lvchange-mounted', volumes.deactivate(web1)],
    ['lvrename-exists', volumes.lvrename({ ...web1, to: 'idle' })],
    ['pvs-segments', reports.pvSegments()],
    ['lvm-version', commands.lvmVersion()],
    ['lvextend', volumes.lvextend({ vg: 'vg0', name: 'web1', extents: 8, ...udev })],
    [
      'lvextend-onto',
      volumes.lvextend({
        ...{ vg: 'vg0', name: 'web1', extents: 6, ...udev },
        onto: { path: '/dev/loop8', start: 100, count: 2 },
      }),
    ],
    ['lvreduce', volumes.lvreduce({ vg: 'vg0', name: 'web1', extents: 4, fs: 'unknown to it', ...udev })],
    [
      'lvcreate-snapshot-missing-origin',
      snapshots.lvsnapshot({
        ...{ vg: 'vg0', origin: 'nope', name: 'monday', extents: 2, tags: ['bofh.0a1b2c3d4e5f.1'], ...udev },
      }),
    ],
    ['lvremove-guarded-origin', volumes.lvremove({ ...web1, tag: 'bofh.0a1b2c3d4e5f.1' })],
  ])('is the one recorded as %s', (name, command) => {
    const { argv } = recorded(`lvm/${name}@2.03.16`);
    expect([command.tool, ...command.argv]).toEqual(argv);
  });

  test('creates a volume with its tag in one commit, over any old content', () => {
    const command = volumes.lvcreate({
      vg: 'vg0',
      name: 'web1',
      extents: 10,
      tags: ['bofh.0a.1', 'x'],
      ...udev,
    });
    expect(command.argv).toEqual([
      ...['--name', 'web1', '--extents', '10', '--addtag', 'bofh.0a.1', '--addtag', 'x'],
      ...['--zero', 'y', '--wipesignatures', 'y', '--yes', 'vg0'],
    ]);
  });

  test('disables the filesystem checks of lvm, and discards nothing, with or without udevd', () => {
    const reduce = { vg: 'vg0', name: 'web1', extents: 4, fs: 'ignore', udev: 'absent' } as const;
    expect(volumes.lvreduce(reduce)).toMatchObject({
      access: 'destroy',
      argv: [
        ...['--config', 'activation{udev_sync=0 udev_rules=0} devices{issue_discards=0}'],
        ...['--extents', '4', '--fs', 'ignore', '--yes', 'vg0/web1'],
      ],
    });
  });

  test('changes only the tags of the volume with that UUID', () => {
    expect(volumes.changeTags({ ...web1, add: ['a', 'b'], remove: ['c'] }).argv).toEqual([
      ...['--addtag', 'a', '--addtag', 'b', '--deltag', 'c', '--select', `lv_uuid=${uuid}`, 'vg0/web1'],
    ]);
  });

  test('never answers a question of lvremove', () => {
    expect(volumes.lvremove(web1).argv).not.toEqual(expect.arrayContaining(['--yes']));
    expect(volumes.lvremove(web1)).toMatchObject({ access: 'destroy' });
  });

  test('removes a snapshot by its UUID and tag, and only a snapshot', () => {
    expect(snapshots.removeSnapshot({ ...web1, tag: 'bofh.0a.1' })).toMatchObject({
      access: 'destroy',
      argv: [
        ...['--yes', '--select', `lv_uuid=${uuid} && lv_tags={bofh.0a.1} && lv_role={thicksnapshot}`],
        'vg0/web1',
      ],
    });
  });

  test('does not wait for a missing udevd', () => {
    const without = volumes.lvrename({ ...web1, to: 'x', udev: 'absent' });
    expect(without.argv.slice(0, 2)).toEqual(['--config', 'activation{udev_sync=0 udev_rules=0}']);
    expect(volumes.activate(web1).argv).toEqual([
      '--activate',
      'y',
      '--select',
      `lv_uuid=${uuid}`,
      'vg0/web1',
    ]);
    expect(volumes.setAutoactivation({ ...web1, value: 'n' }).argv.slice(0, 2)).toEqual([
      '--setautoactivation',
      'n',
    ]);
  });
});

describe('lvs', () => {
  const all = reports.lvs().parse(recorded('lvm/lvs-many@2.03.16'));
  const named = (fullName: string) => all.find((lv) => lv.fullName === fullName);

  test('shows volumes of one name in two groups separately', () => {
    expect(all.filter(({ name }) => name === 'web1').map(({ vg }) => vg)).toEqual(['vg-one', 'vg0']);
    expect(new Set(all.map((lv) => lv.uuid)).size).toBe(all.length);
  });

  test('reads a mounted volume', () => {
    expect(named('vg0/web1')).toMatchObject({
      uuid,
      path: '/dev/vg0/web1',
      dmPath: '/dev/mapper/vg0-web1',
      size: 40 * 1024 ** 2,
      tags: ['bofh.0a1b2c3d4e5f.1', 'role=web'],
      active: true,
      open: true,
      autoactivation: true,
      role: ['public', 'origin', 'thickorigin'],
      origin: undefined,
      pool: undefined,
    });
  });

  test('reads inactive, snapshot, thin and hidden ones', () => {
    expect(named('vg0/idle')).toMatchObject({
      active: false,
      open: 'unknown',
      autoactivation: false,
      tags: [],
    });
    expect(named('vg0/snap1')?.origin).toEqual({ name: 'web1', uuid });
    expect(named('vg0/thin1')?.pool).toEqual({ name: 'pool', uuid: named('vg0/pool')?.uuid });
    expect(named('vg0/pool_tdata')).toMatchObject({ name: 'pool_tdata', path: undefined });
  });
});

describe('the usage of a volume', () => {
  const answer = recorded('lvm/lvs-many@2.03.16');
  const whole = JSON.parse(answer.stdout) as { report: [{ lv: Record<string, string>[] }] };
  const parse = (columns: Record<string, string>) => {
    const stdout = JSON.stringify({ report: [{ lv: [{ ...whole.report[0].lv[0], ...columns }] }] });
    return reports.lvs().parse({ ...answer, stdout })[0];
  };

  test('is read in percent, with its problems', () => {
    expect(
      parse({
        ...{ data_percent: '97.31', metadata_percent: '0.05', copy_percent: '100.00' },
        ...{ lv_health_status: 'refresh needed', lv_merging: 'merging' },
      }),
    ).toMatchObject({ data: 97.31, metadata: 0.05, synced: 100, health: 'refresh needed', merging: true });
  });

  test('is undefined where lvm prints nothing', () => {
    expect(parse({})).toMatchObject({
      data: undefined,
      metadata: undefined,
      synced: undefined,
      health: undefined,
    });
  });

  test.each(['97', '97.3', '97,31', '-1.00', '1e2', '1000.00', '97.31%'])(
    'cannot be "%s"',
    (data_percent) => {
      expect(() => parse({ data_percent })).toThrow();
    },
  );
});

describe('vgs and pvs', () => {
  test('read sizes, extents and states', () => {
    const [one, vg0] = reports.vgs().parse(recorded('lvm/vgs-exported@2.03.16'));
    expect(one).toMatchObject({ name: 'vg-one', exported: true, writable: true, partial: false });
    expect(vg0).toMatchObject({ name: 'vg0', exported: false, extentSize: 4194304, extents: 255 });
    expect((vg0?.freeExtents ?? 0) * 4194304).toBe(vg0?.free);
  });

  test('read a physical volume in a group, and one in none', () => {
    const rows = reports.pvs().parse(recorded('lvm/pvs-three@2.03.16'));
    expect(rows.map(({ path, vg }) => [path, vg?.name])).toEqual([
      ['/dev/vdb', 'vg0'],
      ['/dev/vdc', 'vg-one'],
      ['/dev/vdd', undefined],
    ]);
  });

  test('read a physical volume whose device is missing', () => {
    const { stdout } = recorded('lvm/pvs-three@2.03.16');
    const missing = stdout
      .replace('"/dev/vdb"', '"[unknown]"')
      .replace('"pv_missing":""', '"pv_missing":"missing"');
    expect(reports.pvs().parse({ exitCode: 0, stdout: missing, stderr: '' })[0]?.path).toBeUndefined();
  });
});

describe.each(versionsOf('lvm/pvs-segments'))('pvs --segments of %s', (version) => {
  const answer = recorded(`lvm/pvs-segments@${version}`);
  const parse = (stdout: string) => reports.pvSegments().parse({ ...answer, stdout });

  test('shows the volume of each range of extents and its part, and nothing for a device without a group', () => {
    const web = { lvUuid: 'telaMm-nCBb-T0tG-xwiL-brvh-kO69-jllE9l' };
    expect(parse(answer.stdout).map(({ start, extents, of }) => [start, extents, of])).toEqual([
      [0, 4, { ...web, lvStart: 0 }],
      [4, 4, { lvUuid: '07RsO8-r2dl-LQ2R-OtMZ-FQyF-8hga-hpPkUR', lvStart: 0 }],
      [8, 92, undefined],
      [100, 2, { ...web, lvStart: 4 }],
      [102, 172, undefined],
    ]);
  });

  test.each(['pv_uuid', 'vg_uuid', 'pvseg_start', 'pvseg_size', 'lv_uuid', 'seg_start_pe'])(
    'is an error without %s, or with an invalid one',
    (key) => {
      const column = new RegExp(`"${key}":"[^"]*"`);
      expect(() => parse(answer.stdout.replace(column, '"other":"1"'))).toThrow();
      expect(() => parse(answer.stdout.replace(column, `"${key}":"?"`))).toThrow();
    },
  );
});

describe.each(versionsOf('lvm/lvm-version'))('lvm version %s', (version) => {
  const answer = recorded(`lvm/lvm-version@${version}`);
  test('is parsed, and required', () => {
    expect(commands.lvmVersion().parse(answer)).toBe(version);
    expect(() =>
      commands.lvmVersion().parse({ ...answer, stdout: answer.stdout.replace(/^.*LVM version.*\n/, '') }),
    ).toThrow();
  });
});

describe('why a resize failed', () => {
  test.each([
    ['lvextend-full', 'no-space'],
    ['lvextend-onto-taken', 'no-space'],
    ['lvextend-missing-lv', 'not-found'],
    ['lvextend-onto-gone', 'not-found'],
    ['lvextend-same-size', 'unknown'],
    ['lvreduce-larger', 'unknown'],
  ])('%s: %s', (name, reason) => {
    expect(commands.classifyLvm(recorded(`lvm/${name}@2.03.16`))).toBe(reason);
  });
});

describe('fullreport', () => {
  const answer = recorded('lvm/fullreport-many@2.03.16');
  const groups = reports.fullreport().parse(answer);
  const parse = (report: unknown) =>
    reports.fullreport().parse({ ...answer, stdout: JSON.stringify({ report }) });
  const whole = JSON.parse(answer.stdout) as { report: { vg: unknown[]; lv: unknown[] }[] };

  test('has every group, with its volumes of all types, and no physical volume without a group', () => {
    expect(groups.map(({ name, volumes }) => [name, volumes.map((lv) => lv.name)])).toEqual([
      ['vg-one', ['web-1', 'web1']],
      ['vg0', ['idle', 'lvol0_pmspare', 'pool', 'pool_tdata', 'pool_tmeta', 'snap1', 'thin1', 'web1']],
    ]);
  });

  test('shows the same groups and volumes as vgs and lvs', () => {
    const vg0 = groups.find(({ name }) => name === 'vg0');
    expect(vg0).toMatchObject({ exported: false, writable: true, extentSize: 4194304, extents: 255 });
    expect(vg0?.volumes.find(({ name }) => name === 'web1')).toMatchObject({
      ...{ fullName: 'vg0/web1', path: '/dev/vg0/web1', size: 40 * 1024 ** 2, vgUuid: vg0?.uuid },
      ...{ tags: ['bofh.0a1b2c3d4e5f.1', 'role=web'], active: true, open: true, autoactivation: true },
      role: ['public', 'origin', 'thickorigin'],
    });
    expect(vg0?.volumes.find(({ name }) => name === 'idle')).toMatchObject({
      ...{ active: false, open: 'unknown', autoactivation: false },
    });
  });

  test('shows also the content of an exported group, where lvs shows nothing', () => {
    const all = reports.fullreport().parse(recorded('lvm/fullreport-exported@2.03.16'));
    const one = all.find(({ name }) => name === 'vg-one');
    expect(one).toMatchObject({ exported: true });
    expect(one?.volumes.map(({ name, active }) => [name, active])).toEqual([
      ['web-1', false],
      ['web1', false],
    ]);
  });

  test('is refused when a part is missing or misplaced', () => {
    const [first, second] = whole.report;
    expect(parse([first])).toHaveLength(1);
    expect(parse([])).toEqual([]);
    for (const bad of [
      { lv: first?.lv },
      { vg: first?.vg },
      { vg: [], lv: [] },
      { vg: [...(first?.vg ?? []), ...(second?.vg ?? [])], lv: [] },
      { vg: first?.vg, lv: second?.lv },
    ])
      expect(() => parse([bad])).toThrow();
  });
});

const columnsOf: readonly [string, ReadCommand<unknown>, { shape: object }, string][] = [
  ['lv', reports.lvs(), lvRow, 'lvs-many'],
  ['vg', reports.vgs(), vgRow, 'vgs-two'],
  ['pv', reports.pvs(), pvRow, 'pvs-three'],
];

describe.each(
  columnsOf.flatMap((row) => versionsOf(`lvm/${row[3]}`).map((version) => [...row, version] as const)),
)('a row of %s', (item, command, schema, name, version) => {
  const answer = recorded(`lvm/${name}@${version}`);
  const whole = JSON.parse(answer.stdout) as { report: [Record<string, [Record<string, string>]>] };
  const first = whole.report[0][item]?.[0] ?? {};
  const parse = (row: unknown) =>
    command.parse({ ...answer, stdout: JSON.stringify({ report: [{ [item]: [row] }] }) });
  const keys = Object.keys(schema.shape);

  test('has exactly the requested columns', () => {
    expect(Object.keys(first)).toEqual(keys);
    expect(parse(first)).toHaveLength(1);
  });

  test.each(keys)('is refused without %s', (key) => {
    const { [key]: _, ...without } = first;
    expect(() => parse(without)).toThrow();
  });

  test.each(keys)('is refused with an unknown %s', (key) => {
    for (const bad of [null, 7, true, []]) expect(() => parse({ ...first, [key]: bad })).toThrow();
    // Tags, layout and role are lists of words that lvm may add to.
    if (/tags|layout|role/.test(key)) return;
    expect(() => parse({ ...first, [key]: 'no such/thing' })).toThrow();
  });

  test('is refused when the report is truncated, repeated or another one', () => {
    const text = answer.stdout;
    const bad = [
      text.slice(0, -20),
      '',
      '[]',
      '{"report":[]}',
      '{"report":[{}]}',
      `{"report":[{"${item}":[]},{}]}`,
    ];
    for (const stdout of bad) expect(() => command.parse({ ...answer, stdout })).toThrow();
    expect(command.parse({ ...answer, stdout: `{"report":[{"${item}":[]}]}` })).toEqual([]);
  });
});

describe('classifyLvm', () => {
  test.each(
    everyVersion<[string]>([
      ['lvm/lvs-missing-vg', 'not-found'],
      ['lvm/vgs-missing-vg', 'not-found'],
      ['lvm/lvchange-missing-lv', 'not-found'],
      ['lvm/lvcreate-missing-vg', 'not-found'],
      ['lvm/lvcreate-snapshot-missing-origin', 'not-found'],
      ['lvm/lvrename-missing', 'not-found'],
      ['lvm/lvrename-missing-vg', 'not-found'],
      ['lvm/lvrename-same-name', 'unknown'],
      ['lvm/lvrename-reserved', 'unknown'],
      ['lvm/lvrename-invalid', 'unknown'],
      ['lvm/lvrename-dm-name-taken', 'busy'],
      ['lvm/lvcreate-exists', 'exists'],
      ['lvm/lvrename-exists', 'exists'],
      ['lvm/lvcreate-full', 'no-space'],
      ['lvm/lvchange-mounted', 'busy'],
      ['lvm/lvchange-open', 'busy'],
      ['lvm/lvs-not-root', 'denied'],
      ['lvm/lvcreate-reserved', 'unknown'],
      ['lvm/lvremove-active', 'unknown'],
    ]),
  )('%s is %s', (name, reason) => {
    const answer = recorded(name);
    expect(answer.exitCode).not.toBe(0);
    expect(commands.classifyLvm(answer)).toBe(reason);
  });

  test('the exit code has priority over the list, which is empty and valid JSON when the group is missing', () => {
    expect(reports.lvs().accepts ?? [0]).not.toContain(recorded('lvm/lvs-missing-vg@2.03.16').exitCode);
  });
});
