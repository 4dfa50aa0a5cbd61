import { posix } from 'node:path';
import { inShell, moveAway, type ReadHost } from '../command/index.ts';
import { RefusedError, UsageError } from '../core/errors.ts';
import { sha256, textFile } from '../file/index.ts';
import { checkLvName, dmName, type LogicalVolume } from '../lvm/index.ts';
import type { Tx } from '../operations.ts';
import type { Site } from '../site.ts';
import { domainOfGuest, guestIn } from './configured.ts';
import { parseDisk, domainRemedy, refuseUnrestartable, withItems, withSettings } from '../xen/index.ts';
import { autostartLinks } from './autostart.ts';
import { withSockets } from './channels.ts';
import { checkClashes } from './checks.ts';
import { removableConfig, wordsOf } from './guest-file.ts';
import { checkGuestName, diskNames } from './names.ts';
import { disksOf, domainOf } from './remove.ts';
import type { CheckedRename } from './request.ts';
import { refuseSnapshots } from './snapshot-files.ts';
import { startVm } from './start.ts';
import { option } from '../core/option.ts';

/** How a guest will be renamed. */
export interface RenamePlan {
  readonly name: string;
  readonly to: string;
  /** The domain that is shut down and started again; undefined if the guest is off. */
  readonly domain: { readonly uuid: string; readonly how: 'shutdown' | 'shutdown or destroy' } | undefined;
  readonly timeoutMs: number;
  /** The file is renamed too if it is named after the guest. */
  readonly config: {
    readonly from: string;
    readonly to: string;
    readonly sha256: string;
    readonly mode: number;
    /** Text with one character per byte. */
    readonly content: string;
  };
  readonly volumes: readonly {
    readonly vg: string;
    readonly name: string;
    readonly to: string;
    readonly uuid: string;
  }[];
  /** Disks that keep their names. */
  readonly kept: readonly string[];
  /** Links for the start at boot: `to` null removes one. */
  readonly links: readonly { readonly path: string; readonly to: string | null }[];
}

/** Makes all checks before anything is done. */
export async function planRename(options: {
  readonly host: ReadHost;
  readonly site: Site;
  readonly name: string;
  readonly to: string;
  readonly how: CheckedRename;
}): Promise<RenamePlan> {
  const { host, site, name, to, how } = options;
  checkGuestName(to);
  if (to === name) throw new UsageError(`${name} has that name already`);
  const { guest, guests, problems } = await guestIn(host, { name, site });
  await checkClashes({ host, site, name: to, mac: undefined });
  await refuseSnapshots(host, name);
  const running = await domainOfGuest(host, guest);
  if (running !== undefined && running.state !== 'running')
    throw new RefusedError(`the domain ${name} (id ${running.id}) is ${running.state}`, {
      remedy: domainRemedy(running),
    });
  if (running !== undefined && !how.restart)
    throw new RefusedError(
      `${name} runs as domain ${running.id}, and its disks cannot be renamed while it runs`,
      {
        remedy: `${option(`bofh vm rename ${name} ${to} --restart`, 'restart: true')}; or first: bofh vm stop ${name}`,
      },
    );
  if (running !== undefined) await refuseUnrestartable(host, guest, running);
  const ends = domainOf(running, { guest, running: 'shutdown' }) ?? undefined;
  const domain =
    ends === undefined
      ? undefined
      : { uuid: ends.uuid, how: how.force ? ('shutdown or destroy' as const) : ('shutdown' as const) };
  const { found } = await disksOf(host, { guest, guests, problems });
  const volumes = found.flatMap(({ lv, all }) => renamed(lv, all, { name, to, site }));
  const from = await removableConfig(host, guest.file);
  const bytes = await host.readFile(from);
  const stat = await host.stat(from);
  const path = posix.join(
    posix.dirname(from),
    posix.basename(from) === `${name}.cfg` ? `${to}.cfg` : posix.basename(from),
  );
  if (path !== from) await checkNewFile(host, { from, path, owner: [stat?.uid, stat?.gid] });
  const named = withSettings({ text: bytes, file: from }, { name: to });
  const apart = withSockets({ text: named, file: from }, { from: name, to });
  const content = withItems({ text: apart, file: from }, 'disk', (item) => newTarget(item, volumes));
  const disks = guest.disks.map(({ path: disk }) => disk);
  const odd = volumes.find((volume) => !pathsOf(volume, volume.name).some((each) => disks.includes(each)));
  // A link such as /dev/disk/by-id/dm-name-… would lead nowhere afterwards.
  if (odd !== undefined)
    throw new RefusedError(`${from} names the volume ${odd.vg}/${odd.name} by another path`, {
      remedy: `write ${pathsOf(odd, odd.name)[0]} into ${from} instead; then run the command again`,
    });
  const renames = new Set(volumes.flatMap((volume) => pathsOf(volume, volume.name)));
  return {
    ...{ name, to, domain, timeoutMs: how.timeoutMs ?? 300_000 },
    config: {
      ...{ from, to: path, sha256: sha256(bytes), mode: stat?.mode ?? 0o644 },
      content: content.toString('latin1'),
    },
    volumes,
    kept: guest.disks.filter((disk) => !renames.has(disk.path ?? '')).map(wordsOf),
    links: path === from ? [] : await newLinks(host, { name, to, from, path }),
  };
}

/** Renames the guest. The undo starts it again under its old name. */
export async function renameVm(
  tx: Tx,
  host: ReadHost,
  plan: RenamePlan,
): Promise<{ readonly domid?: number }> {
  const { name, to, domain, timeoutMs, config, volumes, links } = plan;
  if (domain !== undefined) await tx.xen.shutdown({ name, ...domain, config: config.from, timeoutMs });
  for (const volume of volumes) await tx.lvm.renameLv(volume);
  const { content, mode, sha256: seen } = config;
  if (config.to === config.from)
    await tx.file.change({ path: config.from, content, encoding: 'latin1', sha256: seen });
  else {
    const text = Buffer.from(content, 'latin1').toString('utf8');
    await tx.file.create({ path: config.to, content: text, mode });
    await tx.file.remove({ path: config.from, sha256: seen });
  }
  for (const link of links) await tx.file.link(link);
  return domain === undefined ? {} : await startVm(tx, { host, config: config.to, name: to });
}

/**
 * The name that a volume of a guest has under the guest's new name; undefined if it is not named after the
 * guest.
 */
export function renamedVolume(
  lv: string,
  { name, to, site }: { readonly name: string; readonly to: string; readonly site: Site },
): string | undefined {
  const [old, fresh] = [diskNames(site, name), diskNames(site, to)];
  if (lv === old.root) return fresh.root;
  if (lv === old.swap) return fresh.swap;
  const rest = lv.startsWith(name) ? lv.slice(name.length) : undefined;
  return rest === '' || /^[-_.+]/.test(rest ?? 'x') ? to + (rest ?? '') : undefined;
}

/** The new name of a volume whose name comes from the guest: one that `vm create` gives, or NAME-…. */
function renamed(
  { vg, name: lv, uuid }: LogicalVolume,
  all: readonly LogicalVolume[],
  { name, to, site }: { readonly name: string; readonly to: string; readonly site: Site },
): RenamePlan['volumes'] {
  const wanted = renamedVolume(lv, { name, to, site });
  if (wanted === undefined) return [];
  checkLvName(vg, wanted);
  const taken = all.find((each) => each.name === wanted);
  if (taken !== undefined)
    throw new RefusedError(`there is a logical volume ${taken.fullName} already (uuid ${taken.uuid})`, {
      code: 'exists',
      remedy: `choose another name, or rename that one: bofh lvm rename ${taken.fullName} NAME`,
    });
  return [{ vg, name: lv, to: wanted, uuid }];
}

/** Both paths of a volume. */
export function pathsOf({ vg }: { readonly vg: string }, name: string): readonly [string, string] {
  return [`/dev/${vg}/${name}`, `/dev/mapper/${dmName(vg, name)}`];
}

/** The part of a disk specification that names one of these volumes, with its new path. */
export function newTarget(
  item: string,
  volumes: readonly {
    readonly vg: string;
    readonly name: string;
    readonly to: string;
    /** The group of the new volume; default: the same. */
    readonly toVg?: string;
  }[],
): { readonly from: string; readonly to: string } | undefined {
  const disk = parseDisk(item);
  if (typeof disk === 'string' || disk.path === undefined) return undefined;
  for (const volume of volumes) {
    const at = pathsOf(volume, volume.name).indexOf(disk.path);
    const to = pathsOf({ vg: volume.toVg ?? volume.vg }, volume.to)[at];
    // A target that is not absolute is below /dev.
    if (to !== undefined)
      return { from: disk.target, to: disk.target.startsWith('/') ? to : to.slice('/dev/'.length) };
  }
  return undefined;
}

async function checkNewFile(
  host: ReadHost,
  of: {
    readonly from: string;
    readonly path: string;
    readonly owner: readonly (number | undefined)[];
  },
): Promise<void> {
  const { from, path, owner } = of;
  if ((await host.stat(path)) !== undefined)
    throw new RefusedError(`${path} exists already`, {
      code: 'exists',
      remedy: `${moveAway(path)}; or choose another name`,
    });
  await textFile(host, from);
  if (owner.some((id) => id !== 0))
    throw new RefusedError(`${from} does not belong to root, but the renamed file would belong to root`, {
      remedy: `chown root:root ${inShell(from)}`,
    });
}

async function newLinks(
  host: ReadHost,
  of: { readonly name: string; readonly to: string; readonly from: string; readonly path: string },
): Promise<RenamePlan['links']> {
  const { name, to, from, path } = of;
  const links: RenamePlan['links'][number][] = [];
  for (const link of await autostartLinks(host, from)) {
    const own = posix.basename(link) === `${name}.cfg`;
    const fresh = own ? posix.join(posix.dirname(link), `${to}.cfg`) : link;
    const says = await host.readLink(link);
    const direct = posix.resolve(posix.dirname(link), says) === from;
    const target = direct ? posix.join(posix.dirname(says), posix.basename(path)) : path;
    if (own && (await host.stat(fresh)) !== undefined)
      throw new RefusedError(`${fresh} exists already`, {
        code: 'exists',
        remedy: `see what it is: ls -l ${inShell(fresh)}`,
      });
    links.push({ path: link, to: null }, { path: fresh, to: target });
  }
  return links;
}
