import type { Bofh } from '../../../connect.ts';
import type { Host } from '../../../command/index.ts';
import { CommandError, ToolError } from '../../../core/errors.ts';
import { domidOf, type Interface } from '../../../network/index.ts';
import { xlList } from '../../../xen/commands.ts';
import type { NetworkList, NetworkShow } from '../../output/answers/index.ts';

/** `10.0.0.1/24`, with its state unless it is usable. */
export function addressInWords({ address, prefix, state }: NetworkShow['addresses'][number]): string {
  return `${address}/${String(prefix)}${state === 'usable' ? '' : ` (${state})`}`;
}

/** The guest of a back end interface; `-` for any other. */
export function guestOf({ domid, guest }: Pick<NetworkShow, 'domid' | 'guest'>): string {
  if (domid === null) return '-';
  return guest ?? `domain ${String(domid)}`;
}

/** Adds the guest of each back end interface. Asks Xen only if the host has such interfaces. */
export async function withGuests({ host }: Bofh, all: readonly Interface[]): Promise<NetworkList> {
  const backEnds = all.filter(({ name }) => domidOf(name) !== undefined);
  const names = backEnds.length === 0 ? new Map<number, string>() : await guestNames(host);
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

/** Names by domain ID; empty without Xen, or without permission to ask it. */
async function guestNames(host: Host): Promise<ReadonlyMap<number, string>> {
  try {
    return new Map(
      (await host.run(xlList())).flatMap(({ id, name }) => (name === undefined ? [] : [[id, name] as const])),
    );
  } catch (error) {
    if (error instanceof CommandError || error instanceof ToolError) return new Map();
    throw error;
  }
}
