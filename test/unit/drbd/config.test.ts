import { describe, expect, it } from 'vitest';
import { drbdConfig, drbdVersion } from '../../../src/drbd/commands.ts';
import { recorded } from '../blockdevice/fixtures.ts';

const rig = '9.22.0-module-8.4.11';
const connections = 'connections@9.22.0-module-9-by-hand';
const parse = (xml: string) => drbdConfig().parse({ exitCode: 0, stdout: xml, stderr: '' });
const dump = (name: string) => recorded(`drbdadm/dump-xml-${name}`).stdout;

describe('drbdadm dump-xml', () => {
  it('reads the configuration, or a file that is not installed yet', () => {
    expect(drbdConfig()).toMatchObject({ tool: 'drbdadm', argv: ['--dry-run', 'dump-xml'], access: 'read' });
    expect(drbdConfig('/etc/x.res').argv).toEqual(['-c', '/etc/x.res', '--dry-run', 'dump-xml']);
  });

  it('of a host without resources is empty', () => {
    expect(parse(dump(`no-resources@${rig}`))).toEqual([]);
  });

  it('shows a resource without hosts for a file that ends after its first line', () => {
    expect(parse(dump(`cut-short@${rig}`))).toMatchObject([{ name: 'broken', hosts: [] }]);
  });

  it.each(['84', '9'])('shows hosts and the options of common in a dry run of drbdadm %s', (series) => {
    const [web1, web2] = parse(dump(`dry-run@9.22.0-drbdadm-${series}`));
    expect(web1).toMatchObject({
      hosts: [
        { address: { address: '10.9.9.1' }, volumes: [{ disk: '/dev/vg0/web1' }] },
        { names: ['host2'] },
      ],
      options: { net: { protocol: 'C', 'verify-alg': 'crc32c' } },
      connections: [{ net: { protocol: 'C', 'ping-timeout': '10', 'verify-alg': 'crc32c' } }],
    });
    expect(web2?.hosts[0]?.volumes.map(({ disk }) => disk)).toEqual(['/dev/vg0/web2', undefined]);
  });

  it('shows each resource with its hosts, volumes and addresses', () => {
    const [r0] = parse(dump(`two@${rig}`));

    expect(r0).toEqual({
      ...{ name: 'r0', file: '/etc/drbd.d/r0.res', line: 1 },
      hosts: ['rig', 'other'].map((name, at) => ({
        names: [name],
        address: { family: 'ipv4', address: '127.0.0.1', port: 7788 + at },
        volumes: [{ volume: 0, minor: 0, device: '/dev/drbd0', disk: '/dev/vg0/a', metadata: 'internal' }],
      })),
      options: { net: { protocol: 'C' } },
      connections: [{ hosts: ['rig', 'other'], net: { protocol: 'C' } }],
    });
  });

  it('reads IPv6, an indexed metadata device, a device without a name; and hides a secret', () => {
    const [, rsix] = parse(dump(`two@${rig}`));

    expect(rsix?.hosts[0]).toEqual({
      names: ['rig'],
      address: { family: 'ipv6', address: '::1', port: 7790 },
      volumes: [
        { volume: 0, minor: 6, device: '/dev/drbd6', disk: '/dev/vg0/b', metadata: 'internal' },
        {
          ...{ volume: 1, minor: 7, device: '/dev/drbd_r6_1', disk: '/dev/vg0/c' },
          metadata: { device: '/dev/vg0/m', index: 0 },
        },
      ],
    });
    expect(rsix?.options['net']).toEqual({ protocol: 'A', 'shared-secret': '(hidden)' });
  });

  it('resolves net options: connection over resource over common', () => {
    const common = '<common><section name="net"><option name="verify-alg" value="crc32c"/>';
    const [r0, rsix] = parse(
      dump(`two@${rig}`).replace('<common>', `${common}<option name="protocol" value="A"/></section>`),
    );
    expect(r0?.connections).toEqual([
      { hosts: ['rig', 'other'], net: { 'verify-alg': 'crc32c', protocol: 'C' } },
    ]);
    expect(rsix?.connections[0]?.net).toMatchObject({ 'verify-alg': 'crc32c', 'shared-secret': '(hidden)' });

    const net = '<section name="net"><option name="verify-alg" value="md5"/></section>';
    const own = dump(connections).replace('</connection>', `</connection>${net}`);
    const [pvc, paths] = parse(own.replace('<common>', `${common}</section>`));
    expect(pvc?.connections).toEqual([
      { hosts: ['alice', 'bob'], net: { 'verify-alg': 'md5', protocol: 'C' } },
    ]);
    expect(paths?.connections).toEqual(
      [
        ['alice', 'bob'],
        ['alice', 'carol'],
        ['bob', 'carol'],
      ].map((hosts) => ({ hosts, net: { 'verify-alg': 'crc32c' } })),
    );
  });

  it('shows the same without a module', () => {
    expect(parse(dump('no-module@9.22.0'))).toEqual(parse(dump(`two@${rig}`)));
  });

  it('of 9 has connections too, hosts of several names, floating ones, and volumes without a disk', () => {
    const xml = `<config file="/etc/drbd.conf">
      <common><section name="net"><option name="protocol" value="C"/></section></common>
      <resource name="web1" conf-file-line="/etc/drbd.d/a b:1.res:12">
        <host name="alice alice.example"><volume vnr="0"><section name="disk"><option name="discard-zeroes-if-aligned" value="yes"/></section>
          <device minor="3">/dev/drbd3</device><disk>none</disk><meta-disk>internal</meta-disk></volume>
          <address family="ipv4" port="7789">10.1.1.31</address></host>
        <host floating="1"><volume vnr="0"><device minor="3">/dev/drbd3</device><disk>/dev/sda7</disk>
          <meta-disk>/dev/sdb1</meta-disk></volume><address family="ipv4" port="7789">10.1.1.32</address></host>
        <connection><host name="alice"><address family="ipv4" port="7789">10.1.1.31</address></host></connection>
        <section name="options"><option name="auto-promote"/></section>
      </resource></config>`;

    const [web1] = parse(xml);

    expect([web1?.file, web1?.line]).toEqual(['/etc/drbd.d/a b:1.res', 12]);
    expect(web1?.hosts.map(({ names }) => names)).toEqual([['alice', 'alice.example'], []]);
    expect(web1?.hosts[0]?.volumes[0]).not.toHaveProperty('disk');
    expect(web1?.hosts[1]?.volumes[0]?.metadata).toEqual({ device: '/dev/sdb1' });
    expect(web1?.options).toEqual({ options: { 'auto-promote': '' } });
  });

  // By hand, as user/v9/drbdadm_dump.c of drbd-utils 9 prints it; the first resource is as LINSTOR writes it.
  it('of 9 takes the address of a host without one from its connections, or their paths', () => {
    const [pvc, paths] = parse(dump(connections));
    const ends = (of: typeof pvc) =>
      of?.hosts.map(({ names, address, peerAddresses }) => [
        names.join(),
        ...(address === undefined ? [] : [`${address.address}:${String(address.port)}`]),
        ...(peerAddresses ?? []).map((each) => `+${each.address}:${String(each.port)}`),
      ]);
    expect(ends(pvc)).toEqual([
      ['alice', '10.1.1.31:7000'],
      ['bob', '10.1.1.32:7000'],
    ]);
    expect(ends(paths)).toEqual([
      ['alice', '+10.1.1.31:7790', '+10.2.2.31:7791', '+10.1.1.31:7792'],
      ['bob', '+10.1.1.32:7790', '+10.2.2.32:7791'],
      ['carol', '10.1.1.33:7795'],
    ]);
    const apart = parse(
      dump(connections).replace(
        'port="7795">10.1.1.33</address></host>',
        'port="7796">10.1.1.33</address></host>',
      ),
    );
    expect(ends(apart[1])?.[2]).toEqual(['carol', '10.1.1.33:7795', '+10.1.1.33:7796']);
  });

  it.each([
    ['family="(null)" port="(null)">(null)<', 'family="(null)" port="7000">(null)<'],
    ['family="(null)" port="(null)">(null)<', 'family="ipv4" port="(null)">(null)<'],
    ['family="(null)" port="(null)">(null)<', 'family="(null)" port="(null)">10.1.1.31<'],
    ['<path>', '<path>text'],
    ['<connection>', '<connection><peer/>'],
    ['<host name="alice"><address', '<host><address'],
    ['<host name="alice"><address family="ipv4" port="7000">10.1.1.31</address>', '<host name="alice">'],
  ])('of 9 with %s made %s is an error', (from, to) => {
    expect(dump(connections)).toContain(from);
    expect(() => parse(dump(connections).replace(from, to))).toThrow();
  });

  it('refuses output with any element or attribute damaged or missing', () => {
    const xml = dump(`two@${rig}`);
    for (const [from, to] of [
      ['<config ', '<conf '],
      ['</config>', ''],
      ['name="r0"', 'nam="r0"'],
      [':1">', '">'],
      ['vnr="0"', 'vnr="x"'],
      ['minor="0"', 'minor="-1"'],
      ['<disk>/dev/vg0/a</disk>', ''],
      ['<disk>/dev/vg0/a</disk>', '<disk></disk>'],
      ['<disk>/dev/vg0/a</disk>', '<disk>/dev/vg0/a<b/></disk>'],
      ['<meta-disk>internal</meta-disk>', ''],
      ['<meta-disk>internal</meta-disk>', '<meta-disk>internal</meta-disk><meta-disk>internal</meta-disk>'],
      ['family="ipv4" port="7788"', 'family="ipv4"'],
      ['>127.0.0.1</address>', '></address>'],
      ['<host name="rig">', '<host name="">'],
      ['<section name="net">', '<section>'],
      ['<option name="protocol"', '<option'],
      ['<volume', '<volume>text'],
      ['&lt;', '<'],
      ['<common>', '<commons/><common>'],
    ] as const) {
      expect(xml).toContain(from);
      expect(() => parse(xml.replace(from, to)), `${from} ${to}`).toThrow();
    }
    expect(() => parse('')).toThrow();
    expect(() => parse(xml.slice(0, -20))).toThrow();
  });
});

describe('drbdadm --version', () => {
  // As main of v9/drbdadm_main.c prints it; blanks are escaped.
  const said = (version: string): string =>
    `DRBDADM_BUILDTAG=GIT-hash:\\ db07\\ build\\ by\\ x\nDRBDADM_API_VERSION=2\nDRBD_KERNEL_VERSION_CODE=0x08040b\nDRBD_KERNEL_VERSION=8.4.11\nDRBDADM_VERSION_CODE=0x091600\n${version}\n`;
  const version = (stdout: string) => drbdVersion().parse({ exitCode: 0, stdout, stderr: '' });

  it('shows the version of drbd-utils, and without that line is an error', () => {
    expect(drbdVersion()).toMatchObject({ tool: 'drbdadm', argv: ['--version'], access: 'read' });
    expect(version(said('DRBDADM_VERSION=9.22.0'))).toBe('9.22.0');
    expect(version(said('DRBDADM_VERSION=9.23.0-rc.1'))).toBe('9.23.0-rc.1');
    for (const bad of ['DRBDADM_VERSION=', 'DRBDADM_VERSION=x', 'ADM_VERSION=9.22.0', ''])
      expect(() => version(said(bad)), bad).toThrow();
  });
});

describe('why drbdadm failed', () => {
  it.each([
    ['unknown-resource', 'not-found'],
    ['primary-down', 'not-found'],
    ['secondary-held', 'busy'],
    ['down-held', 'busy'],
    ['create-md-up', 'busy'],
    ['connect-again', 'exists'],
    ['primary-inconsistent', 'unknown'],
    ['two-primaries', 'unknown'],
    ['dump-xml-no-config', 'unknown'],
  ])('%s is %s', (name, reason) => {
    expect(drbdConfig().classify?.(recorded(`drbdadm/${name}@${rig}`))).toBe(reason);
  });
});
