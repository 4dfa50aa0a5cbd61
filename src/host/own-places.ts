import { statSync } from 'node:fs';
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';

/** Directory of root's journals. */
export const rootStateDir = '/var/lib/bofh';
/** Directory of root's locks. */
export const rootRunDir = '/run/bofh';

/**
 * Directory of the journals of this user: for root /var/lib/bofh, for others `bofh` below
 * XDG_STATE_HOME (default: ~/.local/state).
 */
export function usualStateDir(env: Readonly<Record<string, string | undefined>> = process.env): string {
  if (isRoot()) return rootStateDir;
  const { XDG_STATE_HOME: named } = env;
  // The XDG Base Directory Specification: a relative path is ignored.
  return join(named !== undefined && isAbsolute(named) ? named : join(homedir(), '.local', 'state'), 'bofh');
}

/**
 * Directory for files that a boot may remove: locks that bofh shares between state directories. For a user
 * other than root it is below /run/user, which exists while the user is logged in.
 */
export function usualRunDir(): string | undefined {
  const uid = process.geteuid?.() ?? 0;
  if (uid === 0) return rootRunDir;
  const directory = `/run/user/${String(uid)}`;
  const stat = statSync(directory, { throwIfNoEntry: false });
  return stat?.isDirectory() === true && stat.uid === uid ? join(directory, 'bofh') : undefined;
}

/** Whether this process runs as root. */
export function isRoot(): boolean {
  return (process.geteuid?.() ?? 0) === 0;
}
