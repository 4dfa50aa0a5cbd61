import { describe, expect, test } from 'vitest';
import { simulatedHost } from '../../../src/simulator/index.ts';
import { bridgeOf, parseVif } from '../../../src/xen/index.ts';

const host = simulatedHost();
const found = async (spec: string, of = host) => {
  const vif = parseVif(spec);
  if (typeof vif === 'string') throw new Error(vif);
  return bridgeOf(of, vif);
};

describe('the bridge of a network interface', () => {
  test.each([
    ['bridge=br0.42', { bridge: 'br0.42', kind: 'linux' }],
    ['bridge=br0,script=/etc/xen/scripts/vif-bridge', { bridge: 'br0', kind: 'linux' }],
    ['bridge=ovsbr0,script=vif-openvswitch', { bridge: 'ovsbr0', kind: 'openvswitch' }],
    ['bridge=ovsbr0.42,script=vif-openvswitch', { bridge: 'ovsbr0', kind: 'openvswitch' }],
    ['bridge=ovsbr0:42:43,script=vif-openvswitch', { bridge: 'ovsbr0', kind: 'openvswitch' }],
    ['bridge=ovsbr0.7:42,script=/etc/xen/scripts/vif-openvswitch', { bridge: 'ovsbr0', kind: 'openvswitch' }],
    ['bridge=x,script=vif-mine', { bridge: 'x', kind: 'other' }],
    ['script=vif-route', undefined],
  ] as const)('%s', async (spec, expected) => {
    expect(await found(spec)).toEqual(expected);
  });

  test('is the default of xl.conf where the guest names none', async () => {
    const other = simulatedHost();
    other.admin.writeFile('/etc/xen/xl.conf', 'vif.default.script="vif-openvswitch"\n');
    expect(await found('bridge=ovsbr0.42', other)).toEqual({ bridge: 'ovsbr0', kind: 'openvswitch' });
  });
});
