import type { ReadHost } from '../command/index.ts';
import { type Resource, resources } from '../drbd/index.ts';
import { deviceOf } from '../drbd/operations/known-resource.ts';
import { reconnect } from '../drbd/state.ts';
import { ConnectionError, RefusedError } from '../core/errors.ts';
import { option } from '../core/option.ts';
import type { Bytes } from '../core/units.ts';
import { sha256 } from '../file/index.ts';
import { on, refusals } from '../core/refusals.ts';
import { type Member, type Members, membersAt, type Reachable } from '../replica/hosts.ts';
import { membersOf } from '../replica/known-resource.ts';
import { planRemove, type RemovePlan } from '../replica/remove.ts';
import type { Site } from '../site.ts';
import { type Disk, domains, type GuestConfig, guestConfigs } from '../xen/index.ts';
import { autostartLinks } from './autostart.ts';
import { refuseUnread } from './checks.ts';
import { pathsOf, removableConfig, resourceNameOf, wordsOf } from './guest-file.ts';
import { minorAt, resourceAt } from './start.ts';

/**
 * The resources that are removed with a guest, and the configuration of the guest on their other
 * host.
 */
export interface ReplicasPlan {
  readonly removals: readonly RemovePlan[];
  readonly peer:
    | {
        readonly place: string;
        readonly name: string;
        readonly config: string;
        readonly sha256: string;
        /** The links that start it at boot there. */
        readonly links: readonly string[];
      }
    | undefined;
}

/** The hosts of the replicated disks of a guest of this host; undefined if it has none, or is not configured. */
export async function membersOfGuest(
  hosts: Reachable,
  {
    name,
    site,
    on: asked,
  }: { readonly name: string; readonly site: Site; readonly on?: readonly [string, string] },
): Promise<Members | undefined> {
  try {
    return await theirHosts(hosts, { name, site, asked });
  } catch (error) {
    if (!(error instanceof ConnectionError)) throw error;
    throw new ConnectionError(error.message, {
      ...{ host: error.host, connection: error.connection, cause: error },
      remedy: `disks of ${name} are replicated to that host. If ssh knows the two hosts by other names, pass them: ${option('--on HOST,HOST', "on: ['HOST', 'HOST']")}; or keep the replicated disks on both hosts: ${option('--keep-replicas', "replicas: 'kept'")}`,
    });
  }
}

async function theirHosts(
  hosts: Reachable,
  {
    name,
    site,
    asked,
  }: { readonly name: string; readonly site: Site; readonly asked: readonly [string, string] | undefined },
): Promise<Members | undefined> {
  const { guests } = await guestConfigs(hosts.host, site.guestConfigDirs);
  const guest = guests.find((each) => each.name === name);
  const names = guest === undefined ? [] : (await replicasOf(hosts.host, guest)).map((each) => each.name);
  const [first, ...others] = names;
  if (first === undefined) return undefined;
  if (asked !== undefined) return membersAt(hosts, asked);
  const members = await membersOf(hosts, { name: first });
  for (const other of others) {
    const its = await membersOf(hosts, { name: other });
    if (its.some(({ place }, nth) => place !== members[nth]?.place))
      throw new RefusedError(`${first} and ${other}, disks of ${name}, are on different hosts`, {
        remedy: `keep them with ${option('--keep-replicas', "replicas: 'kept'")}; then, if nothing in them is needed, remove each one: bofh drbd remove RESOURCE`,
      });
  }
  return members;
}

/** Plans the removal on both hosts. Throws one error that lists every refusal with its host. */
export async function planReplicas(options: {
  readonly members: Members;
  /** The host of the guest. */
  readonly host: ReadHost;
  readonly site: Site;
  readonly guest: GuestConfig;
  readonly guests: readonly GuestConfig[];
  /** The ID of its domain, which will be ended first; undefined if there is none. */
  readonly domid: number | undefined;
}): Promise<ReplicasPlan> {
  const { members, host, site, guest, guests, domid } = options;
  const theirs = await replicasOf(host, guest);
  const names = theirs.map((each) => each.name);
  const peer = members.find(({ place }) => place !== host.name);
  if (peer === undefined || members.every(({ place }) => place !== host.name))
    throw new RefusedError(`the disks of ${guest.name} are replicated to another host`, {
      remedy: `name the two hosts: ${option('--on HOST,HOST', "on: ['HOST', 'HOST']")}`,
    });
  const found = refusals();
  const others = guests.filter(({ file }) => file !== guest.file);
  await found.try(() => refuseShared(host, others, names));
  for (const each of theirs) await found.try(() => refuseMore(host, guest, each));
  const removals: RemovePlan[] = [];
  for (const name of names) {
    const ending = { place: host.name, domid };
    const removal = await found.try(() => planRemove({ members, name, volumes: 'removed', ending }));
    if (removal !== undefined) removals.push(removal);
  }
  const config = await found.try(() => on(peer.name, () => configThere(peer, { site, guest, names })));
  found.throwAll();
  return { removals, peer: config };
}

/** The resources of its disks. Throws RefusedError for a DRBD device without a resource. */
async function replicasOf(host: ReadHost, guest: GuestConfig): Promise<readonly Resource[]> {
  const disks = guest.disks.filter((disk) => isReplicated(wordsOf(disk)));
  const all = disks.length === 0 ? [] : await resources(host);
  const found = new Map<string, Resource>();
  for (const disk of disks) {
    const otherwise = `; or keep the replicated disks: ${option('--keep-replicas', "replicas: 'kept'")}`;
    const resource = await replicaOf(host, all, disk, otherwise);
    found.set(resource.name, resource);
  }
  return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The resource of a disk. Throws RefusedError, with `otherwise` after the remedy, if it is not up here. */
async function replicaOf(
  host: ReadHost,
  all: readonly Resource[],
  disk: Disk,
  otherwise = '',
): Promise<Resource> {
  const name = resourceNameOf(disk);
  const resource =
    name === undefined
      ? await resourceAt(host, all, wordsOf(disk))
      : all.find((each) => each.name === name && each.state !== undefined);
  if (resource !== undefined) return resource;
  throw new RefusedError(`${wordsOf(disk)} is not a device of a DRBD resource that is up here`, {
    remedy: `see which resource it is: bofh drbd list; then bring it up: bofh drbd up RESOURCE${otherwise}`,
  });
}

/**
 * The device beneath a replicated disk on this host, whose first `size` bytes are the content of the disk; the metadata of DRBD
 * follows it.
 *
 * @throws RefusedError if the data of this host is not up to date, or if the other host may have newer data.
 */
export async function copyHere(
  host: ReadHost,
  { disk, guest }: { readonly disk: Disk; readonly guest: string },
): Promise<{ readonly resource: string; readonly device: string; readonly size: Bytes }> {
  const { name, here, state } = await replicaOf(host, await resources(host), disk);
  const minor = disk.path === undefined ? undefined : await minorAt(host, disk.path);
  // A disk named by its resource is the first volume.
  const volume =
    minor === undefined ? state?.volumes[0] : state?.volumes.find((each) => each.minor === minor);
  const device = here?.volumes.find((each) => each.volume === volume?.volume)?.disk;
  if (state === undefined || volume?.size === undefined || device === undefined)
    throw new RefusedError(`this host has no disk for the DRBD resource ${name}`, {
      remedy: `see which host has one: bofh drbd show ${name}`,
    });
  const user = state.connections.find(({ role }) => role === 'Primary');
  if (state.role !== 'Primary' && user !== undefined)
    throw new RefusedError(`the DRBD resource ${name}, a disk of ${guest}, is in use on ${user.peer}`, {
      remedy: `back up ${guest} there: bofh vm backup ${guest} DIR`,
    });
  const isApart =
    state.connections.length === 0 || state.connections.some((each) => each.state !== 'Connected');
  if (volume.disk !== 'UpToDate') {
    const wait = `bofh drbd wait-sync ${name}`;
    const bare = volume.disk === 'Diskless';
    const connected = isApart ? reconnect(name, state) : `wait until it is: ${wait}`;
    throw new RefusedError(
      `the data of the DRBD resource ${name} on this host is not up to date (${volume.disk})`,
      { remedy: bare ? `attach its disk, and wait: bofh drbd attach ${name}; ${wait}` : connected },
    );
  }
  if (state.role !== 'Primary' && isApart)
    throw new RefusedError(
      `the DRBD resource ${name} is not connected to the other host, which may have newer data`,
      { remedy: reconnect(name, state) },
    );
  return { resource: name, device, size: volume.size };
}

/** Whether a disk is a DRBD device, named by any link of udev or by its resource. */
export function isReplicated(words: string): boolean {
  return words.startsWith('/dev/drbd') || words.startsWith('drbd:');
}

/** Refuses a resource with a volume that is not a disk of the guest: the resource is removed with all its volumes. */
async function refuseMore(
  host: ReadHost,
  guest: GuestConfig,
  { name, here, state }: Resource,
): Promise<void> {
  const own = new Set<number | undefined>();
  for (const path of pathsOf(guest).filter(isReplicated)) own.add(await minorAt(host, path));
  const volumes = [...(here?.volumes ?? []), ...(state?.volumes ?? [])];
  // A disk named by its resource is the first volume.
  if (guest.disks.some((disk) => resourceNameOf(disk) === name)) own.add(volumes[0]?.minor);
  const more = volumes.find(({ minor }) => !own.has(minor));
  if (more !== undefined)
    throw new RefusedError(
      `the DRBD resource ${name} also has ${deviceOf(more.minor)}, which is not a disk of the guest ${guest.name}`,
      {
        remedy: `keep the replicated disks with ${option('--keep-replicas', "replicas: 'kept'")}; later, if nothing in ${name} is needed: bofh drbd remove ${name}`,
      },
    );
}

async function refuseShared(
  host: ReadHost,
  others: readonly GuestConfig[],
  names: readonly string[],
): Promise<void> {
  const all = await resources(host);
  for (const other of others) {
    for (const path of pathsOf(other).filter(isReplicated)) {
      const shared = await resourceAt(host, all, path);
      if (shared !== undefined && names.includes(shared.name)) throw alsoOf(path, other);
    }
    // Any script may attach the resource by its name.
    const byName = other.disks.find(({ path, target }) => path === undefined && names.includes(target));
    if (byName !== undefined) throw alsoOf(wordsOf(byName), other);
  }
}

function alsoOf(disk: string, { name }: GuestConfig): RefusedError {
  return new RefusedError(`${disk} is also a disk of the guest ${name}`, {
    remedy: 'remove the disk from one of the two configurations: bofh vm disk detach GUEST DISK',
  });
}

/**
 * Checks the other host, where the same guest may be configured as a standby. It must not run there, and no
 * other guest may have its disks.
 */
async function configThere(
  { host, place, name: at }: Member,
  {
    site,
    guest,
    names,
  }: { readonly site: Site; readonly guest: GuestConfig; readonly names: readonly string[] },
): Promise<ReplicasPlan['peer']> {
  const [running] = await domains(host, (domain) => domain.name === guest.name);
  if (running !== undefined)
    throw new RefusedError(`there is a domain ${guest.name} (id ${running.id}, ${running.state})`, {
      remedy: `see which one it is, there: bofh vm show ${guest.name}`,
    });
  const { guests, problems } = await guestConfigs(host, site.guestConfigDirs);
  refuseUnread(problems, 'whether another guest has the same disks');
  const same = guests.filter((each) => each.name === guest.name);
  await refuseShared(
    host,
    guests.filter((each) => !same.includes(each)),
    names,
  );
  const [only, ...more] = same;
  if (only === undefined) return undefined;
  if (more.length > 0 || JSON.stringify(only.disks.map(wordsOf)) !== JSON.stringify(guest.disks.map(wordsOf)))
    throw new RefusedError(
      `${only.file} configures a guest of the same name, ${guest.name}, with other disks`,
      {
        remedy: 'check whether it is a different guest; then move the file away, or rename the guest in it',
      },
    );
  const config = await removableConfig(host, only.file);
  const links = await autostartLinks(host, config);
  return { place, name: at, config, sha256: sha256(await host.readFile(config)), links };
}
