import { xlList } from '../../../src/xen/commands.ts';
import { readerTable, type Row } from './table.ts';

const uuid = '11111111-2222-4333-8444-555555555555';
const head =
  'Name                                        ID   Mem VCPUs\tState\tTime(s)   UUID                            Reason-Code\tSecurity Label\n';
const dom0 = `Domain-0                                     0  1024     2     r-----      12.3 00000000-0000-0000-0000-000000000000        -                -\n`;
const read = (stdout: string) =>
  xlList()
    .parse({ exitCode: 0, stdout, stderr: '' })
    .slice(1)
    .map(({ name, id, flags }) => `${name ?? '(none)'}|${id}|${flags}`);

interface Line {
  readonly name?: string;
  readonly id?: number;
  readonly memory?: number;
  readonly vcpus?: number;
  readonly flags?: string;
  readonly seconds?: string;
  readonly uuid?: string;
  readonly reason?: string;
  readonly label?: string;
}

/** A line in the columns of xl. */
function line(of: Line): string {
  const { name = 'web1', id = 1, memory = 512, vcpus = 2, flags = '-b----', seconds = '3.5' } = of;
  const padded = name + ' '.repeat(Math.max(0, 40 - Buffer.byteLength(name)));
  const numbers = `${String(id).padStart(5)} ${String(memory).padStart(5)} ${String(vcpus).padStart(5)}`;
  const { uuid: of2 = uuid, reason = '-', label = '-' } = of;
  return `${padded} ${numbers}     ${flags}  ${seconds.padStart(8)} ${of2} ${reason.padStart(8)} ${label.padStart(16)}\n`;
}
const shown = (what: string, of: Line, expected: unknown): Row<string> => [
  what,
  `${head}${dom0}${line(of)}`,
  expected,
];
const flags = [
  'r-----',
  '-b----',
  '------',
  '--p---',
  '-bp---',
  '---s--',
  '---sr-',
  '---sc-',
  '---ss-',
  '---sw-',
  '---s-d',
  '--ps--',
  '-----d',
  'r----d',
  '--psrd',
  '---s?-',
  '---sS-',
];
const names = [
  ...[
    'a',
    'web-1.example.org',
    'Xenstore',
    'a-dm',
    'odd  name',
    '(null) x',
    '7',
    'bücher',
    '日本',
    '-x',
    'a#b',
    "it's",
  ],
  ...[
    'x'.repeat(39),
    'x'.repeat(40),
    'x'.repeat(41),
    'x'.repeat(200),
    `${'x'.repeat(41)}  `,
    'é'.repeat(20),
    'é'.repeat(30),
  ],
];

readerTable('xl list', read, [
  ['Domain-0 alone', `${head}${dom0}`, []],
  ...flags.map((each) => shown(`the state ${each}`, { flags: each }, [`web1|1|${each}`])),
  ...names.map((name) => shown(`the name "${name}"`, { name }, [`${name}|1|-b----`])),
  shown('no name', { name: '(null)' }, ['(none)|1|-b----']),
  shown('a name that ends in a blank, in its column', { name: 'web2 ' }, ['web2|1|-b----']),
  shown('a large id', { id: 65_535 }, ['web1|65535|-b----']),
  shown('an id wider than its column', { id: 123_456 }, ['web1|123456|-b----']),
  shown('much memory', { memory: 1_048_576 }, ['web1|1|-b----']),
  shown('many processors', { vcpus: 128 }, ['web1|1|-b----']),
  shown('a long time', { seconds: '123456789.0' }, ['web1|1|-b----']),
  shown('a reason of a shutdown', { reason: '3', flags: '---sc-' }, ['web1|1|---sc-']),
  shown('a security label', { label: 'system_u:system_r:domU_t' }, ['web1|1|-b----']),
  [
    `two guests`,
    `${head}${dom0}${line({})}${line({ name: 'web2', id: 2 })}`,
    ['web1|1|-b----', 'web2|2|-b----'],
  ],
  [
    'two guests of one name',
    `${head}${dom0}${line({})}${line({ id: 2 })}`,
    ['web1|1|-b----', 'web1|2|-b----'],
  ],
  ['nothing', '', /unknown columns/],
  [
    'the short listing',
    'Name                                        ID   Mem VCPUs\tState\tTime(s)\n',
    /unknown columns/,
  ],
  ['no Domain-0', `${head}${line({})}`, /does not show Domain-0/],
  ['a heading alone', head, /does not show Domain-0/],
  ['a line that is cut off', `${head}${dom0}${line({}).slice(0, 60)}\n`, /cannot read the line/],
  shown('a flag that is new', { flags: 'x-----' }, /cannot read the line/),
  shown('a name with a newline', { name: 'a\nb' }, /cannot read the line/),
  shown('a uuid that is none', { uuid: 'none' }, /cannot read the line/),
  shown('memory that is no number', { memory: Number.NaN }, /cannot read the line/),
  [`a line of another program`, `${head}${dom0}libxl: error\n`, /cannot read the line "libxl: error"/],
]);
