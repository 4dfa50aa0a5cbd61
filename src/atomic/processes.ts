import { readdirSync, readFileSync, statSync } from 'node:fs';
import type { Owner } from './lines.ts';

/** A process that keeps a lock. */
export interface LockHolder {
  /** Missing: the host that the journal is on. */
  readonly host?: string;
  readonly pid: number;
  readonly command: string;
  /** It may be ended half-way (a change with `stop: 'safe'`). */
  readonly safe: boolean;
}

/** What the engine asks about processes. */
export interface Processes {
  /** This process, and the boot of the machine that it runs on. */
  readonly self: Pick<Owner, 'pid' | 'started' | 'boot'>;
  /** Does the owner live, and still have this file open? */
  alive(owner: Owner, inode: string): boolean;
  /** Who has this file open, other than this process. */
  holders(inode: string): readonly LockHolder[];
  /** SIGTERM to the process group that a change was started as. */
  end(pid: number): void;
}

/** The processes of this host, from /proc. */
export function hostProcesses(): Processes {
  const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  const self = { pid: process.pid, started: startTime(process.pid) ?? 0, boot };
  return {
    self,
    alive: (owner, inode) =>
      owner.boot === boot && startTime(owner.pid) === owner.started && hasOpen(owner.pid, inode),
    holders: (inode) =>
      pids()
        .filter((pid) => pid !== self.pid && hasOpen(pid, inode))
        .map(describe),
    end: (pid) => {
      try {
        process.kill(-pid, 'SIGTERM');
      } catch (error) {
        if (!isGone(error)) throw error;
      }
    },
  };
}

/** The shell around a change says by its own name whether it may be ended (src/host). */
function describe(pid: number): LockHolder {
  const words = (read(`/proc/${pid}/cmdline`) ?? '').split('\0').filter((word) => word !== '');
  const name = words.findIndex((word) => word === 'bofh-safe' || word === 'bofh-wait');
  return {
    pid,
    command: (name < 0 ? words : words.slice(name + 1)).join(' '),
    safe: words[name] === 'bofh-safe',
  };
}

/** Clock ticks from boot to the start of a process: field 22 of proc_pid_stat(5), after the name in parentheses. */
function startTime(pid: number): number | undefined {
  const text = read(`/proc/${pid}/stat`);
  const fields = text?.slice(text.lastIndexOf(')') + 2).split(' ');
  const ticks = Number(fields?.[19]);
  // A zombie holds nothing open any more, and its parent may never fetch it.
  return fields === undefined || fields[0] === 'Z' || !Number.isInteger(ticks) ? undefined : ticks;
}

function hasOpen(pid: number, inode: string): boolean {
  return list(`/proc/${pid}/fd`).some((fd) => inodeOf(`/proc/${pid}/fd/${fd}`) === inode);
}

function inodeOf(path: string): string | undefined {
  try {
    const stat = statSync(path, { bigint: true });
    return `${stat.dev}:${stat.ino}`;
  } catch {
    // Descriptors come and go while we look; one that is gone holds no lock.
    return undefined;
  }
}

function pids(): readonly number[] {
  return list('/proc').map(Number).filter(Number.isInteger);
}

function list(path: string): readonly string[] {
  try {
    return readdirSync(path);
  } catch (error) {
    // Without root the descriptors of other users are hidden; what they cannot open (0600) they cannot lock.
    if (isGone(error) || isDenied(error)) return [];
    throw error;
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

function isDenied(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EACCES';
}

/** A process that ended while we looked. */
function isGone(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ESRCH');
}
