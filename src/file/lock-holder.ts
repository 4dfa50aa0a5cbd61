import { mountEntries, mountOver } from '../blockdevice/index.ts';
import { namesIn, orMissing, type ReadHost, textOf } from '../command/index.ts';
import { type Holder } from '../core/errors.ts';

/**
 * Returns the process that has locked one of these files by fcntl(2). A process of another PID
 * namespace is not visible.
 */
export async function lockHolder(
  host: ReadHost,
  paths: readonly string[],
): Promise<(Holder & { readonly kind: 'process' }) | undefined> {
  const table = (await textOf(host, '/proc/locks')) ?? '';
  for (const path of paths) {
    const stat = await host.stat(path);
    if (stat === undefined) continue;
    // The table has the number of the whole filesystem, and a subvolume of btrfs has its own.
    const whole = mountOver(await mountEntries(host), path)?.device ?? stat.device;
    const file = `${hexNumber(whole)}:${stat.inode}`;
    for (const line of table.split('\n')) {
      const words = line.split(/\s+/);
      const pid = Number(words[4]);
      if (line.includes('->') || !words.includes(file) || !(pid > 0)) continue;
      // Files of several subvolumes have the same inode number.
      if (whole === stat.device || (await hasOpen(host, pid, path))) return processHolder(host, pid);
    }
  }
  return undefined;
}

/** Whether a process has a file open. */
async function hasOpen(host: ReadHost, pid: number, path: string): Promise<boolean> {
  const directory = `/proc/${String(pid)}/fd`;
  for (const name of await namesIn(host, directory))
    if ((await orMissing(host.readLink(`${directory}/${name}`))) === path) return true;
  return false;
}

/** Returns a process with the name of its program. */
export async function processHolder(
  host: ReadHost,
  pid: number,
): Promise<Holder & { readonly kind: 'process' }> {
  const command = ((await textOf(host, `/proc/${String(pid)}/comm`)) ?? '').trim();
  return {
    kind: 'process',
    pid,
    command,
    words: command === '' ? `process ${String(pid)}` : `${command} (process ${String(pid)})`,
  };
}

/** Returns a device number as in /proc/locks: 253:0 is `fd:00`. */
function hexNumber(device: string): string {
  return device
    .split(':')
    .map((part) => Number(part).toString(16).padStart(2, '0'))
    .join(':');
}
