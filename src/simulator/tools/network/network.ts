import { unmodelled } from '../../options.ts';
import type { World } from '../../world/world.ts';
import { ok, type ToolModel } from '../answer.ts';

/**
 * `ip -json -statistics -details address show` (iproute2 6.1): the loopback interface, the bridges
 * of the host, and its network card if there is one.
 */
export const networkTools: Readonly<Record<string, ToolModel>> = {
  ip: (call) => {
    if (call.argv.join(' ') !== '-json -statistics -details address show')
      throw unmodelled(call, 'it shows every interface in one way');
    return ok(`${JSON.stringify(rows(call.world))}\n`);
  },
};

function rows({ bridges, domains, addresses }: World): readonly object[] {
  const lo = {
    ...row({ index: 1, name: 'lo', state: 'UNKNOWN', type: 'loopback', address: '00:00:00:00:00:00' }),
    addr_info: [{ family: 'inet', local: '127.0.0.1', prefixlen: 8, scope: 'host', label: 'lo' }],
  };
  const own = bridges.map((name, at) => ({
    ...row({ index: 2 + at, name, state: 'UP', type: 'ether', address: `02:00:00:00:00:${hex(at)}` }),
    linkinfo: { info_kind: 'bridge' },
  }));
  const [master] = bridges;
  const vifs = domains.map(({ domid }, at) => ({
    ...row({
      index: 100 + at,
      name: `vif${String(domid)}.0`,
      state: 'UP',
      type: 'ether',
      address: 'fe:ff:ff:ff:ff:ff',
    }),
    ...(master === undefined
      ? {}
      : {
          master,
          linkinfo: { info_kind: 'vif', info_slave_kind: 'bridge', info_slave_data: { state: 'forwarding' } },
        }),
  }));
  const card = {
    ...row({ index: 50, name: 'eth0', state: 'UP', type: 'ether', address: '02:00:00:00:01:00' }),
    addr_info: addresses.map((each) => {
      const [local, prefix] = each.split('/');
      return { family: 'inet', local, prefixlen: Number(prefix), scope: 'global', label: 'eth0' };
    }),
  };
  return [lo, ...own, ...(addresses.length === 0 ? [] : [card]), ...vifs];
}

function row({
  index,
  name,
  state,
  type,
  address,
}: {
  readonly index: number;
  readonly name: string;
  readonly state: string;
  readonly type: string;
  readonly address: string;
}) {
  const none = { bytes: 0, packets: 0, errors: 0, dropped: 0 };
  return {
    ...{ ifindex: index, ifname: name, flags: ['UP', 'LOWER_UP'], mtu: 1500, operstate: state },
    ...{ link_type: type, address, addr_info: [] as readonly object[], stats64: { rx: none, tx: none } },
  };
}

function hex(number: number): string {
  return number.toString(16).padStart(2, '0');
}
