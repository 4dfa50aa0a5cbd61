import { orMissing, type ReadHost } from '../command/index.ts';
import { type Resource, resourceNamed, resources } from '../drbd/index.ts';
import { RefusedError } from '../core/errors.ts';
import { textFile } from '../file/index.ts';
import type { Tx } from '../operations.ts';
import { on, refusals } from '../core/refusals.ts';
import { type Member, type Members, type Reachable, reserveOn, stepsOn } from '../replica/hosts.ts';
import { changeRole } from '../replica/role.ts';
import type { Site } from '../site.ts';
import { domainOfGuest, guestIn } from './configured.ts';
import { type GuestConfig } from '../xen/index.ts';
import { autostartLinks, autostartPath } from './autostart.ts';
import {
  checkClashes,
  checkConfigPath,
  checkFreeMemory,
  checkVif,
  followed,
  refuseUnread,
} from './checks.ts';
import { domainOf, type RemovePlan } from './remove.ts';
import { removableConfig, resourceNameOf, wordsOf } from './guest-file.ts';
import type { CheckedMove } from './request.ts';
import { isReplicated } from './replicas.ts';
import { resourceOf } from './start.ts';

/** The plan to move a guest to another host. */
export interface MovePlan {
  readonly name: string;
  readonly members: Members;
  readonly config: {
    readonly path: string;
    readonly sha256: string;
    readonly content: string;
    readonly mode: number;
    /** `same`: the other host also has the configuration, as a standby, and both keep it. */
    readonly there: 'none' | 'same';
  };
  /** The links that start it at boot: here they are removed, and there one is created (undefined: none is needed). */
  readonly links: { readonly here: readonly string[]; readonly there: string | undefined };
  /** Undefined if the guest does not run; then it will not be started. */
  readonly domain: RemovePlan['domain'];
  /** The resources of its disks, in the order of their names. */
  readonly resources: readonly { readonly name: string; readonly isPrimary: boolean }[];
  readonly timeoutMs: number;
}

/** A guest that was moved to another host. */
export interface MovedVm {
  readonly name: string;
  readonly from: string;
  readonly to: string;
  readonly config: string;
  readonly resources: readonly string[];
  readonly domid: number | undefined;
}

/**
 * Makes all checks on both hosts before anything changes. Every disk of the guest must be a DRBD
 * device with data that is up to date on both.
 */
export async function planMove(options: {
  readonly members: Members;
  readonly site: Site;
  readonly request: CheckedMove;
}): Promise<MovePlan> {
  const { members, site, request } = options;
  const [from, to] = members;
  const { host } = from;
  const { name, timeoutMs = 300_000 } = request;
  const { guest, guests, problems } = await guestIn(host, { name, site });
  const found = refusals();
  const running = await found.try(() => domainOfGuest(host, guest));
  const domain = await found.try(() => domainOf(running, { guest, running: 'shutdown' }));
  const path = await found.try(() => removableConfig(host, guest.file));
  await found.try(() => refuseUnread(problems, 'whether another guest has the same disks'));
  const used = await found.try(() => replicated(from, { guest, guests }));
  for (const each of used ?? []) await found.try(() => checkPeer(each, to));
  const isSame = path === undefined ? false : await found.try(() => isSameThere(members, path));
  const own = isSame === true ? path : undefined;
  if (own === undefined)
    await found.try(() => on(to.name, () => checkConfigPath(to.host, path ?? guest.file, true)));
  const links = await found.try(() => autostartLinks(host, path ?? guest.file));
  const link =
    links?.[0] === undefined
      ? undefined
      : await found.try(() => on(to.name, () => linkThere(to.host, { name, path: path ?? guest.file })));
  for (const mac of macsOf(guest))
    await found.try(() =>
      on(to.name, () => checkClashes({ host: to.host, site, name, mac, own, keeps: true })),
    );
  for (const vif of guest.vifs) await found.try(() => on(to.name, () => checkVif(to.host, vif)));
  await found.try(() => on(to.name, () => checkFiles(to.host, guest)));
  const less = `give ${name} less memory on ${from.name} (bofh vm set ${name} memory=SIZE)`;
  if (domain !== null) await found.try(() => on(to.name, () => checkFreeMemory(to.host, guest, less)));
  found.throwAll();
  if (path === undefined || used === undefined) throw new TypeError('a refusal was not reported');
  return {
    ...{ name, members, timeoutMs },
    config: { path, ...(await textFile(host, path)), there: own === undefined ? 'none' : 'same' },
    links: { here: links ?? [], there: link },
    domain: domain ?? undefined,
    resources: used.map((each) => ({ name: each.name, isPrimary: each.state?.role === 'Primary' })),
  };
}

/**
 * Moves a guest: shuts it down here, hands over its disks, moves its configuration (or keeps both, if both
 * hosts had it) and its start at boot, and starts it there. If a step fails, the guest runs here again.
 */
export async function moveVm(tx: Tx, hosts: Reachable, plan: MovePlan): Promise<MovedVm> {
  const { name, config, domain, links } = plan;
  const [from, to] = plan.members;
  const [here, there] = [stepsOn(tx, hosts, from), stepsOn(tx, hosts, to)];
  const { path, content, mode } = config;
  const files = [path, ...links.here, links.there ?? []].flat();
  const keys = [
    `dom:${name}`,
    ...new Set(files.map((each) => `file:${each}`)),
    ...plan.resources.map((each) => `drbd:${each.name}`),
  ];
  await reserveOn(tx, hosts, plan.members, keys);
  for (const member of config.there === 'same' ? plan.members : [from])
    if ((await orMissing(textFile(member.host, path)))?.sha256 !== config.sha256)
      throw new RefusedError(`${path} on ${member.name} was changed meanwhile; nothing was done`, {
        remedy: 'run the command again',
      });
  if (domain !== undefined)
    await here.xen.shutdown({
      name,
      uuid: domain.uuid,
      config: path,
      how: domain.how,
      timeoutMs: plan.timeoutMs,
    });
  for (const { name: resource, isPrimary } of plan.resources)
    await changeRole(tx, hosts, {
      ...{ name: resource, to, other: from, from: isPrimary ? from : undefined },
      ...{ sync: 'over', limitMs: 0 },
    });
  if (config.there === 'none') await there.file.create({ path, content, mode });
  if (links.there !== undefined) await there.file.link({ path: links.there, to: path });
  for (const each of links.here) await here.file.link({ path: each, to: null });
  if (config.there === 'none') await here.file.remove({ path, sha256: config.sha256 });
  const started = domain === undefined ? undefined : await there.xen.create({ config: path, name });
  return {
    ...{ name, from: from.name, to: to.name, config: path, domid: started?.domid },
    resources: plan.resources.map((each) => each.name),
  };
}

/** Whether the other host already has the same file. */
async function isSameThere([from, to]: Members, path: string): Promise<boolean> {
  if ((await to.host.stat(path))?.kind !== 'file') return false;
  const [own, its] = [await from.host.readFile(path), await to.host.readFile(path)];
  return Buffer.from(own).equals(Buffer.from(its));
}

/** The link to create on the other host; undefined if it has one. */
async function linkThere(
  host: ReadHost,
  { name, path }: { readonly name: string; readonly path: string },
): Promise<string | undefined> {
  return (await autostartLinks(host, path)).length > 0 ? undefined : await autostartPath(host, name);
}

function macsOf({ vifs }: GuestConfig): readonly (string | undefined)[] {
  const macs = vifs.flatMap(({ mac }) => mac ?? []);
  return macs.length === 0 ? [undefined] : macs;
}

/** The resources of a guest's disks. Throws if a disk is not replicated. */
async function replicated(
  { host, name: at }: Member,
  { guest, guests }: { readonly guest: GuestConfig; readonly guests: readonly GuestConfig[] },
): Promise<readonly Resource[]> {
  const all = await resources(host);
  const found = new Map<string, Resource>();
  for (const disk of guest.disks) {
    if (disk.format === 'empty') continue;
    const resource = await resourceOf(host, all, disk);
    if (resource !== undefined && resourceNameOf(disk) !== undefined)
      throw new RefusedError(
        `the disk ${disk.vdev} of ${guest.name} is ${wordsOf(disk)}, so Xen makes the resource primary by itself: bofh moves only disks that name their device`,
        {
          remedy: `see its device: bofh drbd show ${resource.name}; name it in ${guest.file} (phy:/dev/drbdN), then run the command again`,
        },
      );
    if (resource === undefined)
      throw new RefusedError(
        `the disk ${wordsOf(disk)} of ${guest.name} is not a DRBD device that is up on ${at}`,
        {
          remedy: `see the resources: bofh drbd list; bring one up: bofh drbd up RESOURCE; or replicate the disk: bofh drbd convert VG/NAME --to HOST`,
        },
      );
    found.set(resource.name, resource);
  }
  for (const other of guests.filter(({ file }) => file !== guest.file))
    for (const disk of other.disks) {
      const shared = isReplicated(wordsOf(disk)) ? await resourceOf(host, all, disk) : undefined;
      if (shared !== undefined && found.has(shared.name))
        throw new RefusedError(
          `${wordsOf(disk)} of the resource ${shared.name} is also a disk of the guest ${other.name}`,
          {
            remedy: 'a resource moves to the other host as a whole: give each guest its own resource',
          },
        );
    }
  if (found.size === 0)
    throw new RefusedError(`${guest.name} has no replicated disk`, {
      remedy: 'replicate its disks first: bofh drbd convert VG/NAME --to HOST',
    });
  return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/**
 * Checks that the other host has all data of the resource, with the same devices, and that nothing uses it
 * there.
 */
async function checkPeer({ name, here, state }: Resource, to: Member): Promise<void> {
  const see = { remedy: `see the state of the resource: bofh drbd status ${name}` };
  const [peer, ...others] = state?.connections ?? [];
  if (peer === undefined || others.length > 0)
    throw new RefusedError(
      `${name} has ${String(others.length + (peer === undefined ? 0 : 1))} peers, not one`,
      see,
    );
  if (peer.state !== 'Connected') throw new RefusedError(`${name} is not connected: ${peer.state}`, see);
  const there = await on(to.name, () => resourceNamed(to.host, name));
  if (devicesOf(there.here) !== devicesOf(here))
    throw new RefusedError(`${name} has other devices on ${to.name} than here`, {
      remedy: `the minor numbers must be the same on both hosts, because the configuration of the guest names the device by its number; compare them on both hosts: bofh drbd show ${name}`,
    });
  if (there.state?.role !== 'Secondary')
    throw new RefusedError(`${name} is ${there.state?.role ?? 'down'} on ${to.name}`, see);
  const worse = [...(state?.volumes ?? []), ...there.state.volumes].find(({ disk }) => disk !== 'UpToDate');
  if (worse !== undefined)
    throw new RefusedError(
      `volume ${String(worse.volume)} of ${name} is not UpToDate on both hosts: ${worse.disk}`,
      {
        remedy: `wait until both are: bofh drbd wait-sync ${name}`,
      },
    );
}

function devicesOf(of: Resource['here']): string {
  return JSON.stringify((of?.volumes ?? []).map(({ volume, minor }) => [volume, minor]));
}

async function checkFiles(host: ReadHost, { kernel, ramdisk, file }: GuestConfig): Promise<void> {
  for (const path of [kernel, ramdisk])
    if (path !== undefined && (await followed(host, path)) === undefined)
      throw new RefusedError(
        `there is no ${path}, which ${file} names as the kernel or ramdisk of the guest`,
        {
          code: 'not-found',
          remedy: `copy the kernel and ramdisk there, to the same path: ${path}`,
        },
      );
}
