import { keysOf } from '../blockdevice/index.ts';
import type { ReadHost } from '../command/index.ts';
import { CommandError, RefusedError, UsageError } from '../core/errors.ts';
import { option } from '../core/option.ts';
import { sha256 } from '../file/index.ts';
import { type LogicalVolume, lvs } from '../lvm/index.ts';
import { refuseRemoval } from '../lvm/operations/remove-lv.ts';
import type { Tx } from '../operations.ts';
import { type Members, type Reachable, reserveOn, stepsOn } from '../replica/hosts.ts';
import { removeReplica } from '../replica/remove.ts';
import type { Site } from '../site.ts';
import {
  type ConfigProblem,
  type Disk,
  type Domain,
  type GuestConfig,
  domainRemedy,
  stateWords,
} from '../xen/index.ts';
import { refusals } from '../core/refusals.ts';
import { autostartLinks } from './autostart.ts';
import { domainOfGuest, guestIn } from './configured.ts';
import { refuseUnread } from './checks.ts';
import { diskNamed, pathsOf, removableConfig, wordsOf } from './guest-file.ts';
import { isReplicated, planReplicas, type ReplicasPlan } from './replicas.ts';
import type { RemoveRequest } from './request.ts';
import { refuseSnapshots } from './snapshot-files.ts';

/** The action for a running domain. */
export type Running = RemoveRequest['running'];

/** How a guest will be removed. */
export interface RemovePlan {
  readonly name: string;
  readonly config: string;
  /** SHA-256 of the checked config file. */
  readonly sha256: string;
  /** The links that start it at boot. */
  readonly links: readonly string[];
  readonly domain: { readonly uuid: string; readonly how: 'shutdown' | 'destroy' } | undefined;
  readonly volumes: readonly { readonly vg: string; readonly name: string; readonly uuid: string }[];
  /** The replicated disks that are removed on both hosts; undefined if there are none, or if they stay. */
  readonly replicas: ReplicasPlan | undefined;
  /** Disks that are not logical volumes: they are left untouched. */
  readonly kept: readonly string[];
  /** Disks that stay because the request names them. */
  readonly keptDisks: readonly string[];
  readonly timeoutMs: number;
}

/** Makes all checks before anything is done; lists every refusal at once. */
export async function planRemove(options: {
  readonly host: ReadHost;
  readonly site: Site;
  readonly name: string;
  readonly running: Running;
  /** Time limit for the shutdown, in milliseconds. */
  readonly timeoutMs?: number;
  /** Names of disks that stay. */
  readonly keepDisks?: readonly string[];
  /** The hosts of its replicated disks, which are removed too; missing if they stay. */
  readonly members?: Members | undefined;
}): Promise<RemovePlan> {
  const { host, site, name, running, timeoutMs = 120_000, keepDisks = [], members } = options;
  const { guest, guests, problems } = await guestIn(host, { name, site });
  const found = refusals();
  const there = await found.try(() => domainOfGuest(host, guest));
  const domain = await found.try(() => domainOf(there, { guest, running }));
  const staying = (await found.try(() => disksToKeep(guest, keepDisks))) ?? [];
  const removed = { ...guest, disks: guest.disks.filter((disk) => !staying.includes(disk)) };
  const disks = await found.try(() => disksOf(host, { guest: removed, staying, guests, problems }));
  // A guest with snapshots is refused: its volumes cannot be removed separately from them.
  const isFree = await found.try(async () => {
    await refuseSnapshots(host, name);
    return true;
  });
  // Checks before the domain is ended whether the volumes can be removed.
  for (const { lv, all } of isFree === true ? (disks?.found ?? []) : [])
    await found.try(() => refuseRemoval(host, { lv, all }, there?.id));
  const replicas =
    members === undefined
      ? undefined
      : await found.try(() => planReplicas({ members, host, site, guest, guests, domid: there?.id }));
  const config = await found.try(() => removableConfig(host, guest.file));
  const links = await found.try(() => autostartLinks(host, guest.file));
  found.throwAll();
  if (config === undefined) throw new TypeError('a refusal was not reported');
  return {
    name,
    config,
    sha256: sha256(await host.readFile(config)),
    links: links ?? [],
    domain: domain ?? undefined,
    volumes: disks?.volumes ?? [],
    replicas,
    kept: (disks?.kept ?? []).filter((path) => replicas === undefined || !isReplicated(path)),
    keptDisks: staying.map(wordsOf),
    timeoutMs,
  };
}

function disksToKeep(guest: GuestConfig, names: readonly string[]): readonly Disk[] {
  return [...new Set(names)].map((name) => {
    const disk = diskNamed(guest, name);
    if (!isReplicated(wordsOf(disk))) return disk;
    throw new UsageError(`the disk ${name} of ${guest.name} is replicated to another host`, {
      remedy: `keep all its replicated disks: ${option('--keep-replicas', "replicas: 'kept'")}`,
    });
  });
}

/** Removes a guest: before the commit only stops it and renames its objects; after the commit removes them. */
export async function removeVm(tx: Tx, plan: RemovePlan, hosts?: Reachable): Promise<void> {
  const { name, config, domain, replicas } = plan;
  if (replicas !== undefined) await reserveReplicas(tx, replicas, hosts);
  if (domain !== undefined)
    await tx.xen.shutdown({ name, uuid: domain.uuid, config, how: domain.how, timeoutMs: plan.timeoutMs });
  for (const path of plan.links) await tx.file.link({ path, to: null });
  await tx.file.remove({ path: config, sha256: plan.sha256 });
  if (replicas !== undefined) await removeReplicas(tx, replicas, hosts);
  for (const volume of plan.volumes) await tx.lvm.removeLv(volume);
}

/** Locks the replicated disks before the guest is stopped. */
async function reserveReplicas(
  tx: Tx,
  { removals }: ReplicasPlan,
  hosts: Reachable | undefined,
): Promise<void> {
  if (hosts === undefined) throw new UsageError('replicated disks need their two hosts');
  const members = removals[0]?.hosts ?? [];
  await reserveOn(
    tx,
    hosts,
    members,
    removals.map(({ name }) => `drbd:${name}`),
  );
}

async function removeReplicas(
  tx: Tx,
  { peer, removals }: ReplicasPlan,
  hosts: Reachable | undefined,
): Promise<void> {
  if (hosts === undefined) throw new UsageError('replicated disks need their two hosts');
  if (peer !== undefined) {
    const { file } = stepsOn(tx, hosts, peer);
    for (const path of peer.links) await file.link({ path, to: null });
    await file.remove({ path: peer.config, sha256: peer.sha256 });
  }
  for (const each of removals) await removeReplica(tx, hosts, each);
}

/**
 * The domain to end, and how to end it; null if there is none. Throws RefusedError if it is another guest, or
 * if its state cannot be restored.
 */
export function domainOf(
  domain: Domain | undefined,
  { guest, running }: { readonly guest: GuestConfig; readonly running: Running },
): RemovePlan['domain'] | null {
  if (domain === undefined) return null;
  if (guest.uuid !== undefined && domain.uuid !== guest.uuid)
    throw new RefusedError(
      `the domain ${guest.name} (id ${domain.id}) has the uuid ${domain.uuid}, not that of ${guest.file}: it is another guest`,
      { remedy: 'the configuration of that domain is in another directory; to see its uuid: xl list -v' },
    );
  const ends = running === 'destroy' ? ['running', 'paused'] : ['running'];
  // A domain that has crashed or is half-built cannot be restored, so nothing may fail after its
  // end.
  if (running !== 'refuse' && !ends.includes(domain.state))
    throw new RefusedError(`the domain ${guest.name} (id ${domain.id}) is ${domain.state}`, {
      remedy:
        domain.state === 'paused'
          ? `let it run again: bofh vm resume ${guest.name}; or power it off: bofh vm stop ${guest.name} --force-off; then run the command again`
          : domainRemedy(domain),
    });
  if (running === 'refuse') throw inUse(domain);
  return { uuid: domain.uuid, how: running };
}

function inUse(domain: Domain): RefusedError {
  const { name = 'NAME', id, state } = domain;
  const stop = `shut it down first: ${option(`bofh vm remove ${name} --stop`, "running: 'shutdown'")}; or `;
  const off = `power it off: ${option(`bofh vm remove ${name} --force-off`, "running: 'destroy'")}`;
  const remedies = { running: stop + off, paused: off };
  return new RefusedError(`the guest ${domain.name ?? ''} exists as domain ${id} (${stateWords[state]})`, {
    remedy: state === 'running' || state === 'paused' ? remedies[state] : domainRemedy(domain),
  });
}

/**
 * The logical volumes among the guest's disks, active or not. Refuses a volume that is also a disk of another
 * guest, or a disk of this one that stays.
 */
export async function disksOf(
  host: ReadHost,
  options: {
    readonly guest: GuestConfig;
    /** Other disks of the guest, which stay (default: none). */
    readonly staying?: readonly Disk[];
    readonly guests: readonly GuestConfig[];
    readonly problems: readonly ConfigProblem[];
  },
): Promise<{
  readonly volumes: RemovePlan['volumes'];
  readonly kept: readonly string[];
  /** The volumes themselves, each with its group. */
  readonly found: readonly { readonly lv: LogicalVolume; readonly all: readonly LogicalVolume[] }[];
}> {
  const { guest, staying = [], guests, problems } = options;
  refuseUnread(problems, 'whether another guest uses the same disks');
  const known = await lvs(host);
  const stay = new Map<string, string>();
  for (const { path, vdev } of staying) {
    const volume = path === undefined ? undefined : await volumeOf(host, known, path);
    if (volume !== undefined) stay.set(volume.uuid, vdev);
  }
  const others = new Map<string, string>();
  for (const other of guests.filter(({ file }) => file !== guest.file))
    for (const path of pathsOf(other)) {
      const volume = await volumeOf(host, known, path);
      if (volume !== undefined) others.set(volume.uuid, other.name);
    }
  const volumes: { vg: string; name: string; uuid: string }[] = [];
  const kept: string[] = [];
  const found: { lv: LogicalVolume; all: readonly LogicalVolume[] }[] = [];
  for (const disk of guest.disks) {
    const { path } = disk;
    if (path === undefined) {
      if (disk.format !== 'empty') kept.push(wordsOf(disk));
      continue;
    }
    const volume = await volumeOf(host, known, path);
    const user = volume === undefined ? undefined : others.get(volume.uuid);
    if (user !== undefined)
      throw new RefusedError(`${path} is also a disk of the guest ${user}`, {
        remedy: 'remove the disk from one of the two configurations: bofh vm disk detach GUEST DISK',
      });
    const same = volume === undefined ? undefined : stay.get(volume.uuid);
    if (same !== undefined)
      throw new RefusedError(`${path} is also the disk ${same} of ${guest.name}, which would stay`, {
        remedy: `keep the volume: bofh vm disk detach ${guest.name} ${disk.vdev}; then run the command again if more should be removed`,
      });
    if (volume === undefined) kept.push(path);
    // One volume with two paths is one disk to remove.
    else if (!volumes.some(({ uuid }) => uuid === volume.uuid)) {
      volumes.push({ vg: volume.vg, name: volume.name, uuid: volume.uuid });
      found.push({ lv: volume, all: known.filter(({ vgUuid }) => vgUuid === volume.vgUuid) });
    }
  }
  return { volumes, kept, found };
}

/**
 * The logical volume of a path; undefined if it is not one. An inactive one has no device: its path is the
 * one that lvm reports.
 */
export async function volumeOf(
  host: ReadHost,
  known: readonly LogicalVolume[],
  path: string,
): Promise<LogicalVolume | undefined> {
  try {
    const { key } = await keysOf(host, path);
    return known.find(({ vg, name }) => key === `lv:${vg}/${name}`);
  } catch (error) {
    if (error instanceof CommandError && error.reason === 'not-found')
      return known.find((lv) => lv.path === path || lv.dmPath === path);
    if (error instanceof RefusedError) return undefined;
    throw error;
  }
}
