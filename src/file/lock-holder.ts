import { type ReadHost, textOf } from '../command/index.ts';
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
    const [major = 0, minor = 0] = stat.device.split(':').map(Number);
    const file = `${hex(major)}:${hex(minor)}:${stat.inode}`;
    const line = table.split('\n').find((each) => !each.includes('->') && each.split(/\s+/).includes(file));
    const pid = Number(line?.split(/\s+/)[4] ?? 0);
    if (pid > 0) return processHolder(host, pid);
  }
  return undefined;
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

function hex(number: number): string {
  return number.toString(16).padStart(2, '0');
}
