import { randomBytes } from 'node:crypto';
import { dataSize, deviceSizeFor, inWords, nextFree, type Taken, towards, waitUntil } from '../drbd/index.ts';
import { checkNewConfig, newConfig, type NewConfig } from '../drbd/new-config.ts';
import { refuseTaken } from '../drbd/operations/taken.ts';
import { RefusedError } from '../errors.ts';
import type { WholeGroup } from '../lvm/schema.ts';
import type { Tx } from '../operations.ts';
import { on, refusals } from '../refusals.ts';
import { parsed } from '../request.ts';
import type { Site } from '../site.ts';
import type { Bytes } from '../units.ts';
import {
  checkDrbd,
  checkGroup,
  checkNumbers,
  checkRoom,
  checkSeries,
  type Ground,
  groupNamed,
  sizeFor,
} from './checks.ts';
import { type Member, type Members, type Reachable, stepsOn } from './hosts.ts';
import { addressesOf, checkAddress, commonPair } from './network.ts';
import type { CheckedCreate } from './request.ts';

/** A request that has been checked, with all that it left open decided; the hosts in the order of their names. */
export interface CreatePlan {
  readonly config: NewConfig;
  readonly vg: string;
  readonly lvSize: Bytes;
  /** Of the device. */
  readonly size: Bytes;
  /** Which hosts begin with the data of this generation; one that does not fetches all of it. */
  readonly generation: { readonly uuid: string; readonly on: readonly string[] };
  /** Its name; undefined: none is the primary. */
  readonly primary: string | undefined;
  readonly connectMs: number;
  readonly members: Members;
}

/** A resource that has been made on its hosts. */
export interface CreatedReplica {
  readonly name: string;
  readonly device: string;
  /** Of the device, in bytes. */
  readonly size: Bytes;
  readonly primary: string | undefined;
  readonly hosts: readonly {
    readonly name: string;
    readonly lv: string;
    readonly address: string;
    readonly port: number;
  }[];
}

/** Reads both hosts and decides what the request left open. Throws one error that names every refusal, and on which host. */
export async function planCreate(options: {
  readonly members: Members;
  readonly site: Site;
  readonly request: CheckedCreate;
  /** Others that are made before it, in the same sequence. */
  readonly beside?: readonly CreatePlan[];
}): Promise<CreatePlan> {
  const { members, site, request, beside = [] } = options;
  const { name, minor, port } = request;
  const vg = groupNamed(request.vg, site);
  const found = refusals();
  const grounds: (Ground & { readonly name: string })[] = [];
  for (const { host, name: at } of members) {
    const drbd = await found.try(() => on(at, () => checkDrbd(host)));
    const group = await found.try(() => on(at, () => checkGroup(host, { vg, lv: name })));
    const numbers =
      drbd === undefined
        ? undefined
        : await found.try(() => on(at, () => checkNumbers(host, { port, minor })));
    if (drbd !== undefined && group !== undefined && numbers !== undefined)
      grounds.push({ name: at, ...drbd, vg: group, taken: numbers });
  }
  await found.try(() => checkSeries(grounds));
  const addresses = await found.try(() => pairOf(members, request));
  if (grounds.length < 2 || addresses === undefined) {
    found.throwAll();
    throw new TypeError('a refused request was planned');
  }
  const free = await found.try(() =>
    nextFree([...grounds.map((each) => each.taken), ...beside.map(takenBy)]),
  );
  const groups = grounds.map((each) => each.vg);
  const lvSize = sizeFor(groups, deviceSizeFor(request.size));
  for (const ground of grounds)
    await found.try(() =>
      on(ground.name, () => checkRoom(without(ground.vg, beside), { lv: name, size: lvSize })),
    );
  const config = await found.try(() =>
    configFor(request, members, {
      ...{ addresses, disk: `/dev/${vg}/${name}` },
      ...{ port: port ?? free?.port ?? 0, minor: minor ?? free?.minor ?? 0 },
    }),
  );
  for (const { host, name: at } of members) {
    const here = config?.hosts.find((each) => each.name === at);
    if (here !== undefined) await found.try(() => on(at, () => refuseTaken(host, { name, here })));
  }
  found.throwAll();
  if (config === undefined) throw new TypeError('a refused request was planned');
  const primary = members.find(({ asked }) => asked === request.primary)?.name;
  const { connectMs } = request;
  const sources =
    request.initialSync === 'skip' ? members.map((each) => each.name) : [primary ?? members[0].name];
  const generation = { uuid: newGeneration(), on: sources };
  return { config, vg, lvSize, size: dataSize(lvSize), generation, primary, connectMs, members };
}

/**
 * The recipe: on each host, in the order of their names, a volume full of zeros, the file, metadata, and up; then the two have to
 * find each other. That their data are alike they know from their metadata, which are undone with the rest: to tell them later,
 * by new-current-uuid, would have no inverse.
 */
export async function createReplica(tx: Tx, hosts: Reachable, plan: CreatePlan): Promise<CreatedReplica> {
  const { config, vg, members, generation } = plan;
  const { name } = config;
  const on = (member: Member): Tx => stepsOn(tx, hosts, member);
  for (const each of members) await on(each).lvm.createLv({ vg, name, size: plan.lvSize, content: 'zeros' });
  for (const each of members) await on(each).drbd.createConfig(config);
  for (const [node, each] of members.entries())
    await on(each).drbd.createMetadata({
      name,
      ...(generation.on.includes(each.name)
        ? { generation: { uuid: generation.uuid, peers: [1 - node] } }
        : {}),
    });
  for (const each of members) await on(each).drbd.up({ name });
  for (const each of members) await connected(each, plan, tx.signal);
  const primary = members.find((each) => each.name === plan.primary);
  if (primary !== undefined) await on(primary).drbd.primary({ name });
  return {
    ...{ name, size: plan.size, primary: plan.primary },
    device: deviceOf(plan),
    hosts: config.hosts.map((each) => ({
      ...{ name: each.name, lv: `${vg}/${name}`, address: each.address, port: each.port },
    })),
  };
}

/** /dev/drbdN, on both hosts. */
export function deviceOf({ config }: CreatePlan): string {
  return `/dev/drbd${String(config.hosts[0]?.volumes[0]?.minor ?? 0)}`;
}

function takenBy({ config: { hosts } }: CreatePlan): Taken {
  return {
    ports: new Set(hosts.map(({ port }) => port)),
    minors: new Set(hosts.flatMap(({ volumes }) => volumes.map(({ minor }) => minor))),
  };
}

/** The group with the room that these leave in it. */
function without(vg: WholeGroup, beside: readonly CreatePlan[]): WholeGroup {
  const used = beside.filter((each) => each.vg === vg.name).reduce((sum, { lvSize }) => sum + lvSize, 0);
  return { ...vg, free: vg.free - used, freeExtents: vg.freeExtents - used / vg.extentSize };
}

/** By the order of the members. */
async function pairOf(members: Members, { addresses }: CheckedCreate): Promise<readonly [string, string]> {
  const [a, b] = members;
  if (addresses !== undefined) {
    const own = async ({ asked, host, name }: Member): Promise<string> =>
      on(name, () => checkAddress(host, addresses[asked] ?? ''));
    return [await own(a), await own(b)];
  }
  return commonPair([await addressesOf(a.host), await addressesOf(b.host)], [a.name, b.name]);
}

function configFor(
  { name, protocol }: CheckedCreate,
  members: readonly Member[],
  of: {
    readonly addresses: readonly [string, string];
    readonly disk: string;
    readonly port: number;
    readonly minor: number;
  },
): NewConfig {
  const { addresses, port, minor, disk } = of;
  const config = parsed('drbd.create', newConfig, {
    name,
    hosts: members.map((each, nodeId) => ({
      ...{ name: each.name, address: addresses[nodeId], port, nodeId },
      volumes: [{ minor, disk }],
    })),
    ...(protocol === undefined ? {} : { protocol }),
  });
  checkNewConfig(config);
  return config;
}

/** Even, and none of the small numbers that mean something (drbd.h of 8.4). */
function newGeneration(): string {
  const bytes = randomBytes(8);
  return `${bytes.toString('hex', 0, 7)}${(((bytes[7] ?? 0) & 0xfe) | 0x10).toString(16)}`;
}

/** As each of the two sees it. */
async function connected(
  { host, name: at }: Member,
  { config: { name, hosts }, generation, connectMs: limitMs }: CreatePlan,
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
      `${name} is up on both hosts, and they do not find each other: ${last} (on ${at})`,
      {
        cause: error,
        remedy: `see that TCP goes both ways between ${ends}: firewall, routes`,
      },
    );
  }
}
