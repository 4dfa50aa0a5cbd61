import { posix } from 'node:path';
import { sha256File } from '../blockdevice/image/compressed.ts';
import { inShell, type ReadHost } from '../command/index.ts';
import { BofhError, UsageError } from '../core/errors.ts';
import { realPath } from '../mount/index.ts';
import { type Backup, isManifestName, readBackup, whyIncomplete } from './manifest.ts';

/** The backups in a directory. */
export interface Backups {
  /** Ordered by guest, the oldest first. */
  readonly backups: readonly Backup[];
  /** Files that have the name of a backup but cannot be used, each with the reason. */
  readonly problems: readonly { readonly path: string; readonly why: string }[];
}

/** Lists the complete backups in a directory. Reads the manifests, and not the content of the disks. */
export async function backupsIn(host: ReadHost, directory: string): Promise<Backups> {
  const real = await directoryAt(host, directory);
  const backups: Backup[] = [];
  const problems: Backups['problems'][number][] = [];
  for (const name of (await host.readDir(real)).filter(isManifestName)) {
    const path = posix.join(real, name);
    try {
      const backup = await readBackup(host, path);
      const why = await incomplete(host, backup);
      if (why === undefined) backups.push(backup);
      else problems.push({ path, why });
    } catch (error) {
      if (!(error instanceof BofhError)) throw error;
      problems.push({ path, why: error.message });
    }
  }
  const order = ({ guest, time }: Backup): string => `${guest} ${time}`;
  return { backups: backups.sort((a, b) => (order(a) < order(b) ? -1 : 1)), problems };
}

async function incomplete(host: ReadHost, { directory, disks }: Backup): Promise<string | undefined> {
  for (const disk of disks) {
    const why = await whyIncomplete(host, directory, disk);
    if (why !== undefined) return why;
  }
  return undefined;
}

/** The real path of a directory. Throws UsageError if it does not exist. */
export async function directoryAt(host: ReadHost, directory: string): Promise<string> {
  const real = await realPath(host, directory).catch((error: unknown) => {
    if (error instanceof BofhError && error.code === 'not-found') return undefined;
    throw error;
  });
  if (real !== undefined && (await host.stat(real))?.kind === 'directory') return real;
  throw new UsageError(`there is no directory ${directory}`, {
    code: 'not-found',
    remedy: `create it, for root only: install --directory --mode=0700 ${inShell(directory)}`,
  });
}

/** The result of the comparison of a backup with its checksums. */
export interface Verified {
  readonly backup: Backup;
  readonly disks: readonly {
    readonly vdev: string;
    readonly file: string;
    /** The damage of the file; undefined if it is good. */
    readonly why: string | undefined;
  }[];
}

/** Reads every file of a backup and compares its checksum. */
export async function verifyBackup(host: ReadHost, file: string): Promise<Verified> {
  const backup = await readBackup(host, file);
  const disks: Verified['disks'][number][] = [];
  for (const disk of backup.disks) {
    const path = posix.join(backup.directory, disk.file.name);
    const why =
      (await whyIncomplete(host, backup.directory, disk)) ??
      ((await host.run(sha256File(path))) === disk.file.sha256
        ? undefined
        : `${path} is damaged: its checksum is wrong`);
    disks.push({ vdev: disk.vdev, file: path, why });
  }
  return { backup, disks };
}
