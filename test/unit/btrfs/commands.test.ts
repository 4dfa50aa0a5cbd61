import { describe, expect, test } from 'vitest';
import * as commands from '../../../src/btrfs/commands.ts';
import { qgroupShow, qgroupsIn } from '../../../src/btrfs/quota-commands.ts';
import { ParseError } from '../../../src/core/errors.ts';
import { subvolumeList, subvolumeShow } from '../../../src/btrfs/read-commands.ts';
import { filesystemUsage } from '../../../src/btrfs/usage-commands.ts';
import type { Command } from '../../../src/command/index.ts';
import { recorded } from '../blockdevice/fixtures.ts';

const versions = ['6.2', '6.14'] as const;
const at = (name: string, version: string) => recorded(`btrfs/${name}@${version}`);
const lab = '/mnt/btl';

/** The lines after the first of each name, by the id of the subvolume. */
const tails = new Map([
  [257, ['line']],
  [
    265,
    [
      'ID 999 gen 7 cgen 7 parent 5 top level 5 parent_uuid -                                    received_uuid -                                    uuid e1d86a4b-ce1a-8141-8f79-77fb9994a7bb path x',
    ],
  ],
]);

describe.each(versions)('btrfs-progs %s', (version) => {
  test.each<readonly [string, Command<unknown>]>([
    ['subvolume-list', subvolumeList(lab, 'plain')],
    ['subvolume-list-cgen', subvolumeList(lab, 'with cgen')],
    ['show-plain', subvolumeShow(`${lab}/a b`)],
    ['show-by-id', subvolumeShow(lab, { id: 261 })],
    ['get-default', commands.getDefault(lab)],
    ['usage', filesystemUsage(lab)],
    ['qgroups', qgroupShow(lab)],
    ['rootid', commands.rootId(`${lab}/dir/in`)],
    ['create', commands.subvolumeCreate(`${lab}/c1`)],
    ['snapshot', commands.subvolumeSnapshot({ source: `${lab}/c1`, path: `${lab}/c2`, mode: 'rw' })],
    ['snapshot-readonly', commands.subvolumeSnapshot({ source: `${lab}/c1`, path: `${lab}/c3`, mode: 'ro' })],
    ['property-set', commands.setReadOnly(`${lab}/c3`, 'rw')],
  ])('%s is the recorded command', (name, command) => {
    const { argv } = at(name, version);
    expect([command.tool, ...command.argv]).toEqual(argv);
  });

  test('lists every subvolume, also with newlines, other bytes than UTF-8, or keywords in its name', () => {
    const plain = subvolumeList(lab, 'plain').parse(at('subvolume-list', version));
    expect(plain.map(({ id }) => id)).toEqual([256, 257, 258, 259, 260, 261, 262, 263, 264, 265, 266, 267]);
    expect(plain[1]?.path).toBe('new\nline');
    expect(plain[3]?.path).toBe('bad\u00ff');
    expect(plain[7]?.path).toBe('<FS_TREE>/a b/nest');
    // What a name pretends is a record of the other form alone.
    const other = subvolumeList(lab, 'with cgen').parse(at('subvolume-list-cgen', version));
    expect(other.map(({ id }) => id)).toContain(999);
  });

  test('refuses a truncated list, and unknown lines in it', () => {
    const said = at('subvolume-list', version);
    const { parse } = subvolumeList(lab, 'plain');
    expect(() => parse({ ...said, stdout: said.stdout.slice(0, -1) })).toThrow('cut off');
    expect(() => parse({ ...said, stdout: said.stdout.replace('ID 256', 'Id 256') })).toThrow('cannot read');
    expect(parse({ ...said, stdout: '' })).toEqual([]);
  });

  test('shows a subvolume', () => {
    expect(subvolumeShow('').parse(at('show-plain', version))).toMatchObject({
      id: 256,
      path: 'a b',
      name: { path: 'a b' },
      made: '2026-11-20T19:02:02.000Z',
      mode: 'rw',
      parentId: 5,
      parentUuid: undefined,
      receivedUuid: undefined,
    });
    expect(subvolumeShow('').parse(at('show-readonly', version))).toMatchObject({ id: 261, mode: 'ro' });
    expect(subvolumeShow('').parse(at('show-newline', version)).path).toBe('new\nline');
    expect(subvolumeShow('').parse(at('show-received', version)).receivedUuid).toMatch(/^69cb365a/);
    expect(subvolumeShow('').parse(at('show-top', version))).toMatchObject({ id: 5, path: '/' });
    expect(subvolumeShow('').parse(at('show-nested', version)).parentId).toBe(256);
  });

  test('shows it with quotas and limits', () => {
    for (const name of ['show-quota', 'show-limit'])
      expect(subvolumeShow('').parse(at(name, version))).toMatchObject({ id: 262, snapshots: [] });
  });

  test('lists its snapshots, whatever their names', () => {
    const { snapshots } = subvolumeShow('').parse(at('show-plain', version));
    expect(snapshots.map(({ path }) => path?.slice(0, 8))).toEqual(['snap', 'odd\nID 9', 'forsend']);
  });

  test('refuses output without any one of its lines, or with a damaged one', () => {
    const said = at('show-readonly', version);
    const lines = said.stdout.split('\n');
    // After the heading of the snapshots come those, and the quota group, which need not be there.
    const last = lines.findIndex((line) => line.includes('Snapshot(s):'));
    for (let index = 0; index <= last; index += 1) {
      const without = lines.filter((_, each) => each !== index).join('\n');
      expect(() => subvolumeShow('').parse({ ...said, stdout: without }), lines[index]).toThrow();
      const spoiled = lines.map((line, each) => (each === index ? `${line}?` : line)).join('\n');
      expect(() => subvolumeShow('').parse({ ...said, stdout: spoiled }), lines[index]).toThrow();
    }
  });

  test('accepts that btrfs-progs 5.10 does not show what was sent and received', () => {
    const said = at('show-readonly', version);
    const stdout = said.stdout.replaceAll(/^\t(?:Send|Receive) (?:transid|time):.*\n/gm, '');
    expect(stdout).not.toBe(said.stdout);
    expect(subvolumeShow('').parse({ ...said, stdout })).toEqual(subvolumeShow('').parse(said));
  });

  test.each([
    [/^\tFlags:.*\n/m, 'no line "Flags"'],
    [/^\tSend transid:.*\n/m, 'no line "Send transid"'],
    [/^\tUUID:.*\n/m, 'no line "UUID"'],
    [/(?<=Snapshot\(s\):)[^]*$/, 'its end is cut off'],
  ])('without %s the error names the command, the object and the missing part', (line, why) => {
    const said = at('show-readonly', version);
    const parse = (): unknown =>
      subvolumeShow('/srv/pool/a').parse({ ...said, stdout: said.stdout.replace(line, '') });
    expect(parse).toThrow(ParseError);
    expect(parse).toThrow(`btrfs subvolume show /srv/pool/a: ${why}`);
  });

  test('reads the default subvolume', () => {
    expect(commands.getDefault('').parse(at('get-default', version))).toBe(5);
    const other = at('get-default-other', version);
    expect(commands.getDefault('').parse(other)).toBe(version === '6.2' ? 270 : 274);
    expect(() => commands.getDefault('').parse({ ...other, stdout: '' })).toThrow(
      'does not name a subvolume',
    );
  });

  test('reads the space, like the JSON of the same version', () => {
    const usage = filesystemUsage('').parse(at('usage', version));
    expect(usage).toMatchObject({ size: 536870912, missing: 0, free: 452984832, freeAtLeast: 230686720 });
    expect(usage.unallocatedOn).toEqual([{ device: '/dev/loop0', bytes: 444596224 }]);
    const df: unknown = JSON.parse(at('df-json', version).stdout);
    for (const { kind, profile, size } of usage.spaces)
      expect(JSON.stringify(df).replaceAll(/:"(?<n>\d+)"/g, ':$<n>')).toContain(
        `"bg-type":"${kind}","bg-profile":"${profile}","total":${size}`,
      );
  });

  test('refuses the space without a required line', () => {
    const said = at('usage', version);
    for (const label of [
      'Device size',
      'Device allocated',
      'Device unallocated',
      'Device missing',
      'Used',
      'Free (estimated)',
    ]) {
      const stdout = said.stdout
        .split('\n')
        .filter((line) => !line.startsWith(`    ${label}:`))
        .join('\n');
      expect(() => filesystemUsage('').parse({ ...said, stdout }), label).toThrow();
    }
    expect(() =>
      filesystemUsage('').parse({ ...said, stdout: said.stdout.replace('Size:', 'size:') }),
    ).toThrow();
  });

  test('reads the quota groups, with limits, parents and children', () => {
    const { state, lines } = qgroupShow('').parse(at('qgroups', version));
    expect(state).toBe('exact');
    const groups = qgroupsIn(lines, tails);
    expect(groups.find(({ id }) => id === '0/262')).toMatchObject({
      maxReferenced: 104857600,
      maxExclusive: 52428800,
    });
    expect(groups.find(({ id }) => id === '0/256')).toMatchObject({
      maxReferenced: undefined,
      parents: ['1/1'],
    });
    expect(groups.find(({ id }) => id === '1/1')?.children).toEqual(['0/256', '0/257']);
  });

  test('skips no line of quota groups, also with a newline in a name', () => {
    const { lines } = qgroupShow('').parse(at('qgroups', version));
    expect(() => qgroupsIn(lines, new Map())).toThrow('cannot read the line');
    for (const [index, line] of lines.entries()) {
      const spoiled = lines.with(
        index,
        line.replace('16384', '16,384').replace('line', 'lime').replace('ID 999', 'x'),
      );
      if (spoiled[index] !== line)
        expect(() => qgroupsIn(spoiled, tails), line).toThrow('cannot read the line');
    }
    // A name that goes on with the words of a group.
    const [first = '', , plain = ''] = lines;
    const forged = plain.replace('0/257', '0/999');
    const named = [first, plain, forged];
    expect(qgroupsIn(named, new Map([[257, [forged]]])).map(({ id }) => id)).toEqual(['0/5', '0/257']);
  });

  test.each([
    ['rescan is running, qgroup data may be incorrect', 'counting'],
    ['qgroup data inconsistent, rescan recommended', 'inconsistent'],
    ['quota disabled, qgroup data may be out of date', 'stale'],
  ])('"%s" is the state %s of the quota groups', (said, state) => {
    const stderr = `WARNING: ${said}\n`;
    expect(qgroupShow('').parse({ ...at('qgroups', version), stderr }).state).toBe(state);
  });

  test('refuses an unknown warning about quota groups', () => {
    const stderr = 'WARNING: something else\n';
    expect(() => qgroupShow('').parse({ ...at('qgroups', version), stderr })).toThrow('something else');
  });

  test.each([
    ['show-missing', 'not-found'],
    ['show-by-id-missing', 'not-found'],
    ['show-directory', 'unknown'],
    ['create-exists', 'exists'],
    ['create-missing', 'not-found'],
    ['snapshot-no-source', 'not-found'],
    ['delete-nested', 'busy'],
    ['delete-default', 'busy'],
    ['delete-missing', 'not-found'],
    ['set-default-missing', 'not-found'],
    ['rootid-missing', 'not-found'],
    ['qgroup-off', 'unknown'],
  ] as const)('%s fails because %s', (name, reason) => {
    const said = at(name, version);
    expect(said.exitCode).toBe(1);
    expect(commands.classify(said)).toBe(reason);
  });

  test('distinguishes a plain directory, another filesystem, and a missing path', () => {
    expect(commands.isNoSubvolume(at('show-directory', version))).toBe(true);
    expect(commands.isNoSubvolume(at('subvolume-show-not-btrfs', version))).toBe(true);
    expect(commands.isNoSubvolume(at('show-missing', version))).toBe(false);
  });
});

test('deletes by ID, waits for the disk, and never deletes by name', () => {
  expect(commands.subvolumeDelete({ root: '/mnt', id: 300 })).toMatchObject({
    argv: ['subvolume', 'delete', '--commit-each', '--subvolid', '300', '/mnt'],
    access: 'destroy',
  });
});

test('marks quota numbers as incomplete after quotas were enabled', () => {
  const { state, lines } = qgroupShow('').parse(recorded('btrfs/qgroups-counting@6.2'));
  expect(state).toBe('counting');
  expect(qgroupsIn(lines, new Map([[256, ['b']]])).map(({ id }) => id)).toEqual(['0/5', '0/256', '0/257']);
});
