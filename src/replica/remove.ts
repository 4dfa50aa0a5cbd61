import { recognise } from '../blockdevice/index.ts';
import { refuseNeeded, refuseUnlikeConfigured } from '../drbd/operations/down-refusals.ts';
import { minorsOf, refuseUsed } from '../drbd/operations/known-resource.ts';
import { RefusedError, UsageError } from '../core/errors.ts';
import { option } from '../core/option.ts';
import { dependentHolders } from '../lvm/reads.ts';
import type { Tx } from '../operations.ts';
import { on, refusals } from '../core/refusals.ts';
import { type Member, type Reachable, reserveOn, stepsOn } from './hosts.ts';
import { type Part, partsOf, refuseOlder, volumeAt } from './known-resource.ts';

/** The plan to remove a resource from its hosts. */
export interface RemovePlan {
  readonly name: string;
  readonly hosts: readonly {
    readonly place: string;
    readonly name: string;
    readonly state: 'up' | 'down';
    /** A primary is demoted first. */
    readonly role: 'Primary' | 'Secondary';
    /** Volumes whose metadata is removed: the data before it is then the content of the disk. */
    readonly wiped: readonly { readonly volume: number; readonly uuid: string; readonly disk: string }[];
    readonly volumes: readonly { readonly vg: string; readonly name: string; readonly uuid: string }[];
    /** Its disks that stay: on request, or because they are not logical volumes. */
    readonly kept: readonly string[];
    /** Its disks that do not exist. */
    readonly missing: readonly string[];
  }[];
}

/** Makes all checks on every host; lists every refusal at once. */
export async function planRemove(options: {
  readonly members: readonly Member[];
  readonly name: string;
  readonly volumes: 'removed' | 'kept';
  /** The host that keeps the data in plain volumes, by its name in the request or its own name. */
  readonly keepOn?: string;
  /** A host that may be primary because of a domain that will be gone by then. */
  readonly ending?: { readonly place: string; readonly domid: number | undefined };
}): Promise<RemovePlan> {
  const { members, name, keepOn, ending } = options;
  const found = refusals();
  const hosts: RemovePlan['hosts'][number][] = [];
  const parts = await partsOf(members, name);
  const isKeeper = (each: Member): boolean => each.name === keepOn || each.asked === keepOn;
  if (keepOn !== undefined && !parts.some(isKeeper))
    throw new UsageError(`${name} has no "on" section for the host "${keepOn}"`, {
      remedy: `name one of its hosts: ${parts.map((each) => option(`--keep-on ${each.name}`, `keepOn: '${each.name}'`)).join('; or ')}`,
    });
  for (const part of parts) {
    const { place, name: at, resource } = part;
    await found.try(() => on(at, () => refuseInUse(part, place === ending?.place ? ending : undefined)));
    await found.try(() => on(at, () => refuseDown(part, parts.length > 1 ? 'goes too' : 'stays')));
    if (parts.length === 1 && options.volumes === 'removed')
      await found.try(() => on(at, () => refuseOnlyCopy(part)));
    const disks = await found.try(() =>
      on(at, () => disksOf(part, isKeeper(part) ? 'kept' : options.volumes)),
    );
    const wiped = isKeeper(part) ? await found.try(() => on(at, () => metadataOf(part))) : [];
    const other = parts.find((each) => each !== part);
    if (isKeeper(part) && wiped !== undefined && other !== undefined && options.volumes === 'removed')
      await found.try(() => on(at, () => refuseOlder(part, { of: other.name })));
    if (disks !== undefined && wiped !== undefined)
      hosts.push({
        ...{ place, name: at, state: resource.state === undefined ? 'down' : 'up', wiped, ...disks },
        role: resource.state?.role === 'Primary' ? 'Primary' : 'Secondary',
      });
  }
  found.throwAll();
  return { name, hosts };
}

/**
 * Removes a resource. Before the commit brings it down and renames its objects on all hosts; after the commit
 * removes them.
 */
export async function removeReplica(tx: Tx, hosts: Reachable, plan: RemovePlan): Promise<void> {
  const { name } = plan;
  await reserveOn(tx, hosts, plan.hosts, [`drbd:${name}`]);
  for (const each of plan.hosts)
    if (each.role === 'Primary') await stepsOn(tx, hosts, each).drbd.secondary({ name });
  for (const each of plan.hosts) if (each.state === 'up') await stepsOn(tx, hosts, each).drbd.down({ name });
  for (const each of plan.hosts)
    for (const { volume, uuid } of each.wiped)
      await stepsOn(tx, hosts, each).drbd.removeMetadata({ name, volume, uuid });
  for (const each of plan.hosts) await stepsOn(tx, hosts, each).drbd.removeConfig({ name });
  for (const each of plan.hosts)
    for (const volume of each.volumes) await stepsOn(tx, hosts, each).lvm.removeLv(volume);
}

async function refuseInUse(
  { host, resource: { name, state } }: Part,
  ending: { readonly domid: number | undefined } | undefined,
): Promise<void> {
  if (state === undefined) return;
  await refuseUsed(host, { name, minors: [...minorsOf(state)] }, ending?.domid);
  if (state.role === 'Primary' && ending === undefined)
    throw new RefusedError(`${name} is primary here`, {
      remedy: `make sure that it is unused; then: bofh drbd demote ${name}`,
    });
}

/**
 * Throws the errors of the step that brings the resource down. Checks whether a primary peer works with the
 * data of this host only if the peer stays.
 */
function refuseDown({ resource }: Part, peer: 'stays' | 'goes too'): void {
  const { state } = resource;
  if (state === undefined) return;
  refuseUnlikeConfigured({ ...resource, state });
  if (peer === 'stays' && state.role !== 'Primary') refuseNeeded(state);
}

/**
 * Refuses to remove the only complete copy: a peer that stays, and is connected, does not have all
 * data yet.
 */
function refuseOnlyCopy({ resource: { name, state } }: Part): void {
  const whole = (state?.volumes ?? []).filter(({ disk }) => disk === 'UpToDate').map(({ volume }) => volume);
  for (const { peer, state: connection, volumes } of state?.connections ?? [])
    for (const { volume, disk } of volumes)
      if (connection === 'Connected' && disk !== 'UpToDate' && whole.includes(volume))
        throw new RefusedError(
          `volume ${String(volume)} of ${name} is ${disk} on ${peer}, so this host has the only complete data`,
          {
            remedy: `wait for the resync: bofh drbd wait-sync ${name}; or keep the volume: ${option('--keep-volumes', "volumes: 'kept'")}`,
          },
        );
}

/** The metadata of every volume. Throws RefusedError if the data on this host is not up to date. */
async function metadataOf({
  host,
  resource: { name, here, state },
}: Part): Promise<RemovePlan['hosts'][number]['wiped']> {
  const bad = state?.volumes.find(({ disk }) => disk !== 'UpToDate');
  if (state === undefined || bad !== undefined)
    throw new RefusedError(
      `the data of ${name} on this host may not be up to date: ${bad === undefined ? 'the resource is down' : `its disk is ${bad.disk}`}`,
      {
        remedy: `${state === undefined ? `bring it up, and wait: bofh drbd up ${name}; ` : 'wait: '}bofh drbd wait-sync ${name}; or name the other host`,
      },
    );
  const found: { volume: number; uuid: string; disk: string }[] = [];
  for (const { volume, disk, metadata } of here.volumes) {
    const content = disk === undefined ? undefined : await recognise(host, disk);
    if (
      disk === undefined ||
      metadata !== 'internal' ||
      content?.type !== 'drbd' ||
      content.uuid === undefined
    )
      throw new RefusedError(`volume ${String(volume)} of ${name} has no metadata at the end of its disk`, {
        remedy: `its disk already holds only data: keep it with ${option('--keep-volumes', "volumes: 'kept'")}`,
      });
    found.push({ volume, uuid: content.uuid, disk });
  }
  return found;
}

async function disksOf(
  { host, resource: { here } }: Part,
  how: 'removed' | 'kept',
): Promise<Pick<RemovePlan['hosts'][number], 'volumes' | 'kept' | 'missing'>> {
  const paths = here.volumes.flatMap(({ disk }) => disk ?? []);
  const volumes: { vg: string; name: string; uuid: string }[] = [];
  const kept: string[] = [];
  const missing: string[] = [];
  for (const path of paths) {
    const found = await volumeAt(host, path);
    if (found === undefined && (await host.stat(path)) === undefined) {
      missing.push(path);
      continue;
    }
    if (how === 'kept') {
      kept.push(path);
      continue;
    }
    const holders = found === undefined ? [] : dependentHolders(found);
    if (holders.length > 0)
      throw new RefusedError(`${path} has snapshots: ${holders.map(({ words }) => words).join('; ')}`, {
        remedy: `remove them first, or keep the volumes: ${option('--keep-volumes', "volumes: 'kept'")}`,
        holders,
      });
    if (found === undefined) kept.push(path);
    else volumes.push({ vg: found.lv.vg, name: found.lv.name, uuid: found.lv.uuid });
  }
  return { volumes, kept, missing };
}
