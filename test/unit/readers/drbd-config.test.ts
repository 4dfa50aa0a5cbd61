import { parseConfig } from '../../../src/drbd/config.ts';
import { readerTable, type Row } from './table.ts';

const read = (xml: string): readonly string[] =>
  parseConfig(xml).map(({ name, hosts, options }) =>
    [
      name,
      ...hosts.map(({ names, address, peerAddresses = [], volumes }) =>
        [
          names.join('+') || 'floating',
          ...[...(address === undefined ? [] : [address]), ...peerAddresses].map(
            (each) => `${each.family}:${each.address}:${each.port}`,
          ),
          ...volumes.map(({ volume, minor, device, disk, metadata }) => {
            const meta = metadata === 'internal' ? 'internal' : `${metadata.device}[${metadata.index ?? ''}]`;
            return `${volume}:${minor}:${device}:${disk ?? 'none'}:${meta}`;
          }),
        ].join(' '),
      ),
      ...Object.entries(options).flatMap(([section, each]) =>
        Object.entries(each).map(([key, value]) => `${section}.${key}=${value}`),
      ),
    ].join(' | '),
  );

const address = '<address family="ipv4" port="7789">10.0.0.1</address>';
const volume = (
  more: {
    readonly device?: string;
    readonly disk?: string;
    readonly meta?: string;
    readonly vnr?: string;
  } = {},
): string =>
  `<volume vnr="${more.vnr ?? '0'}">${more.device ?? '<device minor="1">/dev/drbd1</device>'}<disk>${more.disk ?? '/dev/vg0/r'}</disk>${more.meta ?? '<meta-disk>internal</meta-disk>'}</volume>`;
const host = (name = 'alpha', inner = `${volume()}${address}`): string =>
  `<host name="${name}">${inner}</host>`;
const resource = (inner = host(), name = 'r'): string =>
  `<resource name="${name}" conf-file-line="/etc/drbd.d/r.res:1">${inner}</resource>`;
const config = (inner: string): string =>
  `<config file="/etc/drbd.conf">\n<common></common>\n${inner}\n</config>\n`;
const at = (what: string, inner: string, expected: unknown): Row<string> => [what, config(inner), expected];
const own = 'alpha ipv4:10.0.0.1:7789 0:1:/dev/drbd1:/dev/vg0/r:internal';
const option = (name: string, value: string, section = 'net'): string =>
  `<section name="${section}"><option name="${name}" value="${value}"/></section>`;
const options: readonly (readonly [string, string, string])[] = [
  ['net', 'protocol', 'C'],
  ['net', 'protocol', 'A'],
  ['net', 'verify-alg', 'sha256'],
  ['net', 'allow-two-primaries', 'yes'],
  ['net', 'after-sb-0pri', 'discard-zero-changes'],
  ['net', 'cram-hmac-alg', 'sha1'],
  ['net', 'max-buffers', '8000'],
  ['net', 'ping-timeout', '5'],
  ['net', 'csums-alg', 'md5'],
  ['disk', 'on-io-error', 'detach'],
  ['disk', 'resync-rate', '10M'],
  ['disk', 'al-extents', '3389'],
  ['disk', 'disk-barrier', 'no'],
  ['disk', 'c-plan-ahead', '20'],
  ['disk', 'discard-zeroes-if-aligned', 'yes'],
  ['options', 'auto-promote', 'no'],
  ['options', 'quorum', 'majority'],
  ['options', 'on-no-data-accessible', 'io-error'],
  ['startup', 'wfc-timeout', '10'],
  ['handlers', 'pri-on-incon-degr', '/usr/lib/drbd/notify.sh; reboot -f'],
  ['proxy', 'memlimit', '100M'],
];

const rows: readonly Row<string>[] = [
  at('no resource', '', []),
  at('a resource', resource(), [`r | ${own}`]),
  at('two hosts', resource(`${host()}${host('beta')}`), [`r | ${own} | ${own.replace('alpha', 'beta')}`]),
  at('two resources', `${resource()}${resource(host(), 's')}`, [`r | ${own}`, `s | ${own}`]),
  at('three hosts', resource(`${host('a')}${host('b')}${host('c')}`), [
    `r | ${['a', 'b', 'c'].map((name) => own.replace('alpha', name)).join(' | ')}`,
  ]),
  at('two names of one host', resource(host('alpha beta')), [`r | ${own.replace('alpha', 'alpha+beta')}`]),
  at('a floating host', resource(`<host floating="1">${volume()}${address}</host>`), [
    `r | ${own.replace('alpha', 'floating')}`,
  ]),
  at(
    'an address of IPv6',
    resource(host('alpha', `${volume()}<address family="ipv6" port="7789">fe80::1</address>`)),
    [`r | ${own.replace('ipv4:10.0.0.1', 'ipv6:fe80::1')}`],
  ),
  at('an address of SDP', resource(host('alpha', `${volume()}${address.replace('ipv4', 'sdp')}`)), [
    `r | ${own.replace('ipv4', 'sdp')}`,
  ]),
  at(
    'a proxy',
    resource(
      host(
        'alpha',
        `${volume()}${address}<proxy hostname="p"><inside family="ipv4" port="1">127.0.0.1</inside></proxy>`,
      ),
    ),
    [`r | ${own}`],
  ),
  at('a name with a blank and signs', resource(host(), 'a b&lt;c&amp;d'), [`a b<c&d | ${own}`]),
  at(
    'a device without a name',
    resource(host('alpha', `${volume({ device: '<device minor="7"></device>' })}${address}`)),
    ['r | alpha ipv4:10.0.0.1:7789 0:7:/dev/drbd7:/dev/vg0/r:internal'],
  ),
  at(
    'a device with a name of its own',
    resource(host('alpha', `${volume({ device: '<device minor="7">/dev/drbd_web</device>' })}${address}`)),
    ['r | alpha ipv4:10.0.0.1:7789 0:7:/dev/drbd_web:/dev/vg0/r:internal'],
  ),
  at('no disk', resource(host('alpha', `${volume({ disk: 'none' })}${address}`)), [
    'r | alpha ipv4:10.0.0.1:7789 0:1:/dev/drbd1:none:internal',
  ]),
  at(
    'metadata on another device',
    resource(host('alpha', `${volume({ meta: '<meta-disk index="3">/dev/vg0/m</meta-disk>' })}${address}`)),
    ['r | alpha ipv4:10.0.0.1:7789 0:1:/dev/drbd1:/dev/vg0/r:/dev/vg0/m[3]'],
  ),
  at(
    'flexible metadata on another device',
    resource(host('alpha', `${volume({ meta: '<meta-disk>/dev/vg0/m</meta-disk>' })}${address}`)),
    ['r | alpha ipv4:10.0.0.1:7789 0:1:/dev/drbd1:/dev/vg0/r:/dev/vg0/m[]'],
  ),
  at('a disk by a tag', resource(host('alpha', `${volume({ disk: '/dev/disk/by-id/wwn-0x5' })}${address}`)), [
    'r | alpha ipv4:10.0.0.1:7789 0:1:/dev/drbd1:/dev/disk/by-id/wwn-0x5:internal',
  ]),
  at('two volumes', resource(host('alpha', `${volume()}${volume({ vnr: '5' })}${address}`)), [
    'r | alpha ipv4:10.0.0.1:7789 0:1:/dev/drbd1:/dev/vg0/r:internal 5:1:/dev/drbd1:/dev/vg0/r:internal',
  ]),
  at(
    'options of a volume',
    resource(
      host(
        'alpha',
        `${volume({ meta: `<meta-disk>internal</meta-disk>${option('resync-rate', '1M', 'disk')}` })}${address}`,
      ),
    ),
    [`r | ${own}`],
  ),
  at(
    'an address in a connection',
    resource(
      `${host('alpha', `${volume()}<address family="(null)" port="(null)">(null)</address>`)}<connection><host name="alpha">${address}</host><host name="beta">${address}</host></connection>`,
    ),
    [`r | ${own}`],
  ),
  at(
    'addresses in two paths',
    resource(
      `${host('alpha', `${volume()}<address family="(null)" port="(null)">(null)</address>`)}<connection><path><host name="alpha">${address}</host></path><path><host name="alpha">${address.replace('10.0.0.1', '10.1.0.1')}</host></path></connection>`,
    ),
    ['r | alpha ipv4:10.0.0.1:7789 ipv4:10.1.0.1:7789 0:1:/dev/drbd1:/dev/vg0/r:internal'],
  ),
  at('common options', `<common>${option('protocol', 'C')}</common>${resource()}`, [`r | ${own}`]),
  at('global settings', `<global><usage-count>no</usage-count></global>${resource()}`, [`r | ${own}`]),
  at('a comment', `<!-- a -->${resource()}`, [`r | ${own}`]),
  ...options.map(([section, name, value]) =>
    at(`the option ${section}.${name} ${value}`, resource(`${host()}${option(name, value, section)}`), [
      `r | ${own} | ${section}.${name}=${value}`,
    ]),
  ),
  at('a switch', resource(`${host()}<section name="net"><option name="always-asbp"/></section>`), [
    `r | ${own} | net.always-asbp=`,
  ]),
  at('a secret', resource(`${host()}${option('shared-secret', 'geheim')}`), [
    `r | ${own} | net.shared-secret=(hidden)`,
  ]),
  ['nothing', '', /^(?!.*geheim)/],
  ['what is cut off', config(resource()).slice(0, 120), /./],
  ['another document', '<html></html>', /its root element is not <config>/],
  at('an element that is new', resource(`${host()}<peer/>`), /<resource> contains an unknown node/),
  at('text beside the elements', resource(`${host()}text`), /<resource> contains an unknown node/),
  at('a resource without a file', `<resource name="r">${host()}</resource>`, /conf-file-line/),
  at(
    'a minor that is no number',
    resource(host('alpha', `${volume({ device: '<device minor="x">/dev/drbd1</device>' })}${address}`)),
    /minor/,
  ),
  at('a port that is no number', resource(host('alpha', `${volume()}${address.replace('7789', 'x')}`)), /./),
  at(
    'an address without a port',
    resource(host('alpha', `${volume()}<address family="(null)" port="(null)">10.0.0.1</address>`)),
    /the address 10\.0\.0\.1 has no port/,
  ),
  at(
    'two addresses',
    resource(host('alpha', `${volume()}${address}${address}`)),
    /<host> must contain exactly one <address>, not 2/,
  ),
  at('no address', resource(host('alpha', volume())), /<host> must contain exactly one <address>, not 0/),
  at(
    'no metadata',
    resource(
      host(
        'alpha',
        `<volume vnr="0"><device minor="1">/dev/drbd1</device><disk>/dev/x</disk></volume>${address}`,
      ),
    ),
    /<volume> must contain exactly one <meta-disk>/,
  ),
  at(
    'no disk, as a dry run of drbdadm 9 shows it',
    resource(
      host('alpha', `<volume vnr="0"><device minor="1">/dev/drbd1</device><disk></disk></volume>${address}`),
    ),
    ['r | alpha ipv4:10.0.0.1:7789 0:1:/dev/drbd1:none:internal'],
  ),
  at(
    'an empty disk',
    resource(host('alpha', `${volume({ disk: '' })}${address}`)),
    /<disk> must contain only text/,
  ),
  at(
    'an option without a name',
    resource(`${host()}<section name="net"><option value="C"/></section>`),
    /name/,
  ),
];

readerTable("DRBD's configuration", read, rows);
