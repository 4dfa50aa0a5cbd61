import * as network from '../../../api/network.ts';
import { type Bofh, withBofh } from '../../../bofh.ts';
import type { Host } from '../../../command/index.ts';
import { BofhError } from '../../../core/errors.ts';
import { domidOf, type Interface } from '../../../network/index.ts';
import { formatSize } from '../../../core/units.ts';
import { xlList } from '../../../xen/commands.ts';
import { give } from '../../output/answer.ts';
import type { NetworkList, NetworkShow } from '../../output/answers/index.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { openSession } from '../../runtime/session.ts';

/** `bofh network list` */
export async function list(runtime: Runtime): Promise<number> {
  const { bofh } = await openSession(runtime, { site: 'unused', root: 'not-needed' });
  const all = await withBofh(bofh, () => network.interfaces());
  const data: NetworkList = await described(bofh, all);
  give(runtime, {
    data,
    head: ['INTERFACE', 'KIND', 'STATE', 'MAC', 'MTU', 'ADDRESSES', 'ON', 'GUEST'],
    rows: data.map((each) => [
      each.name,
      each.kind,
      each.up ? each.state : 'off',
      each.mac ?? '-',
      String(each.mtu),
      each.addresses.map(inWords).join(' ') || '-',
      each.master ?? (each.ports.length > 0 ? `(carries ${each.ports.join(', ')})` : '-'),
      guestOf(each),
    ]),
    none: 'this host has no network interface',
  });
  return 0;
}

/** `bofh network show NAME` */
export async function show(runtime: Runtime, name: string): Promise<number> {
  const { bofh } = await openSession(runtime, { site: 'unused', root: 'not-needed' });
  const one = await withBofh(bofh, () => network.interfaceNamed(name));
  const [data] = await described(bofh, [one]);
  if (data === undefined) throw new TypeError('an interface that was found is gone');
  give<NetworkShow>(runtime, { data, lines: linesOf(data) });
  return 0;
}

function linesOf(one: NetworkShow): readonly string[] {
  const { received, sent } = one;
  const counted = ({ bytes, packets, errors, dropped }: NetworkShow['sent']): string =>
    `${formatSize(bytes)} in ${String(packets)} packets, ${String(errors)} errors, ${String(dropped)} dropped`;
  const rows: readonly (readonly [string, string | undefined])[] = [
    ['interface', [one.name, ...one.alternativeNames].join(', also ')],
    ['kind', one.kind],
    ['state', one.up ? one.state : 'off'],
    ['MAC', one.mac ?? undefined],
    ['MTU', String(one.mtu)],
    ...one.addresses.map((each) => ['address', inWords(each)] as const),
    ['hangs on', one.master === null ? undefined : `${one.master} (${one.portState ?? 'no port'})`],
    ['carries', one.ports.join(', ') || undefined],
    ['guest', one.domid === null ? undefined : guestOf(one)],
    ['received', counted(received)],
    ['sent', counted(sent)],
  ];
  return rows.flatMap(([what, value]) => (value === undefined ? [] : [`${what.padEnd(10)} ${value}`]));
}

function inWords({ address, prefix, state }: NetworkShow['addresses'][number]): string {
  return `${address}/${String(prefix)}${state === 'usable' ? '' : ` (${state})`}`;
}

function guestOf({ domid, guest }: Pick<NetworkShow, 'domid' | 'guest'>): string {
  if (domid === null) return '-';
  return guest ?? `domain ${String(domid)}`;
}

/** With the guest whose back end it is: only a host with such interfaces is asked for its domains. */
async function described({ host }: Bofh, all: readonly Interface[]): Promise<NetworkList> {
  const ours = all.filter(({ name }) => domidOf(name) !== undefined);
  const names = ours.length === 0 ? new Map<number, string>() : await guests(host);
  return all.map(({ mac, master, portState, received, sent, ...one }) => {
    const domid = domidOf(one.name);
    return {
      ...one,
      alternativeNames: [...one.alternativeNames],
      addresses: one.addresses.map((each) => ({ ...each })),
      ports: [...one.ports],
      mac: mac ?? null,
      master: master ?? null,
      portState: portState ?? null,
      received: { ...received },
      sent: { ...sent },
      domid: domid ?? null,
      guest: domid === undefined ? null : (names.get(domid) ?? null),
    };
  });
}

/** Names by domain. Who may not ask Xen, or has none, sees the numbers alone. */
async function guests(host: Host): Promise<ReadonlyMap<number, string>> {
  try {
    return new Map(
      (await host.run(xlList())).flatMap(({ id, name }) => (name === undefined ? [] : [[id, name] as const])),
    );
  } catch (error) {
    if (error instanceof BofhError) return new Map();
    throw error;
  }
}
