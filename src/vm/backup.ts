import { posix } from 'node:path';
import { recognise, size as sizeOf } from '../blockdevice/index.ts';
import { follow, type ReadHost, refuseExposed } from '../command/index.ts';
import { RefusedError, UsageError } from '../core/errors.ts';
import { present } from '../core/present.ts';
import { on } from '../core/refusals.ts';
import { textFile } from '../file/index.ts';
import type { Tx } from '../operations.ts';
import { type Member, memberAt, type Reachable, stepsOn } from '../replica/hosts.ts';
import type { Site } from '../site.ts';
import { type Domain, type GuestConfig, guestConfig, parseConfig } from '../xen/index.ts';
import { backupsIn, directoryAt } from './backups.ts';
import { followed } from './checks.ts';
import { type Backup, backupName, manifestText, type SavedDisk } from './manifest.ts';
import { checkGuestName } from './names.ts';
import { planMoment, type SnapshotDisk, takeSnapshots } from './moment.ts';
import type { CheckedBackup } from './request.ts';

/** A disk to save, and the snapshot from which it is read. */
interface BackupDisk extends SnapshotDisk {
  readonly content: SavedDisk['content'];
  /** Absolute path of the new file. */
  readonly file: string;
}

/** How a guest will be saved. */
export interface BackupPlan {
  readonly name: string;
  /** Absolute path of the new manifest. */
  readonly path: string;
  readonly time: string;
  readonly domain: Domain | undefined;
  /** Whether the filesystems of the guest will be frozen. */
  readonly frozen: boolean;
  readonly config: { readonly mode: number; readonly content: string };
  readonly disks: readonly BackupDisk[];
  /** Older backups of the guest that will be removed, oldest first. */
  readonly surplus: readonly Backup[];
  /** Who can decrypt it; undefined: it is not encrypted. */
  readonly recipients: readonly string[] | undefined;
  /** The host that gets it; undefined: the host of the guest. */
  readonly to: Pick<Member, 'asked' | 'place'> | undefined;
}

/** A directory for backups. */
export interface BackupTarget {
  /** The host that has the directory; undefined: the host of the guests. */
  readonly to: Member | undefined;
  /** The real path of the directory. */
  readonly directory: string;
}

/**
 * The directory for backups that `text` names: a path on the host of the guests, or `HOST:/PATH` on another one. Throws
 * UsageError if it does not exist, ConnectionError if the host cannot be reached.
 */
export async function targetOf(hosts: Reachable, text: string): Promise<BackupTarget> {
  const { host } = hosts;
  const { name, path } = awayIn(text) ?? {};
  if (name === undefined || path === undefined)
    return { to: undefined, directory: await directoryAt(host, text) };
  const to = await memberAt(hosts, name);
  if (to.place === host.name) return { to: undefined, directory: await directoryAt(host, path) };
  if (host.name !== '')
    throw new RefusedError(`bofh sends a backup only from the host that it runs on, not from ${host.name}`, {
      remedy: `run it on ${host.name}, or name a directory there`,
    });
  return { to, directory: await on(to.asked, () => directoryAt(to.host, path)) };
}

/** The host and the path of `HOST:/PATH`; undefined for a path. Throws UsageError for a relative path on another host. */
export function awayIn(text: string): { readonly name: string; readonly path: string } | undefined {
  const { name, path } = /^(?<name>[^/:]+):(?<path>.*)$/s.exec(text)?.groups ?? {};
  if (name === undefined || path === undefined) return undefined;
  if (path.startsWith('/')) return { name, path };
  throw new UsageError(`"${path}" is relative, but there is no current directory on ${name}`, {
    remedy: `give its absolute path: ${name}:/DIR; or, if you mean a directory of this host whose name has a colon: ./${text}`,
  });
}

/** Makes all checks before anything is done. */
export async function planBackup(options: {
  readonly hosts: Reachable;
  readonly site: Site;
  readonly name: string;
  readonly directory: string;
  readonly how: CheckedBackup;
  readonly now: Date;
}): Promise<BackupPlan> {
  const { hosts, site, name, how, now } = options;
  const { host } = hosts;
  const { to, directory } = await targetOf(hosts, options.directory);
  const { snapshotSize, freeze } = how;
  const of = { site, name, suffix: 'backup', use: 'saves', snapshotSize, freeze, replicated: true };
  const { guest, domain, frozen, disks: planned } = await planMoment(host, of);
  refuseUnrestorable(name);
  const base = posix.join(directory, backupName(name, now));
  const { recipients } = how;
  for (const file of recipients?.filter((each) => each.startsWith('/')) ?? []) {
    if ((await followed(host, file)) === undefined)
      throw new UsageError(`there is no file ${file}`, { code: 'not-found' });
    // A user who can write this file can add a key, and decrypt the backups with it.
    await refuseExposed(host, file, 'content');
  }
  const ending = recipients === undefined ? 'zst' : 'zst.age';
  const disks: BackupDisk[] = [];
  for (const disk of planned)
    disks.push({ ...disk, content: await contentOf(host, disk), file: `${base}.${disk.vdev}.${ending}` });
  return {
    ...{ recipients, to, name, path: `${base}.json`, time: now.toISOString(), domain, frozen, disks },
    config: await configOf(host, guest),
    surplus:
      how.keep === undefined ? [] : await outdated(to?.host ?? host, { directory, name, keep: how.keep }),
  };
}

/** Refuses a guest that bofh did not create, with a name that it does not give: `readBackup` refuses this name. */
function refuseUnrestorable(name: string): void {
  try {
    checkGuestName(name);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new UsageError(
      `bofh could not restore a backup of a guest with the name ${name}, so it makes none: ${error.message}`,
      {
        cause: error,
        remedy: `rename it first: bofh vm rename ${name} NAME`,
      },
    );
  }
}

async function contentOf(
  host: ReadHost,
  { active, vg, volume, replica }: SnapshotDisk,
): Promise<BackupDisk['content']> {
  const found = active ? await recognise(host, `/dev/${vg}/${volume}`, replica?.size) : undefined;
  return found === undefined
    ? null
    : { type: found.type, uuid: found.uuid ?? null, label: found.label ?? null };
}

/**
 * The config file of a guest, with its content unchanged. Throws RefusedError if it does not have
 * the disks that were planned: they could not be restored with it.
 */
export async function configOf(host: ReadHost, { file, disks }: GuestConfig): Promise<BackupPlan['config']> {
  const { content } = await textFile(host, file);
  const now = guestConfig(parseConfig({ text: content, file }));
  if (JSON.stringify(now.disks) !== JSON.stringify(disks))
    throw new RefusedError(`the disks in ${file} were changed meanwhile`, {
      code: 'differs',
      remedy: 'run the command again',
    });
  const { mode = 0o644, kind } = (await follow(host, file)).stat ?? {};
  return { mode: kind === 'file' ? mode & 0o777 : 0o644, content };
}

/** The complete backups of a guest beyond `keep`, counting a new one; oldest first. */
export async function outdated(
  host: ReadHost,
  of: { readonly directory: string; readonly name: string; readonly keep: number },
): Promise<readonly Backup[]> {
  const { backups } = await backupsIn(host, of.directory);
  const own = backups.filter(({ guest }) => guest === of.name);
  return own.slice(0, Math.max(0, own.length - (of.keep - 1)));
}

/** A guest that was saved. */
export interface SavedVm {
  readonly name: string;
  /** The host that has it, as it was named; undefined: the host of the guest. */
  readonly host: string | undefined;
  /** Absolute path of the manifest. */
  readonly path: string;
  readonly time: string;
  /** Whether its filesystems were frozen for the snapshots. */
  readonly frozen: boolean;
  readonly disks: readonly SavedDisk[];
  /** Manifests of the older backups that were removed. */
  readonly removed: readonly string[];
}

/**
 * Backs up a guest. All disks are saved as they were at one moment, from snapshots that are removed as soon
 * as they are not needed. The manifest is written last, and makes the files a backup.
 */
export async function backupVm(tx: Tx, hosts: Reachable, plan: BackupPlan): Promise<SavedVm> {
  const { name, path, time, config, domain, frozen, recipients, to } = plan;
  const { host } = hosts;
  const there = to === undefined ? tx : stepsOn(tx, hosts, to);
  const snapshots = await takeSnapshots(tx, host, { ...plan, lasting: false });
  const disks: SavedDisk[] = [];
  for (const { disk, device, release } of snapshots) {
    const { vdev, vg, volume, pool, content, file, replica } = disk;
    // On the other host bofh cannot ask the device.
    const size = replica?.size ?? (to === undefined ? undefined : await sizeOf(host, device));
    const where = to === undefined ? {} : { here: true as const };
    const saved = await there.copy.save({ device, file, ...where, ...present({ recipients, size }) });
    await release();
    disks.push({
      ...{ vdev, vg, volume, pool, size: saved.size, content },
      ...{ sha256: saved.sha256, compression: 'zstd' },
      ...(recipients === undefined ? {} : { encryption: 'age' as const }),
      ...present({ replica: replica?.resource }),
      file: { name: posix.basename(file), size: saved.fileSize, sha256: saved.fileSha256 },
    });
  }
  const state = domain === undefined ? 'off' : domain.state === 'paused' ? 'paused' : 'running';
  const content = manifestText({ guest: name, time, state, frozen, config, disks });
  await there.file.create({ path, content, mode: 0o600 });
  for (const old of plan.surplus) await removeBackup(there, old);
  return { name, host: to?.asked, path, time, frozen, disks, removed: plan.surplus.map((old) => old.path) };
}

/** Removes a backup, the manifest first: without it the files are no longer a backup. */
async function removeBackup(tx: Tx, { path, directory, disks }: Backup): Promise<void> {
  await tx.file.remove({ path });
  for (const { file } of disks) await tx.file.remove({ path: posix.join(directory, file.name) });
}
