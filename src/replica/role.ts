import { waitUntil } from '../drbd/index.ts';
import { minorsOf, refuseUsed } from '../drbd/operations/known-resource.ts';
import { primaryOnBoth } from '../drbd/operations/role.ts';
import { ConnectionError, RefusedError, UsageError } from '../core/errors.ts';
import type { Tx } from '../operations.ts';
import { on, refusals } from '../core/refusals.ts';
import { apart, handedOver, refuseApart } from './handover.ts';
import { type Member, type Members, type Reachable, reserveOn, stepsOn } from './hosts.ts';
import { type Asked, membersOf, type UpPart, upPartsOf } from './known-resource.ts';

/** The host that will be primary for a resource, and the current one. */
export interface RolePlan {
  readonly name: string;
  /** Undefined if no host will be primary. */
  readonly to: Member | undefined;
  readonly from: Member | undefined;
  /** The host that must not be primary. */
  readonly other: Member | undefined;
  /** Whether the resync to the new primary is running. */
  readonly sync: 'over' | 'under way';
  readonly limitMs: number;
}

/**
 * The two hosts of a resource that will be primary on one of them. Throws ConnectionError, with the command
 * for the case that the other host is down.
 */
export async function membersToPromote(hosts: Reachable, asked: Asked): Promise<Members> {
  try {
    return await membersOf(hosts, asked);
  } catch (error) {
    if (!(error instanceof ConnectionError)) throw error;
    const { host, connection } = error;
    throw new ConnectionError(error.message, {
      ...{ host, connection, cause: error },
      remedy: `only if ${host} is down and cannot write, make the host that is up primary; on that host: bofh drbd primary ${asked.name}`,
    });
  }
}

/**
 * Makes one host primary instead of the other: refused while the device is in use there, with the
 * holders.
 */
export async function planPromote(options: {
  readonly members: Members;
  readonly name: string;
  /** The host, by its name in the request or its own name. */
  readonly to: string;
  /** Time limit for a resync that must finish first, in milliseconds. */
  readonly limitMs: number;
}): Promise<RolePlan> {
  const { members, name, limitMs } = options;
  const parts = await upPartsOf(members, name);
  const to = parts.find((each) => each.name === options.to || each.asked === options.to);
  if (to === undefined)
    throw new UsageError(`${name} has no "on" section for the host "${options.to}"`, {
      remedy: `name one of its hosts: ${parts.map((each) => each.name).join(' or ')}`,
    });
  const { state } = to.resource;
  const from = parts.find((each) => each !== to && each.resource.state.role === 'Primary');
  if (state.role === 'Primary' && from !== undefined) throw primaryOnBoth(name, [to.name, from.name]);
  if (state.role === 'Primary')
    throw new RefusedError(`${name} is primary on ${to.name} already`, {
      remedy: `there is nothing to do; see: bofh drbd status ${name}`,
    });
  const found = refusals();
  if (from !== undefined) await found.try(() => refuseBusy(from));
  const isGood = state.volumes.every(({ disk }) => disk === 'UpToDate');
  const other = parts.find((each) => each !== to);
  // A secondary that has lost its peer stays UpToDate: of two disconnected hosts the other one may
  // have the newer data.
  const isApart = state.connections.every((each) => each.state !== 'Connected');
  if (isApart)
    await found.try(() => {
      throw apart(to, other, state);
    });
  found.throwAll();
  return { name, to, other, from, sync: isGood ? 'over' : 'under way', limitMs };
}

/** Demotes the primary. */
export async function planDemote(options: {
  readonly members: Members;
  readonly name: string;
}): Promise<RolePlan> {
  const { members, name } = options;
  const parts = await upPartsOf(members, name);
  const [from, ...more] = parts.filter(({ resource }) => resource.state.role === 'Primary');
  if (from === undefined)
    throw new RefusedError(`${name} is not primary on any host`, {
      remedy: `there is nothing to do; see: bofh drbd status ${name}`,
    });
  if (more.length > 0)
    throw primaryOnBoth(
      name,
      parts.map((each) => each.name),
    );
  await refuseBusy(from);
  return { name, to: undefined, other: undefined, from, sync: 'over', limitMs: 0 };
}

/** Changes the role. If a step fails, the previous primary, which has all writes, is primary again. */
export async function changeRole(tx: Tx, hosts: Reachable, plan: RolePlan): Promise<void> {
  const { name, to, from, other, sync, limitMs } = plan;
  const { signal } = tx;
  if (to !== undefined && sync === 'under way' && !tx.planning)
    await waitUntil(to.host, { name, what: 'sync', limitMs, signal });
  const members = [to, from, other].flatMap((each) => each ?? []);
  const places = new Map(members.map((each) => [each.place, each]));
  await reserveOn(tx, hosts, [...places.values()], [`drbd:${name}`]);
  if (from !== undefined) {
    if (to !== undefined && !tx.planning) await refuseApart({ name }, { from, to });
    await stepsOn(tx, hosts, from).drbd.secondary({ name });
  }
  if (to === undefined) return;
  if (!tx.planning) await handedOver(to, other, { name, signal });
  const takes = from === undefined ? {} : ({ takesOver: true } as const);
  await stepsOn(tx, hosts, to).drbd.primary({ name, ...takes });
}

async function refuseBusy({ name: at, host, resource: { name, state } }: UpPart): Promise<void> {
  await on(at, () => refuseUsed(host, { name, minors: [...minorsOf(state)] }));
}
