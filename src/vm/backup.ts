import { posix } from 'node:path';
import { recognise } from '../blockdevice/index.ts';
import type { ReadHost } from '../command/index.ts';
import { RefusedError, UsageError } from '../core/errors.ts';
import { option } from '../core/option.ts';
import { type Bytes, formatSize } from '../core/units.ts';
import { textFile } from '../file/index.ts';
import { checkLvName, type LogicalVolume, lvs, usableVg } from '../lvm/index.ts';
import type { Tx } from '../operations.ts';
import type { Site } from '../site.ts';
import { type Disk, type Domain, domains, guestConfigs, remedyFor } from '../xen/index.ts';
import { backupsIn, directoryAt } from './backups.ts';
import { resourceNameOf, wordsOf } from './guest-file.ts';
import { type Backup, backupName, manifestText, type SavedDisk } from './manifest.ts';
import { unknown, volumeOf } from './remove.ts';
import type { CheckedBackup } from './request.ts';

/** A disk to save, and the snapshot that is read for it. */
interface BackupDisk {
  readonly vdev: string;
  readonly vg: string;
  readonly volume: string;
  readonly uuid: string;
  readonly pool: string | null;
  /** For a classic snapshot. */
  readonly room: { readonly size: Bytes } | { readonly extents: string } | undefined;
  readonly active: boolean;
  readonly snapshot: string;
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
  readonly config: { readonly mode: number; readonly content: string };
  readonly disks: readonly BackupDisk[];
  /** Older backups of the guest that are removed, the oldest first. */
  readonly surplus: readonly Backup[];
}

/** Makes all checks before anything is done. */
export async function planBackup(options: {
  readonly host: ReadHost;
  readonly site: Site;
  readonly name: string;
  readonly directory: string;
  readonly how: CheckedBackup;
  readonly now: Date;
}): Promise<BackupPlan> {
  const { host, site, name, how, now } = options;
  const directory = await directoryAt(host, options.directory);
  const { guests, problems } = await guestConfigs(host, site.guestConfigDirs);
  const guest = guests.find((each) => each.name === name);
  if (guest === undefined) throw await unknown(host, { name, site, problems });
  const [domain] = await domains(host, (each) => each.name === name);
  if (domain !== undefined && domain.state !== 'running' && domain.state !== 'paused')
    throw new RefusedError(`the domain ${name} (id ${domain.id}) is ${domain.state}`, {
      remedy: remedyFor(domain),
    });
  const base = posix.join(directory, backupName(name, now));
  const known = await lvs(host);
  const disks: BackupDisk[] = [];
  for (const disk of guest.disks)
    if (disk.format !== 'empty') disks.push(await planDisk(host, { name, disk, known, base, how }));
  if (disks.length === 0) throw new UsageError(`${name} has no disk`, { remedy: `bofh vm show ${name}` });
  await refuseNoRoom(host, disks);
  return {
    ...{ name, path: `${base}.json`, time: now.toISOString(), domain, disks },
    config: await configOf(host, guest.file),
    surplus: how.keep === undefined ? [] : await outdated(host, { directory, name, keep: how.keep }),
  };
}

async function planDisk(
  host: ReadHost,
  of: {
    readonly name: string;
    readonly disk: Disk;
    readonly known: readonly LogicalVolume[];
    readonly base: string;
    readonly how: CheckedBackup;
  },
): Promise<BackupDisk> {
  const { name, disk, known, base, how } = of;
  const { vdev, path } = disk;
  const lv = path === undefined || disk.format !== 'raw' ? undefined : await volumeOf(host, known, path);
  if (lv === undefined)
    throw new RefusedError(
      resourceNameOf(disk) === undefined
        ? `the disk ${wordsOf(disk)} of ${name} is no logical volume, and bofh saves only these`
        : `the disk ${wordsOf(disk)} of ${name} is replicated by DRBD, and bofh does not save these`,
      { remedy: `save it inside the guest; bofh vm show ${name} shows its disks` },
    );
  if (!/^[A-Za-z0-9]{1,16}$/.test(vdev))
    throw new UsageError(`the disk ${wordsOf(disk)} of ${name} has the name ${JSON.stringify(vdev)}`, {
      remedy: 'name it in the configuration with letters and digits: xvda',
    });
  const snapshot = `${lv.name}-backup`;
  checkLvName(lv.vg, snapshot);
  const isThin = lv.layout.includes('thin');
  const found = lv.active === true && lv.path !== undefined ? await recognise(host, lv.path) : undefined;
  return {
    ...{ vdev, vg: lv.vg, volume: lv.name, uuid: lv.uuid, snapshot, active: lv.active === true },
    pool: isThin ? (lv.pool?.name ?? null) : null,
    room: isThin
      ? undefined
      : how.snapshotSize === undefined
        ? { extents: '20%ORIGIN' }
        : { size: how.snapshotSize },
    content:
      found === undefined ? null : { type: found.type, uuid: found.uuid ?? null, label: found.label ?? null },
    file: `${base}.${vdev}.zst`,
  };
}

/** RefusedError if a volume group has no space for all snapshots of these disks. */
async function refuseNoRoom(host: ReadHost, disks: readonly BackupDisk[]): Promise<void> {
  for (const name of new Set(disks.map(({ vg }) => vg))) {
    const vg = await usableVg(host, name);
    const wanted = disks.flatMap(({ vg: own, room, volume }) => {
      const size = vg.volumes.find((each) => each.name === volume)?.size ?? 0;
      if (own !== name || room === undefined) return [];
      return [Math.ceil(('size' in room ? room.size : size / 5) / vg.extentSize)];
    });
    const extents = wanted.reduce((sum, each) => sum + each, 0);
    if (extents > vg.freeExtents)
      throw new RefusedError(
        `the snapshots need ${formatSize(extents * vg.extentSize)} in the volume group ${name}, where ${formatSize(vg.free)} is free`,
        {
          code: 'no-space',
          remedy: `give each less with ${option('--snapshot-size', 'snapshotSize')}, or add a device: bofh lvm vg extend ${name} DEVICE`,
        },
      );
  }
}

async function configOf(host: ReadHost, file: string): Promise<BackupPlan['config']> {
  const { content } = await textFile(host, file);
  const { mode = 0o644, kind } = (await host.stat(file)) ?? {};
  return { mode: kind === 'file' ? mode & 0o777 : 0o644, content };
}

/** The backups of a guest that are too many when there is a new one: complete ones, the oldest first. */
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
  /** Absolute path of the manifest. */
  readonly path: string;
  readonly time: string;
  readonly disks: readonly SavedDisk[];
  /** Manifests of the older backups that were removed. */
  readonly removed: readonly string[];
}

/**
 * The recipe. All disks are as they were at one moment: snapshots are read, which are removed as
 * soon as they are not needed. The manifest comes last, and makes it a backup.
 */
export async function backupVm(tx: Tx, host: ReadHost, plan: BackupPlan): Promise<SavedVm> {
  const { name, path, time, config, domain } = plan;
  const snapshots = await snapshotsOf(tx, host, plan);
  const disks: SavedDisk[] = [];
  for (const { disk, device, release } of snapshots) {
    const { vdev, vg, volume, pool, content, file } = disk;
    const saved = await tx.copy.save({ device, file });
    await release();
    disks.push({
      ...{ vdev, vg, volume, pool, size: saved.size, content },
      ...{ sha256: saved.sha256, compression: 'zstd' },
      file: { name: posix.basename(file), size: saved.fileSize, sha256: saved.fileSha256 },
    });
  }
  const state = domain === undefined ? 'off' : domain.state === 'paused' ? 'paused' : 'running';
  const content = manifestText({ guest: name, time, state, config, disks });
  await tx.file.create({ path, content, mode: 0o600 });
  for (const old of plan.surplus) await removeBackup(tx, old);
  return { name, path, time, disks, removed: plan.surplus.map((old) => old.path) };
}

/** Without its manifest it is no backup any more. */
async function removeBackup(tx: Tx, { path, directory, disks }: Backup): Promise<void> {
  await tx.file.remove({ path });
  for (const { file } of disks) await tx.file.remove({ path: posix.join(directory, file.name) });
}

interface Snapshot {
  readonly disk: BackupDisk;
  readonly device: string;
  readonly release: () => Promise<void>;
}

/**
 * Snapshots of all disks. One disk is enough for itself: lvm suspends it. For several, the guest is
 * paused meanwhile.
 */
async function snapshotsOf(tx: Tx, host: ReadHost, plan: BackupPlan): Promise<readonly Snapshot[]> {
  const { name, disks, domain } = plan;
  const pauses = disks.length > 1 && domain?.state === 'running';
  const temporary = tx.temporary;
  const origins = new Map<BackupDisk, { readonly release: () => Promise<void> }>();
  // A classic snapshot is active with its origin.
  for (const disk of disks)
    if (!disk.active && disk.room !== undefined)
      origins.set(disk, await temporary.lvm.activateLv({ vg: disk.vg, name: disk.volume }));
  const pause = pauses
    ? await temporary.xen.set({ name, uuid: domain.uuid, setting: 'paused', to: 1 })
    : undefined;
  const made: Snapshot[] = [];
  for (const disk of disks) {
    const { vg, volume: origin, uuid: originUuid, snapshot, room } = disk;
    const { path, ...lv } = await temporary.lvm.createSnapshot({
      ...{ vg, origin, originUuid, name: snapshot, ...(room ?? { active: true }) },
    });
    const release = async (): Promise<void> => {
      await lv.release();
      await origins.get(disk)?.release();
    };
    made.push({ disk, device: path, release });
  }
  if (disks.length > 1) await refuseChanged(host, plan, pauses ? 'paused' : domain?.state);
  await pause?.release();
  return made;
}

/** Who started, ended or resumed the guest meanwhile has let it write between two snapshots. */
async function refuseChanged(
  host: ReadHost,
  { name, domain }: BackupPlan,
  state: Domain['state'] | undefined,
): Promise<void> {
  const [now] = await domains(host, (each) => each.name === name);
  if (now?.uuid === domain?.uuid && now?.id === domain?.id && now?.state === state) return;
  throw new RefusedError(
    `${name} was ${state ?? 'off'} and is ${now?.state ?? 'off'} now: its disks may differ in time`,
    { remedy: 'give the command again' },
  );
}
