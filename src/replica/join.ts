import { allOf } from '../core/all-of.ts';
import { inWords, towards, waitUntil } from '../drbd/index.ts';
import { checkNewConfig, newConfig, type NewConfig } from '../drbd/new-config.ts';
import { RefusedError, UsageError } from '../core/errors.ts';
import { option } from '../core/option.ts';
import type { Tx } from '../operations.ts';
import { on } from '../core/refusals.ts';
import { parsed } from '../core/request.ts';
import type { Bytes } from '../core/units.ts';
import { type Member, type Members, type Reachable, stepsOn } from './hosts.ts';
import { addressesOf, checkAddress, commonPair } from './network.ts';
import { randomId } from '../core/random.ts';
import { present } from '../core/present.ts';

/** Two hosts with a volume each, which will become one device. */
export interface JoinPlan {
  readonly config: NewConfig;
  /** The hosts whose data has this generation; any other host fetches all data. */
  readonly generation: { readonly uuid: string; readonly on: readonly string[] };
  /** The existing data of a host, which stays. */
  readonly data?: { readonly on: string; readonly bytes: Bytes };
  readonly connectMs: number;
  readonly members: Members;
}

/**
 * Creates the file and the metadata on both hosts in parallel, brings the resource up, and waits for the
 * connection. The metadata contains the generation of the data, and is undone with the rest; setting the
 * generation later, with new-current-uuid, would be irreversible.
 */
export async function joinHosts(tx: Tx, hosts: Reachable, plan: JoinPlan): Promise<void> {
  const { config, members, generation, data } = plan;
  const { name } = config;
  const on = (member: Member): Tx => stepsOn(tx, hosts, member);
  await allOf(
    members.map(async (each, node) => {
      await on(each).drbd.createConfig(config);
      await on(each).drbd.createMetadata({
        name,
        ...(data?.on === each.name ? { keepBytes: data.bytes } : {}),
        ...(generation.on.includes(each.name)
          ? { generation: { uuid: generation.uuid, peers: [1 - node] } }
          : {}),
      });
    }),
  );
  // The resource goes up only after both hosts have metadata, because the undo of the metadata needs a
  // resource that is down.
  await allOf(members.map((each) => on(each).drbd.up({ name })));
  await allOf(members.map((each) => connected(each, plan, tx.signal)));
}

/** The device, /dev/drbdN, on both hosts. */
export function deviceOf({ config }: Pick<JoinPlan, 'config'>): string {
  return `/dev/drbd${String(config.hosts[0]?.volumes[0]?.minor ?? 0)}`;
}

/** Throws UsageError unless addresses are given for both hosts or for none. */
export function checkNames(
  members: Members,
  { addresses }: { readonly addresses?: Readonly<Record<string, string>> | undefined },
): void {
  if (addresses === undefined) return;
  const names = members.map(({ asked }) => asked);
  const said = Object.keys(addresses);
  if (said.length === names.length && said.every((each) => names.includes(each))) return;
  throw new UsageError(
    `${option('--address', 'addresses')}: name an address for each of the two hosts, ${names.join(' and ')}, or for none`,
  );
}

/** The two addresses, in the order of the members. */
export async function pairOf(
  members: Members,
  addresses: Readonly<Record<string, string>> | undefined,
): Promise<readonly [string, string]> {
  const [a, b] = members;
  if (addresses !== undefined) {
    const own = async ({ asked, host, name }: Member): Promise<string> =>
      on(name, () => checkAddress(host, addresses[asked] ?? ''));
    return [await own(a), await own(b)];
  }
  return commonPair([await addressesOf(a.host), await addressesOf(b.host)], [a.name, b.name]);
}

/** The configuration for the disks, which are in the order of the members. */
export function configFor(
  members: readonly Member[],
  of: {
    /** The requested method, as text for an error. */
    readonly asked: string;
    readonly name: string;
    readonly protocol: NewConfig['protocol'] | undefined;
    readonly addresses: readonly [string, string];
    readonly disks: readonly string[];
    readonly port: number;
    readonly minor: number;
  },
): NewConfig {
  const { asked, name, protocol, addresses, disks, port, minor } = of;
  const config = parsed(asked, newConfig, {
    name,
    hosts: members.map((each, nodeId) => ({
      ...{ name: each.name, address: addresses[nodeId], port, nodeId },
      volumes: [{ minor, disk: disks[nodeId] }],
    })),
    ...present({ protocol }),
  });
  checkNewConfig(config);
  return config;
}

/** A random generation: even, and none of the small numbers with a special meaning (drbd.h of 8.4). */
export function newGeneration(): string {
  const bytes = randomId(8);
  return `${bytes.toString('hex', 0, 7)}${(((bytes[7] ?? 0) & 0xfe) | 0x10).toString(16)}`;
}

/** Waits until this host reports that it is connected to the other one, or in sync with it. */
export async function connected(
  { host, name: at }: Member,
  {
    config: { name, hosts },
    generation,
    connectMs: limitMs,
  }: Pick<JoinPlan, 'config' | 'connectMs'> & { readonly generation: Pick<JoinPlan['generation'], 'on'> },
  signal: AbortSignal,
): Promise<void> {
  let last = 'it is not up';
  try {
    await waitUntil(host, {
      ...{ name, limitMs, signal },
      what: generation.on.length === hosts.length ? 'sync' : 'connection',
      onLook: (state) => {
        last = towards(state).map(inWords).join('; ');
      },
    });
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error;
    const ends = hosts.map(({ address, port }) => `${address} port ${String(port)}`).join(' and ');
    throw new RefusedError(
      `${name} is up on both hosts, but they do not connect to each other: ${last} (on ${at})`,
      {
        cause: error,
        remedy: `check that TCP works in both directions between ${ends}: firewall, routes`,
      },
    );
  }
}
