import type { Engine } from '../atomic/index.ts';
import type { ReadHost } from '../command/index.ts';
import { RefusedError, UsageError } from '../core/errors.ts';
import type { Tx } from '../operations.ts';

/** The hosts that bofh can reach from here. */
export type Reachable = Pick<Engine, 'host' | 'place'>;

/** A host of a replica. */
export interface Member {
  /** The name that was passed. */
  readonly asked: string;
  /** The place that a sequence uses to reach it. */
  readonly place: string;
  /** The name in the DRBD configuration: `uname -n` on that host. */
  readonly name: string;
  readonly host: ReadHost;
}

/** Both hosts of a replica, in the order of their names. */
export type Members = readonly [Member, Member];

/**
 * The host with a name; any name of this host gives this host. Throws ConnectionError, which names the host,
 * if it is unreachable.
 */
export async function memberAt(hosts: Reachable, asked: string): Promise<Member> {
  const { host } = hosts;
  const own = { ...(await host.facts()), place: host.name, host };
  const local = await localHost(hosts);
  const near = local === undefined ? [own] : [own, local];
  const named = near.find(({ hostname, place }) => asked === hostname || asked === place);
  if (named !== undefined) return { asked, place: named.place, name: named.hostname, host: named.host };
  const found = hosts.place?.(asked);
  if (found === undefined)
    throw new UsageError(`there is no host "${asked}"`, {
      code: 'not-found',
      remedy: 'use a name that ssh knows, or a name from hosts in the site file',
    });
  const facts = await found.host.facts();
  // Boot ID and host name identify a host, however it is reached. The boot ID alone is not enough: machines that
  // resume from one memory snapshot share it until their next boot.
  const same = near.find(({ boot, hostname }) => boot === facts.boot && hostname === facts.hostname);
  const { place, host: at } = same ?? { place: asked, host: found.host };
  return { asked, place, name: facts.hostname, host: at };
}

/** The host that bofh runs on, if bofh works on another host. */
async function localHost({ host, place }: Reachable) {
  const local = host.name === '' ? undefined : place?.('')?.host;
  return local === undefined ? undefined : { ...(await local.facts()), place: '', host: local };
}

/** Both hosts, ordered by name. Throws RefusedError if they are the same host. */
export async function membersAt(hosts: Reachable, asked: readonly [string, string]): Promise<Members> {
  const [a, b] = [await memberAt(hosts, asked[0]), await memberAt(hosts, asked[1])];
  if (a.place === b.place || a.name === b.name)
    throw new RefusedError(
      a.place === b.place
        ? `${asked.join(' and ')} are the same host (${a.name})`
        : `both hosts have the name ${a.name} (uname -n), and DRBD identifies hosts by this name`,
      { remedy: 'name two hosts with different names' },
    );
  return a.name < b.name ? [a, b] : [b, a];
}

/** The current host and another one. Throws RefusedError if they are the same. */
export async function ownAnd(hosts: Reachable, other: string): Promise<Members> {
  const [own, peer] = [
    await memberAt(hosts, (await hosts.host.facts()).hostname),
    await memberAt(hosts, other),
  ];
  if (own.place !== peer.place) return [own, peer];
  throw new RefusedError(`"${other}" is this host itself (${own.name})`, { remedy: 'name the other host' });
}

/** The hosts of a plan, for another set of connections. */
export function rebound<M extends readonly Member[]>(members: M, hosts: Reachable): M {
  const again = (member: Member): Member => {
    const host = member.place === hosts.host.name ? hosts.host : hosts.place?.(member.place)?.host;
    if (host === undefined) throw new TypeError(`the host "${member.place}" is not reached`);
    return { ...member, host };
  };
  return members.map(again) as readonly Member[] as M;
}

/**
 * Locks objects on several hosts for a sequence, before anything is done on any of them. Goes in the order of
 * the host names, so that of two concurrent sequences one is refused at once.
 */
export async function reserveOn(
  tx: Tx,
  hosts: Reachable,
  members: readonly Pick<Member, 'place' | 'name'>[],
  keys: readonly string[],
): Promise<void> {
  const inOrder = [...members].sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const each of inOrder) await stepsOn(tx, hosts, each).reserve({ changes: keys });
}

/**
 * Locks a resource on the first of its hosts, before the steps of all hosts run at the same time: of two
 * concurrent sequences one is refused at once, instead of both.
 */
export async function reserveFirst(tx: Tx, hosts: Reachable, members: Members, name: string): Promise<void> {
  const [first] = members;
  await reserveOn(tx, hosts, [first], [`drbd:${name}`]);
}

/** The `tx` of a sequence for the host of a member. */
export function stepsOn(tx: Tx, { host }: Reachable, { place }: Pick<Member, 'place'>): Tx {
  return place === host.name ? tx : tx.on(place);
}
