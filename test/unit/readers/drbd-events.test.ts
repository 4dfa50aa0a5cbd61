import { parseEvents } from '../../../src/drbd/events.ts';
import { connectionState, diskState, replicationState, role } from '../../../src/drbd/schema.ts';
import { readerTable, type Row } from './table.ts';

const read = (text: string): readonly string[] =>
  parseEvents(text).map(({ name, role: own, suspended, volumes, connections }) =>
    [
      ...[name, own, suspended.join('+')],
      ...volumes.map(({ volume, minor, disk, size }) => `${volume}:${minor}:${disk}:${size ?? '-'}`),
      ...connections.map(
        ({ peer, state, role: other, volumes: peers }) =>
          `${peer}:${state}:${other}:${peers.map(({ replication, disk }) => `${replication}/${disk}`).join('+')}`,
      ),
    ].join(' '),
  );

const end = 'exists -\n';
const of = (kind: string, facts: string): string => `exists ${kind} ${facts}\n`;
const resource = (more = 'role:Secondary suspended:no write-ordering:flush'): string =>
  of('resource', `name:r ${more}`);
const device = (disk = 'UpToDate', more = 'size:64 read:0 written:0'): string =>
  of('device', `name:r volume:0 minor:1 disk:${disk} ${more}`);
const connection = (state = 'Connected', other = 'Secondary'): string =>
  of('connection', `name:r peer-node-id:1 conn-name:beta connection:${state} role:${other} congested:no`);
const peer = (replication = 'Established', disk = 'UpToDate'): string =>
  of(
    'peer-device',
    `name:r peer-node-id:1 conn-name:beta volume:0 replication:${replication} peer-disk:${disk} resync-suspended:no out-of-sync:0`,
  );
const path = of(
  'path',
  'name:r peer-node-id:1 conn-name:beta local:ipv4:10.0.0.1:7789 peer:ipv4:10.0.0.2:7789 established:yes',
);
const whole = `${resource()}${connection()}${device()}${peer()}`;
const ok = 'r Secondary  0:1:UpToDate:65536 beta:Connected:Secondary:Established/UpToDate';

const rows: readonly Row<string>[] = [
  ['no resource', end, []],
  ['a resource alone', `${resource()}${end}`, ['r Secondary ']],
  ['a resource with all its objects', `${whole}${end}`, [ok]],
  ['a path', `${whole}${path}${end}`, [ok]],
  ['a path of IPv6', `${whole}${path.replaceAll('ipv4:10.0.0.', 'ipv6:[fe80::1]:')}${end}`, [ok]],
  ['objects in another order', `${device()}${peer()}${connection()}${resource()}${end}`, [ok]],
  ...role.options.map(
    (each): Row<string> => [
      `the role ${each}`,
      `${resource(`role:${each} suspended:no may_promote:no`)}${end}`,
      [`r ${each} `],
    ],
  ),
  ...diskState.options.map(
    (each): Row<string> => [
      `the disk ${each}`,
      `${resource()}${device(each, 'size:0')}${end}`,
      [`r Secondary  0:1:${each}:-`],
    ],
  ),
  ...connectionState.options.map(
    (each): Row<string> => [
      `the connection ${each}`,
      `${resource()}${connection(each, 'Unknown')}${end}`,
      [`r Secondary  beta:${each}:Unknown:`],
    ],
  ),
  ...replicationState.options.map(
    (each): Row<string> => [
      `the replication ${each}`,
      `${resource()}${connection()}${device('UpToDate', '')}${peer(each, 'DUnknown')}${end}`.replaceAll(
        ' \n',
        '\n',
      ),
      [`r Secondary  0:1:UpToDate:- beta:Connected:Secondary:${each}/DUnknown`],
    ],
  ),
  [
    'suspended, for two reasons',
    `${resource('role:Primary suspended:quorum,no-data')}${end}`,
    ['r Primary quorum+no-data'],
  ],
  ['facts that are new', `${resource('role:Primary suspended:no new_fact:7')}${end}`, ['r Primary ']],
  [
    'a connection without a name, of 8.4',
    `${resource()}${connection().replace(' conn-name:beta', '')}${end}`,
    ['r Secondary  peer:Connected:Secondary:'],
  ],
  ['nothing', '', /does not end with "exists -"/],
  ['no last line', whole, /does not end with "exists -"/],
  ['a last line without a newline', `${whole}exists -`, /does not end with "exists -"/],
  [
    'a role that is new',
    `${resource('role:Tertiary suspended:no')}${end}`,
    /its role is "Tertiary", in the line "exists resource name:r/,
  ],
  ['a disk that is new', `${resource()}${device('Odd')}${end}`, /its disk is "Odd", in the line/],
  ['a connection that is new', `${resource()}${connection('Odd')}${end}`, /its connection is "Odd"/],
  ['a replication that is new', `${whole.replace('Established', 'Odd')}${end}`, /its replication is "Odd"/],
  [
    'a minor that is no number',
    `${resource()}${device().replace('minor:1', 'minor:x')}${end}`,
    /its minor is "x"/,
  ],
  ['no role', `${resource('suspended:no')}${end}`, /its role is missing, in the line/],
  ['a device of no resource', `${device()}${end}`, /an object that belongs to no resource/],
  [
    'a volume that the connection lacks',
    `${resource()}${connection()}${device()}${end}`,
    /r has the volumes 0, but its connection to beta/,
  ],
  [
    'a resource twice',
    `${resource()}${resource()}${end}`,
    /belongs to no resource or connection, or lists an object twice/,
  ],
  ['a fact twice', `${resource('role:Primary role:Secondary suspended:no')}${end}`, /has a key twice/],
  ['a kind that is new', `${of('helper', 'name:r x:y')}${end}`, /cannot read the line "exists helper/],
  [
    'an event that is no fact',
    `${resource().replace('exists', 'change')}${end}`,
    /cannot read the line "change/,
  ],
  ['a name with a blank', `${resource().replace('name:r', 'name:r s')}${end}`, /cannot read the line/],
];

readerTable("DRBD's events", read, rows);
