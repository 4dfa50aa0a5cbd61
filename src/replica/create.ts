import { dataSize, deviceSizeFor, nextFree, type Taken } from '../drbd/index.ts';
import { refuseTaken } from '../drbd/operations/refuse-taken.ts';
import { allOf } from '../core/all-of.ts';
import type { WholeGroup } from '../lvm/objects.ts';
import type { Tx } from '../operations.ts';
import { on, refusals } from '../core/refusals.ts';
import type { Site } from '../site.ts';
import type { Bytes } from '../core/units.ts';
import {
  checkDrbd,
  checkGroup,
  checkNumbers,
  checkRoom,
  checkSeries,
  type HostState,
  groupNamed,
  sizeFor,
} from './checks.ts';
import { type Member, type Members, type Reachable, reserveFirst, stepsOn } from './hosts.ts';
import { configFor, deviceOf, joinHosts, type JoinPlan, newGeneration, pairOf } from './join.ts';
import type { CheckedCreate } from './request.ts';

/** A checked request, with defaults filled in; the hosts in the order of their names. */
export interface CreatePlan extends JoinPlan {
  /** The volume group of each host, by its name. */
  readonly vgs: Readonly<Record<string, string>>;
  readonly lvSize: Bytes;
  /** Size of the device. */
  readonly size: Bytes;
  /** The name of the primary; undefined if neither host is. */
  readonly primary: string | undefined;
}

/** A resource that was created on its hosts. */
export interface CreatedReplica {
  readonly name: string;
  readonly device: string;
  /** Size of the device, in bytes. */
  readonly size: Bytes;
  readonly primary: string | undefined;
  readonly hosts: readonly {
    readonly name: string;
    readonly lv: string;
    readonly address: string;
    readonly port: number;
  }[];
}

/** Reads both hosts and fills in defaults. Throws one error that lists every refusal with its host. */
export async function planCreate(options: {
  readonly members: Members;
  readonly site: Site;
  readonly request: CheckedCreate;
  /** Other resources that the same sequence creates before this one. */
  readonly beside?: readonly CreatePlan[];
}): Promise<CreatePlan> {
  const { members, site, request, beside = [] } = options;
  const { name, minor, port } = request;
  const vg = groupNamed(request.vg, site);
  const vgOf = ({ asked }: Member): string => (asked === request.on[1] ? (request.peerVg ?? vg) : vg);
  const found = refusals();
  const looks = await found.each(members, async (member, attempt): Promise<(HostState & Named)[]> => {
    const { host, name: at } = member;
    const drbd = await attempt(() => on(at, () => checkDrbd(host)));
    const group = await attempt(() => on(at, () => checkGroup(host, { vg: vgOf(member), lv: name })));
    if (drbd === undefined) return [];
    const numbers = await attempt(() => on(at, () => checkNumbers(host, { port, minor })));
    return group === undefined || numbers === undefined
      ? []
      : [{ name: at, ...drbd, vg: group, taken: numbers }];
  });
  const hostStates = looks.flat();
  await found.try(() => checkSeries(hostStates));
  const addresses = await found.try(() => pairOf(members, request.addresses));
  if (hostStates.length < 2 || addresses === undefined) {
    found.throwAll();
    throw new TypeError('a refusal was not reported');
  }
  const free = await found.try(() =>
    nextFree([...hostStates.map((each) => each.taken), ...beside.map(takenBy)]),
  );
  const groups = hostStates.map((each) => each.vg);
  const lvSize = sizeFor(groups, deviceSizeFor(request.size));
  for (const hostState of hostStates)
    await found.try(() =>
      on(hostState.name, () => checkRoom(withReducedSpace(hostState, beside), { lv: name, size: lvSize })),
    );
  const config = await found.try(() =>
    configFor(members, {
      ...{ asked: 'drbd.create', name, protocol: request.protocol, addresses },
      disks: members.map((each) => `/dev/${vgOf(each)}/${name}`),
      ...{ port: port ?? free?.port ?? 0, minor: minor ?? free?.minor ?? 0 },
    }),
  );
  await found.each(members, async ({ host, name: at }, attempt) => {
    const here = config?.hosts.find((each) => each.name === at);
    if (here !== undefined) await attempt(() => on(at, () => refuseTaken(host, { name, here })));
  });
  found.throwAll();
  if (config === undefined) throw new TypeError('a refusal was not reported');
  const primary = members.find(({ asked }) => asked === request.primary)?.name;
  const { connectMs } = request;
  const sources =
    request.initialSync === 'skip' ? members.map((each) => each.name) : [primary ?? members[0].name];
  const generation = { uuid: newGeneration(), on: sources };
  const vgs = Object.fromEntries(members.map((each) => [each.name, vgOf(each)]));
  return { config, vgs, lvSize, size: dataSize(lvSize), generation, primary, connectMs, members };
}

/**
 * Creates a zeroed volume on each host, and one DRBD device from both. The steps of the two hosts run at
 * the same time.
 */
export async function createReplica(tx: Tx, hosts: Reachable, plan: CreatePlan): Promise<CreatedReplica> {
  const { config, vgs, members } = plan;
  const { name } = config;
  await reserveFirst(tx, hosts, members, name);
  await allOf(
    members.map((each) =>
      stepsOn(tx, hosts, each).lvm.createLv({
        ...{ vg: vgs[each.name] ?? '', name, size: plan.lvSize, content: 'zeros' },
      }),
    ),
  );
  await joinHosts(tx, hosts, plan);
  const primary = members.find((each) => each.name === plan.primary);
  if (primary !== undefined) await stepsOn(tx, hosts, primary).drbd.primary({ name });
  return {
    ...{ name, size: plan.size, primary: plan.primary },
    device: deviceOf(plan),
    hosts: config.hosts.map((each) => ({
      ...{ name: each.name, lv: `${vgs[each.name] ?? ''}/${name}`, address: each.address, port: each.port },
    })),
  };
}

interface Named {
  readonly name: string;
}

function takenBy({ config: { hosts } }: CreatePlan): Taken {
  return {
    ports: new Set(hosts.map(({ port }) => port)),
    minors: new Set(hosts.flatMap(({ volumes }) => volumes.map(({ minor }) => minor))),
  };
}

/** The volume group of a host, with the free space that the other plans leave. */
function withReducedSpace(
  { name, vg }: { readonly name: string; readonly vg: WholeGroup },
  beside: readonly CreatePlan[],
): WholeGroup {
  const used = beside
    .filter((each) => each.vgs[name] === vg.name)
    .reduce((sum, { lvSize }) => sum + lvSize, 0);
  return { ...vg, free: vg.free - used, freeExtents: vg.freeExtents - used / vg.extentSize };
}
