import { randomUuid } from '../core/random.ts';
import { posix } from 'node:path';
import { inShell, type ReadHost } from '../command/index.ts';
import { RefusedError, UsageError } from '../core/errors.ts';
import { option } from '../core/option.ts';
import { present } from '../core/present.ts';
import { refusals } from '../core/refusals.ts';
import type { Bytes } from '../core/units.ts';
import type { Tx } from '../operations.ts';
import type { Site } from '../site.ts';
import {
  type GuestConfig,
  guestConfig,
  guestConfigs,
  parseConfig,
  parseDisk,
  withItems,
  withSettings,
} from '../xen/index.ts';
import {
  byPlace,
  checkClashes,
  checkConfigPath,
  checkFreeMemory,
  checkSpace,
  followed,
  missingBoot,
  refuseSameName,
} from './checks.ts';
import { exclusiveSettings, withSockets, withVifNames } from './channels.ts';
import { resourceNameOf } from './guest-file.ts';
import { withMacs } from './mac.ts';
import { type Backup, readBackup, type SavedDisk, whyIncomplete } from './manifest.ts';
import { checkGuestName, configPath } from './names.ts';
import { renamedVolume } from './rename.ts';
import type { CheckedRestore } from './request.ts';
import { startVm } from './start.ts';

/** A volume to create and fill. */
export interface RestoredDisk {
  readonly vdev: string;
  readonly vg: string;
  readonly volume: string;
  readonly pool: string | undefined;
  readonly size: Bytes;
  readonly file: string;
  readonly sha256: string;
  /** File with the secret key of age; undefined: the file is not encrypted. */
  readonly identity: string | undefined;
  /** The DRBD resource that replicated the disk; undefined: it was not replicated. The new volume is not. */
  readonly replica: string | undefined;
}

/** How a guest will be restored. */
export interface RestorePlan {
  readonly name: string;
  /** Its name in the backup. */
  readonly was: string;
  readonly backup: string;
  readonly time: string;
  readonly config: { readonly path: string; readonly content: string; readonly mode: number };
  readonly disks: readonly RestoredDisk[];
  readonly start: boolean;
  /** Kernel and ramdisk of its configuration that this host does not have. */
  readonly missing: readonly string[];
  /**
   * Under another name: settings with devices or ports of this host that the original has too, for
   * example `pci`.
   */
  readonly shared: readonly string[];
}

/** A guest that was restored. */
export interface RestoredVm extends RestorePlan {
  readonly domid: number | undefined;
}

/** Makes all checks before anything is done; lists every refusal at once. */
export async function planRestore(options: {
  readonly host: ReadHost;
  readonly site: Site;
  readonly file: string;
  readonly how: CheckedRestore;
}): Promise<RestorePlan> {
  const { host, site, file, how } = options;
  const backup = await readBackup(host, file);
  await refuseWritableByOthers(host, backup.path);
  const name = how.as ?? backup.guest;
  checkGuestName(name);
  if (how.as === backup.guest)
    throw new UsageError(
      `${how.as} is the name of the guest in the backup: leave out ${option('--as', '`as`')}`,
    );
  const old = guestConfig(parseConfig({ text: backup.config.content, file: `${file} (config)` }));
  if (old.name !== backup.guest)
    throw new RefusedError(
      `${file} is a backup of ${backup.guest}, but the configuration in it is that of ${old.name}`,
      {
        remedy: `restore another backup: bofh vm list-backups ${backup.directory}`,
      },
    );
  const disks = backup.disks.map((disk) => restoredDisk(disk, { backup, name, how, site }));
  const content = newConfig({ backup, old, name, disks });
  const guest = guestConfig(parseConfig({ text: content, file: `${file} (config)` }));
  const found = refusals();
  await found.try(() => checkIdentity(host, backup, how));
  await found.try(() => refuseIncomplete(host, backup));
  await found.try(() => refuseTaken(host, { site, name, guest, backup }));
  await found.try(() =>
    refuseSameName(
      disks.map(({ vg, volume }) => ({ name: `${vg}/${volume}` })),
      `leave out ${option('--vg', 'vg')}, so that each volume gets its own group`,
    ),
  );
  for (const { vg, pool, volumes } of byPlace(disks)) {
    const wanted = volumes.map(({ volume, size }) => ({ name: volume, size }));
    await found.try(() => checkSpace({ host, vg, pool, wanted }));
  }
  const path = await found.try(() => checkConfigPath(host, configPath(site, name)));
  const missing = await missingBoot(host, guest);
  if (how.start) await found.try(() => checkStart(host, { guest, missing, file }));
  found.throwAll();
  if (path === undefined) throw new TypeError('a refusal was not reported');
  const shared = name === backup.guest ? [] : exclusiveSettings({ text: Buffer.from(content), file: path });
  return {
    shared,
    ...{ name, was: backup.guest, backup: backup.path, time: backup.time, disks, start: how.start, missing },
    config: { path, content, mode: backup.config.mode },
  };
}

/** Refuses a file that other users can write: Xen runs programs from a configuration as root. */
async function refuseWritableByOthers(host: ReadHost, path: string): Promise<void> {
  const stat = await host.stat(path);
  if (stat?.uid === 0 && (stat.mode & 0o022) === 0) return;
  throw new RefusedError(
    `${path} can be written by other users than root, and it contains the guest's configuration`,
    {
      code: 'denied',
      remedy: `if you trust its content: chown root:root ${inShell(path)}; chmod go-w ${inShell(path)}`,
    },
  );
}

function restoredDisk(
  { vdev, vg, volume, pool, size, sha256, file, encryption, replica }: SavedDisk,
  of: {
    readonly backup: Backup;
    readonly name: string;
    readonly how: CheckedRestore;
    readonly site: Site;
  },
): RestoredDisk {
  const { backup, name, how, site } = of;
  return {
    ...{ vdev, size, sha256, replica, vg: how.vg ?? vg },
    // Without the name of the guest in its name, a volume is called NEWGUEST-OLDVOLUME.
    volume:
      how.as === undefined
        ? volume
        : (renamedVolume(volume, { name: backup.guest, to: name, site }) ?? `${name}-${volume}`),
    pool: how.thin ?? (how.vg === undefined ? (pool ?? undefined) : undefined),
    file: posix.join(backup.directory, file.name),
    identity: encryption === undefined ? undefined : how.identity,
  };
}

/** Throws if the backup is encrypted and there is no secret key, or the reverse. */
async function checkIdentity(
  host: ReadHost,
  { disks, path }: Backup,
  { identity }: CheckedRestore,
): Promise<void> {
  const isEncrypted = disks.some(({ encryption }) => encryption !== undefined);
  const asked = option('--identity FILE', 'identity');
  if (isEncrypted && identity === undefined)
    throw new UsageError(`the backup ${path} is encrypted`, {
      remedy: `name the file with the secret key of age: ${option(`bofh vm restore ${inShell(path)} --identity FILE`, "identity: 'FILE'")}`,
    });
  if (identity === undefined) return;
  if (!isEncrypted)
    throw new UsageError(`the backup ${path} is not encrypted`, { remedy: `leave out ${asked}` });
  if ((await followed(host, identity)) === undefined)
    throw new UsageError(`there is no file ${identity}`, { code: 'not-found' });
}

/** The configuration with the new volumes; under another name also with a new UUID and MAC addresses. */
function newConfig({
  backup: { config, path: manifest, guest: was },
  old,
  name,
  disks,
}: {
  readonly backup: Backup;
  readonly old: GuestConfig;
  readonly name: string;
  readonly disks: readonly RestoredDisk[];
}): string {
  const file = `${manifest} (config)`;
  const unsaved = old.disks.find(
    ({ devtype, vdev }) => devtype === 'disk' && !disks.some((disk) => disk.vdev === vdev),
  );
  if (unsaved !== undefined || disks.some(({ vdev }) => !old.disks.some((disk) => disk.vdev === vdev)))
    throw new RefusedError(`${manifest} and the configuration in it do not have the same disks`, {
      remedy: `restore another backup: bofh vm list-backups ${posix.dirname(manifest)}`,
    });
  let text = withItems({ text: Buffer.from(config.content), file }, 'disk', (item) => {
    const disk = parseDisk(item);
    const saved = typeof disk === 'string' ? undefined : disks.find(({ vdev }) => vdev === disk.vdev);
    if (typeof disk === 'string' || saved === undefined) return undefined;
    const to = `/dev/${saved.vg}/${saved.volume}`;
    if (resourceNameOf(disk) !== undefined)
      return { from: item, to: `phy:${to},${disk.vdev},${disk.access === 'rw' ? 'w' : 'r'}` };
    return disk.path === to ? undefined : { from: disk.target, to };
  });
  if (name === was) return text.toString('utf8');
  text = withSettings({ text, file }, { name, uuid: randomUuid() });
  text = withSockets({ text, file }, { from: was, to: name });
  text = withVifNames({ text, file }, { from: was, to: name });
  return withMacs({ text, file }, []).toString('utf8');
}

async function refuseIncomplete(host: ReadHost, { path, directory, disks }: Backup): Promise<void> {
  for (const disk of disks) {
    const why = await whyIncomplete(host, directory, disk);
    if (why !== undefined)
      throw new RefusedError(why, { remedy: `see the rest: bofh vm verify ${inShell(path)}` });
  }
}

/** Throws if another guest has the name or, if the guest keeps them, the UUID or a MAC address. */
async function refuseTaken(
  host: ReadHost,
  of: {
    readonly site: Site;
    readonly name: string;
    readonly guest: GuestConfig;
    readonly backup: Backup;
  },
): Promise<void> {
  const { site, name, guest, backup } = of;
  const { guests } = await guestConfigs(host, site.guestConfigDirs);
  const same = guests.find(
    (each) =>
      each.name === name ||
      (each.uuid !== undefined && each.uuid === guest.uuid) ||
      each.vifs.some(({ mac }) => mac !== undefined && guest.vifs.some((vif) => vif.mac === mac)),
  );
  if (same !== undefined)
    throw new RefusedError(
      same.name === name
        ? `there is a guest ${name} already, configured in ${same.file}`
        : `the guest ${same.name} (${same.file}) has the UUID or a MAC address of this backup`,
      {
        code: 'exists',
        remedy: `restore it under another name: ${option(`bofh vm restore ${backup.path} --as NEW`, "as: 'NEW'")}`,
      },
    );
  await checkClashes({ host, site, name, mac: undefined });
}

async function checkStart(
  host: ReadHost,
  {
    guest,
    missing,
    file,
  }: { readonly guest: GuestConfig; readonly missing: readonly string[]; readonly file: string },
): Promise<void> {
  if (missing.length > 0)
    throw new RefusedError(`this host has no ${missing.join(' and no ')}, which the guest boots from`, {
      code: 'not-found',
      remedy: `leave out ${option('--start', 'start')}: bofh vm restore ${inShell(file)}; then name another kernel in its configuration`,
    });
  await checkFreeMemory(host, guest, `leave out ${option('--start', 'start')}`);
}

/**
 * Creates and fills the volumes, writes the configuration and starts the guest if requested. Each volume is read back and compared with
 * the checksum of its disk.
 */
export async function restoreVm(tx: Tx, host: ReadHost, plan: RestorePlan): Promise<RestoredVm> {
  const { name, config, disks, start } = plan;
  for (const { vg, volume, pool, size, file, sha256, identity } of disks)
    await tx.lvm.createLv({
      ...{ vg, name: volume, size, ...present({ pool }) },
      // A dry run does not read the file.
      content: { file, size, ...present({ identity }), ...(tx.planning ? {} : { sha256 }) },
    });
  await tx.file.create(config);
  const started = start ? await startVm(tx, { host, config: config.path, name }) : undefined;
  return { ...plan, domid: started?.domid };
}
