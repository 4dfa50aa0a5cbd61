import { until } from '../blockdevice/index.ts';
import { inWords, resourceNamed, towards, waitUntil } from '../drbd/index.ts';
import { minorsOf, refuseUsed } from '../drbd/operations/known.ts';
import { RefusedError, UsageError } from '../errors.ts';
import type { Tx } from '../operations.ts';
import { on, refusals } from '../refusals.ts';
import { type Member, type Members, type Reachable, stepsOn } from './hosts.ts';
import { type UpPart, upPartsOf } from './known.ts';

/** Who is to be the primary of a resource, and who is it now. */
export interface RolePlan {
  readonly name: string;
  /** Undefined: nobody is to be. */
  readonly to: Member | undefined;
  readonly from: Member | undefined;
  /** The data of the new one are on their way to it. */
  readonly sync: 'over' | 'under way';
  readonly limitMs: number;
}

/** That a host becomes the primary, and the other one ceases to be: refused while somebody uses it there, who is named. */
export async function planPromote(options: {
  readonly members: Members;
  readonly name: string;
  /** As it was named, or as it is called. */
  readonly to: string;
  /** How long a resync may take that it has to wait for. */
  readonly limitMs: number;
}): Promise<RolePlan> {
  const { members, name, limitMs } = options;
  const parts = await upPartsOf(members, name);
  const to = parts.find((each) => each.name === options.to || each.asked === options.to);
  if (to === undefined)
    throw new UsageError(`${name} has no part for the host "${options.to}"`, {
      remedy: `it is on ${parts.map((each) => each.name).join(' and ')}`,
    });
  const { state } = to.resource;
  if (state.role === 'Primary')
    throw new RefusedError(`${name} is primary on ${to.name} already`, { remedy: 'there is nothing to do' });
  const from = parts.find((each) => each !== to && each.resource.state.role === 'Primary');
  const found = refusals();
  if (from !== undefined) await found.try(() => refuseBusy(from));
  const isGood = state.volumes.every(({ disk }) => disk === 'UpToDate');
  const all = towards(state);
  const comes = all.every(({ connection }) => connection === 'Connected') && all.length > 0;
  if (!comes && (from !== undefined || !isGood))
    await found.try(() => {
      throw new RefusedError(
        `${name} on ${to.name} is not connected to ${parts.find((each) => each !== to)?.name ?? 'its peer'}: ${all.map(inWords).join('; ')}`,
        { remedy: `see why: bofh drbd status ${name}` },
      );
    });
  found.throwAll();
  return { name, to, from, sync: isGood ? 'over' : 'under way', limitMs };
}

/** That the primary ceases to be one. */
export async function planDemote(options: {
  readonly members: Members;
  readonly name: string;
}): Promise<RolePlan> {
  const { members, name } = options;
  const parts = await upPartsOf(members, name);
  const [from, ...more] = parts.filter(({ resource }) => resource.state.role === 'Primary');
  if (from === undefined)
    throw new RefusedError(`${name} is primary nowhere`, { remedy: 'there is nothing to do' });
  if (more.length > 0)
    throw new RefusedError(`${name} is primary on ${parts.map((each) => each.name).join(' and ')}`, {
      remedy: `on the host where it is not to be: bofh drbd secondary ${name}`,
    });
  await refuseBusy(from);
  return { name, to: undefined, from, sync: 'over', limitMs: 0 };
}

/** The recipe. Whichever step fails, who was the primary is it again. */
export async function changeRole(tx: Tx, hosts: Reachable, plan: RolePlan): Promise<void> {
  const { name, to, from, sync, limitMs } = plan;
  if (to !== undefined && sync === 'under way' && !tx.planning)
    await waitUntil(to.host, { name, what: 'sync', limitMs, signal: tx.signal });
  if (from !== undefined) await stepsOn(tx, hosts, from).drbd.secondary({ name });
  if (to === undefined) return;
  await seen(to, { name, signal: tx.signal });
  await stepsOn(tx, hosts, to).drbd.primary({ name });
}

/** The other side hears of it a moment later. */
async function seen(
  { host }: Member,
  { name, signal }: { readonly name: string; readonly signal: AbortSignal },
): Promise<void> {
  await until({
    limitMs: 10_000,
    check: async () => {
      signal.throwIfAborted();
      const { state } = await resourceNamed(host, name);
      return state?.connections.every(({ role }) => role !== 'Primary') !== false;
    },
  });
}

async function refuseBusy({ name: at, host, resource: { name, state } }: UpPart): Promise<void> {
  await on(at, () => refuseUsed(host, { name, minors: [...minorsOf(state)] }));
}
