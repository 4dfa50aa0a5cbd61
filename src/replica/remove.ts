import { minorsOf, refuseUsed } from '../drbd/operations/known.ts';
import { RefusedError } from '../errors.ts';
import { dependentHolders } from '../lvm/reads.ts';
import type { Tx } from '../operations.ts';
import { on, refusals } from '../refusals.ts';
import { type Member, type Reachable, stepsOn } from './hosts.ts';
import { type Part, partsOf, volumeAt } from './known.ts';

/** A resource as it will be taken apart, on each of these hosts. */
export interface RemovePlan {
  readonly name: string;
  readonly hosts: readonly {
    readonly place: string;
    readonly name: string;
    readonly state: 'up' | 'down';
    readonly volumes: readonly { readonly vg: string; readonly name: string; readonly uuid: string }[];
    /** Its disks that stay: they are to, or are no logical volumes. */
    readonly kept: readonly string[];
  }[];
}

/** Checks on every host what can be refused; every refusal is named at once. */
export async function planRemove(options: {
  readonly members: readonly Member[];
  readonly name: string;
  readonly volumes: 'removed' | 'kept';
}): Promise<RemovePlan> {
  const { members, name } = options;
  const found = refusals();
  const hosts: RemovePlan['hosts'][number][] = [];
  for (const part of await partsOf(members, name)) {
    const { place, name: at, resource } = part;
    await found.try(() => on(at, () => refuseInUse(part)));
    const disks = await found.try(() => on(at, () => disksOf(part, options.volumes)));
    if (disks !== undefined)
      hosts.push({ place, name: at, state: resource.state === undefined ? 'down' : 'up', ...disks });
  }
  found.throwAll();
  return { name, hosts };
}

/** The recipe: down and renamed on all hosts until the commit, and removed after it. */
export async function removeReplica(tx: Tx, hosts: Reachable, plan: RemovePlan): Promise<void> {
  const { name } = plan;
  for (const each of plan.hosts) if (each.state === 'up') await stepsOn(tx, hosts, each).drbd.down({ name });
  for (const each of plan.hosts) await stepsOn(tx, hosts, each).drbd.removeConfig({ name });
  for (const each of plan.hosts)
    for (const volume of each.volumes) await stepsOn(tx, hosts, each).lvm.removeLv(volume);
}

async function refuseInUse({ host, resource: { name, state } }: Part): Promise<void> {
  if (state === undefined) return;
  await refuseUsed(host, { name, minors: [...minorsOf(state)] });
  if (state.role === 'Primary')
    throw new RefusedError(`${name} is primary here`, {
      remedy: `see that nobody needs it, then: bofh drbd demote ${name}`,
    });
}

async function disksOf(
  { host, resource: { here } }: Part,
  how: 'removed' | 'kept',
): Promise<Pick<RemovePlan['hosts'][number], 'volumes' | 'kept'>> {
  const paths = here.volumes.flatMap(({ disk }) => disk ?? []);
  if (how === 'kept') return { volumes: [], kept: paths };
  const volumes: { vg: string; name: string; uuid: string }[] = [];
  const kept: string[] = [];
  for (const path of paths) {
    const found = await volumeAt(host, path);
    const holders = found === undefined ? [] : dependentHolders(found);
    if (holders.length > 0)
      throw new RefusedError(`${path} has snapshots: ${holders.map(({ words }) => words).join('; ')}`, {
        remedy: 'remove them first, or keep the volumes: --keep-volumes',
        holders,
      });
    if (found === undefined) kept.push(path);
    else volumes.push({ vg: found.lv.vg, name: found.lv.name, uuid: found.lv.uuid });
  }
  return { volumes, kept };
}
