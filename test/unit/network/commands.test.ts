import { describe, expect, it } from 'vitest';
import type { ReadHost } from '../../../src/command/index.ts';
import { CommandError } from '../../../src/core/errors.ts';
import { ipAddresses } from '../../../src/network/commands.ts';
import { domidOf, interfaceNamed } from '../../../src/network/index.ts';
import { recorded } from '../blockdevice/fixtures.ts';

const bridge = recorded('ip/address-bridge@6.1.0');
const { parse, argv } = ipAddresses();

describe('the interfaces of a host', () => {
  it('are read at once, with details', () => {
    expect(argv).toEqual(['-json', '-statistics', '-details', 'address', 'show']);
  });

  it('have addresses, MTU, MAC and a type', () => {
    const all = parse(bridge);
    expect(all.map(({ name, kind, up }) => [name, kind, up])).toEqual([
      ['lo', 'loopback', true],
      ['xenbr0', 'bridge', true],
      ['eth0', 'veth', true],
      ['vif3.0', 'veth', true],
      ['empty', 'bridge', false],
      ['tun0', 'tun', false],
    ]);
    expect(all[0]).toMatchObject({
      ...{ mac: undefined, mtu: 65536, state: 'UNKNOWN', master: undefined, ports: [], portState: undefined },
      addresses: [
        { family: 'inet', address: '127.0.0.1', prefix: 8, scope: 'host', state: 'usable' },
        { family: 'inet6', address: '::1', prefix: 128, scope: 'host', state: 'usable' },
      ],
    });
    expect(all[1]?.mac).toMatch(/^(?:[0-9a-f]{2}:){5}[0-9a-f]{2}$/);
    expect(all[1]?.addresses[1]).toMatchObject({ address: '2001:db8::1', state: 'tentative' });
  });

  it('have their ports if they are bridges', () => {
    const all = parse(bridge);
    expect(all.map(({ ports }) => ports)).toEqual([[], ['vif3.0'], [], [], [], []]);
    expect(all[3]).toMatchObject({ master: 'xenbr0', portState: expect.stringMatching(/^\w+$/) as string });
  });

  it('may be only one', () => {
    expect(parse(recorded('ip/address-loopback-alone@6.1.0')).map(({ name, up }) => [name, up])).toEqual([
      ['lo', false],
    ]);
  });

  it('may have counters beyond exact JavaScript numbers', () => {
    const large = bridge.stdout.replace(/"bytes":\d+/, '"bytes":18446744073709551615');
    expect(parse({ ...bridge, stdout: large })[0]?.received.bytes).toBeGreaterThan(1.8e19);
  });

  it.each([
    'ifindex',
    'ifname',
    'flags',
    'mtu',
    'operstate',
    'link_type',
    'addr_info',
    'stats64',
    'local',
    'prefixlen',
    'bytes',
    'dropped',
  ])('are refused without "%s"', (key) => {
    const spoiled = bridge.stdout.replace(`"${key}":`, `"was_${key}":`);
    expect(spoiled).not.toBe(bridge.stdout);
    expect(() => parse({ ...bridge, stdout: spoiled })).toThrow();
  });

  it.each(['', '{}', '[{}]', 'null', '[]x'])('are refused when ip prints %j', (stdout) => {
    expect(() => parse({ ...bridge, stdout })).toThrow();
  });
});

describe('an interface by its name', () => {
  const host = { run: async () => parse(bridge) } as unknown as ReadHost;

  it('is found, also by an alternative name', async () => {
    expect((await interfaceNamed(host, 'xenbr0')).index).toBe(2);
    expect((await interfaceNamed(host, 'enp3s0')).name).toBe('eth0');
  });

  it('is an error that lists the existing ones, when missing', async () => {
    const failure = interfaceNamed(host, 'xenbr1');
    await expect(failure).rejects.toThrow(CommandError);
    await expect(failure).rejects.toThrow('there is no network interface xenbr1');
    await expect(failure).rejects.toMatchObject({
      reason: 'not-found',
      remedy: 'there are lo, xenbr0, eth0, vif3.0, empty, tun0',
    });
  });

  it.each([
    ['vif3.0', 3],
    ['vif12.1-emu', 12],
    ['vif3', undefined],
    ['vifx.0', undefined],
    ['myvif3.0', undefined],
    ['vif3.0x', undefined],
  ])('of %s belongs to domain %s', (name, domid) => {
    expect(domidOf(name)).toBe(domid);
  });
});
