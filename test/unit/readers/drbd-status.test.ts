import { parseProc } from '../../../src/drbd/proc.ts';
import { diskState } from '../../../src/drbd/schema.ts';
import { readerTable, type Row } from './table.ts';

const read = (text: string): readonly string[] => {
  const { version, devices } = parseProc(text);
  return [
    version,
    ...devices.map((each) =>
      'role' in each
        ? `${each.minor} ${each.state} ${each.role}/${each.peerRole} ${each.disk}/${each.peerDisk} ${each.protocol ?? '-'} ${each.outOfSync} ${each.done ?? '-'}`
        : `${each.minor} ${each.state}`,
    ),
  ];
};

const head = 'version: 8.4.11 (api:1/proto:86-101)\nsrcversion: F73C670A7EC572DB9CF3E5B \n\n';
interface Of {
  readonly minor?: string;
  readonly cs?: string;
  readonly ro?: string;
  readonly ds?: string;
  readonly protocol?: string;
  readonly flags?: string;
  readonly oos?: number;
  readonly more?: string;
}
const device = (of: Of = {}): string => {
  const { minor = ' 0', cs = 'Connected', ro = 'Primary/Secondary', ds = 'UpToDate/UpToDate' } = of;
  const { protocol = 'C', flags = 'r-----', oos = 0, more = '' } = of;
  return (
    `${minor}: cs:${cs} ro:${ro} ds:${ds} ${protocol} ${flags}\n` +
    `    ns:0 nr:0 dw:0 dr:664 al:8 bm:0 lo:0 pe:0 ua:0 ap:0 ep:1 wo:f oos:${oos}\n${more}`
  );
};
const one = (what: string, of: Of, expected: unknown): Row<string> => [
  what,
  `${head}${device(of)}`,
  expected,
];
const states = [
  ...[
    'StandAlone',
    'Disconnecting',
    'Unconnected',
    'Timeout',
    'BrokenPipe',
    'NetworkFailure',
    'ProtocolError',
  ],
  ...[
    'WFConnection',
    'WFReportParams',
    'TearDown',
    'StartingSyncS',
    'StartingSyncT',
    'WFBitMapS',
    'WFBitMapT',
  ],
  ...[
    'WFSyncUUID',
    'SyncSource',
    'SyncTarget',
    'PausedSyncS',
    'PausedSyncT',
    'VerifyS',
    'VerifyT',
    'Ahead',
    'Behind',
  ],
];
const flags = ['s-----', 'ra----', 'r-p---', 'r--u--', 'r---d-', 'r---b-', 'r---n-', 'r-----', 'r----s'];
const progress =
  "\t[>...................] sync'ed:  6.3% (63192/65496)K\n\tfinish: 0:03:04 speed: 328 (328) K/sec\n";
const both = 'Primary/Secondary UpToDate/UpToDate C 0 -';

readerTable("DRBD's status", read, [
  ['no device', head.trimEnd() + '\n', ['8.4.11']],
  [
    'module 9',
    'version: 9.1.13 (api:2/proto:110-121)\nGIT-hash: 3aad build by a\nTransports (api:19): tcp (9.1.13)\n',
    ['9.1.13'],
  ],
  [
    'module 9.2',
    'version: 9.2.8 (api:2/proto:86-122)\nGIT-hash: e163 build by a\nTransports (api:20): tcp (9.2.8) rdma (9.2.8)\n',
    ['9.2.8'],
  ],
  ['a device without a resource', `${head} 0: cs:Unconfigured\n`, ['8.4.11', '0 Unconfigured']],
  one('two digits', { minor: '17' }, ['8.4.11', `17 Connected ${both}`]),
  one('three digits', { minor: '1000' }, ['8.4.11', `1000 Connected ${both}`]),
  ...states.map((cs) => one(`the state ${cs}`, { cs }, ['8.4.11', `0 ${cs} ${both}`])),
  ...diskState.options.map((disk) =>
    one(`the disk ${disk}`, { ds: `${disk}/DUnknown` }, [
      '8.4.11',
      `0 Connected Primary/Secondary ${disk}/DUnknown C 0 -`,
    ]),
  ),
  ...flags
    .slice(0, 7)
    .map((each) =>
      one(`the flags ${each}`, { flags: each, protocol: 'B' }, [
        '8.4.11',
        `0 Connected ${both.replace('C', 'B')}`,
      ]),
    ),
  one('an unknown peer', { ro: 'Secondary/Unknown' }, [
    '8.4.11',
    '0 Connected Secondary/Unknown UpToDate/UpToDate C 0 -',
  ]),
  one('no protocol', { protocol: ' ', cs: 'StandAlone' }, [
    '8.4.11',
    '0 StandAlone Primary/Secondary UpToDate/UpToDate - 0 -',
  ]),
  one('what is out of sync, in bytes', { oos: 64 }, [
    '8.4.11',
    '0 Connected Primary/Secondary UpToDate/UpToDate C 65536 -',
  ]),
  one('a resync', { cs: 'SyncSource', more: progress }, [
    '8.4.11',
    `0 SyncSource ${both.replace(/-$/, '6.3')}`,
  ]),
  one('a resync that waits', { cs: 'SyncTarget', more: progress.replace('K/sec', 'K/sec (stalled)') }, [
    '8.4.11',
    `0 SyncTarget ${both.replace(/-$/, '6.3')}`,
  ]),
  one('a verification', { cs: 'VerifyS', more: progress.replace("sync'ed", 'verified') }, [
    '8.4.11',
    `0 VerifyS ${both.replace(/-$/, '6.3')}`,
  ]),
  [
    'two devices with minors left out between',
    `${head}${device()}\n${device({ minor: ' 7' })}`,
    ['8.4.11', `0 Connected ${both}`, `7 Connected ${both}`],
  ],
  ['nothing', '', /does not begin with a version/],
  ['another file', 'Filename\tType\n', /does not begin with a version/],
  one('a role that is new', { ro: 'Tertiary/Secondary' }, /the role of device 0 is "Tertiary"/),
  one("a peer's role that is new", { ro: 'Primary/Odd' }, /the peerRole of device 0 is "Odd"/),
  one('a disk that is new', { ds: 'Odd/UpToDate' }, /the disk of device 0 is "Odd"/),
  one('a protocol that is new', { protocol: 'D' }, /cannot read "\\n 0: cs:Connected/),
  one('a line that is new', { more: '\tact_log: used:0\n' }, /cannot read "\\tact_log/),
  [`a device that is cut off`, `${head}${device().slice(0, 60)}`, /cannot read "\\n 0: cs:/],
]);
