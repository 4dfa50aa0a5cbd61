import { readdirSync, readFileSync } from 'node:fs';

/** A process as /proc/PID/stat shows it. */
export interface ProcessStat {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  readonly session: number;
  /** Clock ticks from the boot to its start. */
  readonly started: number;
}

/** Every process of this host, without zombies, which have nothing open and may stay for ever. */
export function processes(): readonly ProcessStat[] {
  return names('/proc').flatMap((name) => (/^\d+$/.test(name) ? (processStat(Number(name)) ?? []) : []));
}

/** Undefined if there is no such process, or only a zombie. */
export function processStat(pid: number): ProcessStat | undefined {
  const text = content(`/proc/${pid}/stat`);
  return text === undefined ? undefined : parseStat(text);
}

/** Parses proc_pid_stat(5). The name in parentheses may contain spaces and parentheses. */
export function parseStat(text: string): ProcessStat | undefined {
  const pid = Number(/^\d+/.exec(text)?.[0]);
  const [state, ...numbers] = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [parent = NaN, group = NaN, session = NaN] = numbers.map(Number);
  const started = Number(numbers[18]);
  const all = [pid, parent, group, session, started];
  return state === 'Z' || !all.every(Number.isInteger) ? undefined : { pid, parent, group, session, started };
}

/**
 * The living processes of a session. The kernel does not reuse the number of the session while one of them
 * lives. So if a process has that number now, but another start time than the leader had, all of them have
 * ended.
 */
export function membersOf(
  leader: Pick<ProcessStat, 'pid' | 'started'>,
  among: readonly ProcessStat[] = processes(),
): readonly ProcessStat[] {
  const now = among.find(({ pid }) => pid === leader.pid);
  if (now !== undefined && now.started !== leader.started) return [];
  return among.filter(({ session, started }) => session === leader.pid && started >= leader.started);
}

/** The names in a directory of /proc; none if it is gone, or hidden from this user. */
export function names(path: string): readonly string[] {
  try {
    return readdirSync(path);
  } catch (error) {
    // Without root the descriptors of other users are hidden; these users cannot open the lock files (0600),
    // so they hold no lock.
    if (isGone(error) || (error instanceof Error && 'code' in error && error.code === 'EACCES')) return [];
    throw error;
  }
}

/** The content of a file of /proc; undefined if it is gone. */
export function content(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

/** Whether the error means that the process ended in the meantime. */
export function isGone(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ESRCH');
}
