import { content, processStat } from '../core/proc.ts';

/**
 * The SSH connection in which this process runs: the process of sshd that serves it, which all logins
 * through one connection (ControlMaster) share. Undefined on a console, and in a terminal multiplexer,
 * because its server is a daemon and no child of sshd.
 */
export function sshConnection(): string | undefined {
  for (let pid = process.ppid; pid > 1; ) {
    const stat = processStat(pid);
    if (stat === undefined) return undefined;
    if (/^sshd(?:-session)?$/.test(content(`/proc/${String(pid)}/comm`)?.trim() ?? ''))
      return `${String(pid)}:${String(stat.started)}`;
    pid = stat.parent;
  }
  return undefined;
}
