import { expect } from 'vitest';
import { filesystemDevices } from '../../../src/btrfs/device-commands.ts';
import { balanceStatus, scrubStatus } from '../../../src/btrfs/maintenance-commands.ts';
import { qgroupShow, qgroupsIn } from '../../../src/btrfs/quota-commands.ts';
import { subvolumeList, subvolumeShow } from '../../../src/btrfs/read-commands.ts';
import { filesystemUsage } from '../../../src/btrfs/usage-commands.ts';
import { recorded } from '../blockdevice/fixtures.ts';
import { readerTable, type Row } from './table.ts';

const parsers = {
  show: (answer: Input['answer']) => subvolumeShow('/srv/a').parse(answer),
  list: (answer: Input['answer']) => subvolumeList('/srv', 'plain').parse(answer),
  usage: (answer: Input['answer']) => filesystemUsage('/srv').parse(answer),
  devices: (answer: Input['answer']) => filesystemDevices('/srv').parse(answer),
  // The tails of names with newlines are another question.
  qgroups: (answer: Input['answer']) =>
    qgroupsIn(
      qgroupShow('/srv')
        .parse(answer)
        .lines.filter((line) => !/^(?:line|b|ID 999 .*)$/.test(line)),
      new Map(),
    ),
  scrub: (answer: Input['answer']) => scrubStatus('/srv').parse(answer),
  balance: (answer: Input['answer']) => balanceStatus('/srv').parse(answer),
} as const;
interface Input {
  readonly of: keyof typeof parsers;
  readonly answer: { readonly exitCode: number; readonly stdout: string; readonly stderr: string };
}
const read = ({ of, answer }: Input): unknown => parsers[of](answer);

/** A recorded answer, with a part of it as it says. */
const at = (
  of: Input['of'],
  name: string,
  what: string,
  expected: unknown,
  ...parts: readonly (readonly [RegExp | string, string])[]
): Row<Input> => {
  const { exitCode, stdout, stderr } = recorded(`btrfs/${name}`);
  const said = parts.reduce(
    (text, [from, to]) => text.replaceAll(from instanceof RegExp ? new RegExp(from.source, 'gm') : from, to),
    stdout,
  );
  if (parts.length > 0) expect(said).not.toBe(stdout);
  return [`${of}: ${what}`, { of, answer: { exitCode, stdout: said, stderr } }, expected];
};
const sent: readonly [RegExp, string] = [/^\t(?:Send|Receive) (?:transid|time):.*\n/, ''];
const both = (
  of: Input['of'],
  name: string,
  what: string,
  expected: unknown,
  ...parts: readonly (readonly [RegExp | string, string])[]
) =>
  ['6.2', '6.14'].map((version) => at(of, `${name}@${version}`, `${what}, ${version}`, expected, ...parts));

const rows: readonly Row<Input>[] = [
  ...both('show', 'show-plain', 'a subvolume', { mode: 'rw' }),
  ...both('show', 'show-plain', 'a subvolume without what was sent, as of 5.10', { mode: 'rw' }, sent),
  ...both('show', 'show-readonly', 'a read-only one', { id: 261, mode: 'ro' }),
  ...both('show', 'show-top', 'the top level', { id: 5, path: '/' }),
  ...both('show', 'show-nested', 'a nested one', { parentId: 256 }),
  ...both('show', 'show-newline', 'a name with a newline', { path: 'new\nline' }),
  ...both('show', 'show-quota', 'one with a quota group', { id: 262 }),
  ...both('show', 'show-limit', 'one with a limit', { id: 262 }),
  at('show', 'show-received@6.2', 'one that was received', {
    receivedUuid: expect.stringMatching(/^69cb365a/) as string,
  }),
  at(
    'show',
    'show-readonly@6.2',
    'a zone behind Greenwich',
    { made: expect.stringMatching(/Z$/) as string },
    [/(?<=Creation time:.*)[+-]\d{4}/, '-0930'],
  ),
  at('show', 'show-readonly@6.2', 'no UUID', { uuid: undefined }, [/(?<=^\tUUID: \t\t\t).*/, '-']),
  at('show', 'show-readonly@6.2', 'a time that is not known', { made: undefined }, [
    /(?<=Creation time: \t\t).*/,
    '-',
  ]),
  at('show', 'show-readonly@6.2', 'no flags', /show \/srv\/a: no line "Flags"/, [/^\tFlags:.*\n/, '']),
  at('show', 'show-readonly@6.2', 'a flag that is new', /no line "Flags"/, [
    /(?<=Flags: \t\t\t).*/,
    'frozen',
  ]),
  at('show', 'show-readonly@6.2', 'a part of what was sent', /no line "Send time"/, [
    /^\tSend time:.*\n/,
    '',
  ]),
  at('show', 'show-readonly@6.2', 'an id that is no number', /no line "Subvolume ID"/, [
    /(?<=Subvolume ID: \t\t)\d+/,
    'x',
  ]),
  at('show', 'show-readonly@6.2', 'its end is cut off', /no line "Generation"/, [/^\tGeneration[^]*/, '']),
  [
    'show: nothing',
    { of: 'show', answer: { exitCode: 0, stdout: '', stderr: '' } },
    /show \/srv\/a: no line "Name"/,
  ],
  ...both(
    'list',
    'subvolume-list',
    'subvolumes',
    expect.arrayContaining([expect.objectContaining({ id: 256 })]),
  ),
  ['list: none', { of: 'list', answer: { exitCode: 0, stdout: '', stderr: '' } }, []],
  at('list', 'subvolume-list@6.2', 'cut off', /the list of subvolumes is cut off/, [/\n(?![^]*\n)/, '']),
  at('list', 'subvolume-list@6.2', 'another form', /cannot read the line "subvolume/, [/^ID /, 'subvolume ']),
  ...both('usage', 'usage', 'the space', { size: 536_870_912, missing: 0 }),
  at('usage', 'usage@6.2', 'the slack of a device, new in 6.1', { size: 536_870_912 }, [
    /^( {4}Device missing:.*)$/,
    '$1\n    Device slack:\t\t\t0',
  ]),
  at('usage', 'usage@6.2', 'no slack, as of 5.10', { size: 536_870_912 }, [/^ {4}Device slack:.*\n/, '']),
  at('usage', 'usage-raid1@6.2', 'raid1', {
    spaces: expect.arrayContaining([expect.objectContaining({ profile: 'RAID1' })]) as unknown,
  }),
  at('usage', 'usage-missing@6.2', 'a device is missing', { missing: expect.any(Number) as number }),
  at('usage', 'usage@6.2', 'without the size', /Device size is not a number/, [/^ {4}Device size:.*\n/, '']),
  at('usage', 'usage@6.2', 'a size with a unit', /cannot read the line/, [
    /(?<=Device size:\s+)\d+/,
    '512.00MiB',
  ]),
  at('usage', 'usage@6.2', 'another heading', /has an unknown first line/, ['Overall:', 'Total:']),
  at('usage', 'usage@6.2', 'a share that is no number', /cannot read the line/, [
    /^( {3}\/dev\/\S+\t *)\d+$/,
    '$1x',
  ]),
  ...['devices', 'devices-removing', 'devices-replacing', 'devices-missing'].map((name) =>
    at(
      'devices',
      `${name}@6.2`,
      name,
      expect.arrayContaining([expect.objectContaining({ devid: expect.any(Number) as number })]),
    ),
  ),
  at('devices', 'devices@6.2', 'a label with colons', expect.any(Array), [
    /^Label: .* {2}uuid/,
    "Label: 'a: b'  uuid",
  ]),
  at('devices', 'devices@6.2', 'a device fewer than are counted', /it lists \d+ devices, but reports 9/, [
    /(?<=Total devices )\d+/,
    '9',
  ]),
  at(
    'devices',
    'devices@6.2',
    'some devices missing, in the words of 5.10',
    /cannot read the device "\\t\*\*\* Some/,
    [/\n\n$/, '\n\t*** Some devices missing\n\n'],
  ),
  at('devices', 'devices@6.2', 'no heading', /has an unknown first or last line/, [/^Label: .*\n/, '']),
  at('devices', 'devices@6.2', 'cut off', /has an unknown first or last line/, [/\n\n$/, '\n']),
  ...both(
    'qgroups',
    'qgroups',
    'quota groups',
    expect.arrayContaining([expect.objectContaining({ id: expect.stringMatching(/^0\/\d+$/) as string })]),
  ),
  at('qgroups', 'qgroups-counting@6.2', 'quota groups that are being counted', expect.any(Array)),
  at(
    'qgroups',
    'qgroups@6.2',
    'a limit',
    expect.arrayContaining([expect.objectContaining({ maxReferenced: 1_048_576 })]),
    [/ none (?= +none)/, ' 1048576 '],
  ),
  at('qgroups', 'qgroups@6.2', 'another heading', /has an unknown first or last line/, [
    'Qgroupid ',
    'Group ',
  ]),
  at('qgroups', 'qgroups@6.2', 'a size with a unit', /cannot read the line/, [
    /^(0\/\d+ +)\d+/,
    '$116.00KiB',
  ]),
  [
    'qgroups: a warning that is new',
    { of: 'qgroups', answer: { exitCode: 0, stdout: '', stderr: 'WARNING: simple quotas\n' } },
    /btrfs says of its quota groups: WARNING: simple quotas/,
  ],
  ...both('scrub', 'scrub-status', 'a scrub', { state: 'finished' }),
  ...both('scrub', 'scrub-status-never', 'no scrub yet', { state: 'never' }),
  at('scrub', 'scrub-status-running@6.2', 'one that runs', { state: 'running' }),
  at('scrub', 'scrub-status@6.2', 'one that was cancelled', { state: 'aborted' }, ['finished', 'aborted']),
  at('scrub', 'scrub-status@6.2', 'one that was interrupted', { state: 'interrupted' }, [
    'finished',
    'interrupted',
  ]),
  at('scrub', 'scrub-status@6.2', 'one that was resumed', { state: 'finished' }, [
    'Scrub started:',
    'Scrub resumed:',
  ]),
  at('scrub', 'scrub-status@6.2', 'errors', { checksumErrors: 7 }, [/csum_errors: 0/, 'csum_errors: 7']),
  at('scrub', 'scrub-status@6.2', 'a state that is new', /unknown state of a scrub/, ['finished', 'paused']),
  at('scrub', 'scrub-status@6.2', 'without a counter', /shows other counters than bofh knows/, [
    /^\tread_errors.*\n/,
    '',
  ]),
  at('scrub', 'scrub-status@6.2', 'a counter that is new', /shows other counters than bofh knows/, [
    /^\tread_errors.*\n/,
    '\tread_errors: 0\n\tnew_errors: 0\n',
  ]),
  at('scrub', 'scrub-status@6.2', 'for people', /what btrfs counts in/, [
    /^\tdata_bytes_scrubbed: \d+/,
    '\tdata_bytes_scrubbed: 1.00GiB',
  ]),
  ...both('balance', 'balance-status-none', 'no balance', { state: 'none' }),
  at('balance', 'balance-status-running@6.2', 'a balance', { state: 'running' }),
  at('balance', 'balance-status-paused@6.2', 'one that is paused', { state: 'paused' }),
  at('balance', 'balance-status-running@6.2', 'one that is being cancelled', { state: 'cancelling' }, [
    'is running\n',
    'is running, cancel requested\n',
  ]),
  at('balance', 'balance-status-running@6.2', 'one that is being paused', { state: 'pausing' }, [
    'is running\n',
    'is running, pause requested\n',
  ]),
  at('balance', 'balance-status-running@6.2', 'a state that is new', /is not the status of a balance/, [
    'is running',
    'is asleep',
  ]),
  at('balance', 'balance-status-running@6.2', 'cut off', /is not the status of a balance/, [/ left\n$/, '']),
];

// A recorded answer may be the same in two versions.
const seen = new Set<string>();
readerTable(
  'btrfs',
  read,
  rows.filter(([, input]) => !seen.has(JSON.stringify(input)) && seen.add(JSON.stringify(input))),
);
