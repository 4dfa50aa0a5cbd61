import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';
import {
  content,
  isGone,
  membersOf,
  names,
  parseStat,
  processes,
  type ProcessStat,
  processStat,
} from '../../core/proc.ts';
import type { Owner } from '../journal/lines.ts';

/** A program of a sequence, which must end before anything is undone. */
export interface LockHolder {
  /** Missing: the host that the journal is on. */
  readonly host?: string;
  readonly pid: number;
  readonly command: string;
  /** It may be ended before it completes (a change with `stop: 'safe'`). */
  readonly safe: boolean;
}

/** The questions of the engine about processes. */
export interface Processes {
  /** This process, and the boot of the machine that it runs on. */
  readonly self: Pick<Owner, 'pid' | 'started' | 'boot' | 'namespace' | 'machine'>;
  /** Whether the owner lives, and still has this file open. */
  alive(owner: Owner, inode: string): boolean;
  /**
   * Looks at all processes once, for any number of journals. Returns for each the programs, other
   * than this process, that hold the lock of its file, and those of the sessions recorded in its
   * output directory: they may outlive the shell that held the lock for them.
   */
  holders(): (inode: string, outputs: string) => readonly LockHolder[];
  /** Sends SIGTERM to the process group of a change. */
  end(pid: number): void;
}

/** The processes of this host, from /proc. */
export function hostProcesses(): Processes {
  const boot = bootId();
  // Numbers of the namespace that /proc shows, which may differ from that of this process.
  const pid = Number(readlinkSync('/proc/self'));
  const self = {
    pid,
    started: processStat(pid)?.started ?? 0,
    boot,
    ...namespaceOfProc(),
    ...machineOf('/etc/machine-id'),
  };
  return {
    self,
    alive: (owner, inode) =>
      owner.boot === boot &&
      processStat(owner.pid)?.started === owner.started &&
      descriptorsOn(owner.pid, inode).length > 0,
    holders: () => {
      const all = processes();
      const openers = openersAmong(all.filter(({ pid }) => pid !== self.pid));
      return (inode, outputs) => {
        const others = (openers.get(inode) ?? []).filter(({ pid }) => hasLocked(pid, inode));
        const sessions = sessionsIn(outputs).filter((session) => session.boot === boot);
        const found = [
          ...others.flatMap((holder) => toolsOf(holder, all)),
          ...sessions.flatMap((session) => toolsIn(session, all)),
        ];
        return [...new Map(found.map((each) => [each.pid, each])).values()];
      };
    },
    end: (tool) => {
      const group = processStat(tool)?.group;
      try {
        if (group !== undefined) process.kill(-group, 'SIGTERM');
      } catch (error) {
        if (!isGone(error)) throw error;
      }
    },
  };
}

/**
 * Whether the owner's pid is valid in this PID namespace. The journal of an older bofh does not record the
 * namespace.
 */
export function isSameView(owner: Owner, self: Processes['self']): boolean {
  return owner.boot === self.boot && (owner.namespace ?? self.namespace) === self.namespace;
}

function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}

/** The PID namespace whose processes /proc shows: that of its process 1. Only root may look there. */
function namespaceOfProc(): Pick<Owner, 'namespace'> {
  try {
    return { namespace: readlinkSync('/proc/1/ns/pid') };
  } catch {
    return {};
  }
}

/**
 * Whether a journal was written by another host that uses this state directory, or by this disk before it was
 * cloned. machine-id(5) is not enough to know this, because a container has its own.
 */
export function isOtherMachine(owner: Owner, self: Processes['self']): boolean {
  const [theirs, ours] = [owner.machine, self.machine];
  return owner.boot !== self.boot && theirs !== undefined && ours !== undefined && theirs !== ours;
}

/** machine-id(5) asks programs to record a hash of it, not the id itself. */
function machineOf(path: string): Pick<Owner, 'machine'> {
  const id = content(path)?.trim() ?? '';
  if (!/^[0-9a-f]{32}$/.test(id)) return {};
  return { machine: createHash('sha256').update(`bofh ${id}`).digest('hex').slice(0, 16) };
}

/** Index of the name of a shell around a change; the name says whether the program may be ended (src/host). */
function shellName(words: readonly string[]): number {
  return words.findIndex((word) => word === 'bofh-safe' || word === 'bofh-wait');
}

function wordsOf(pid: number): readonly string[] {
  return (content(`/proc/${pid}/cmdline`) ?? '').split('\0').filter((word) => word !== '');
}

/** Returns the programs that a shell runs; for any other process the process itself, which is another bofh. */
function toolsOf(holder: ProcessStat, all: readonly ProcessStat[]): readonly LockHolder[] {
  const words = wordsOf(holder.pid);
  const name = shellName(words);
  if (name < 0) return [{ pid: holder.pid, command: words.join(' '), safe: false }];
  const safe = words[name] === 'bofh-safe';
  const leader = all.find(({ pid }) => pid === holder.session) ?? { pid: holder.session, started: 0 };
  const tools = toolsIn({ ...leader, safe }, all);
  // Its program has not started yet, or just ended; the first word after the name is the file of
  // its session.
  return tools.length > 0 ? tools : [{ pid: holder.pid, command: words.slice(name + 2).join(' '), safe }];
}

/**
 * The programs of a session: those that its shells started, or those left when the shells are gone.
 */
function toolsIn(
  session: Pick<ProcessStat, 'pid' | 'started'> & { readonly safe: boolean },
  all: readonly ProcessStat[],
): readonly LockHolder[] {
  const members = membersOf(session, all).map((each) => ({ ...each, words: wordsOf(each.pid) }));
  const tools = members.filter(({ words }) => shellName(words) < 0);
  const pids = new Set(tools.map(({ pid }) => pid));
  return tools
    .filter(({ parent }) => !pids.has(parent))
    .map(({ pid, words }) => ({ pid, command: words.join(' '), safe: session.safe }));
}

interface Session extends Pick<ProcessStat, 'pid' | 'started'> {
  readonly boot: string;
  readonly safe: boolean;
}

/**
 * The sessions whose shell has not recorded the end of its program (`record` in src/host/shell.ts).
 */
function sessionsIn(outputs: string): readonly Session[] {
  return listed(outputs).flatMap((name) => {
    const text = /(?:^|\/)session(?:\.\d+)?$/.test(name) ? content(join(outputs, name)) : undefined;
    const groups = /^(?<name>bofh-safe|bofh-wait) (?<boot>\S+) (?<stat>.*)\n$/s.exec(text ?? '')?.groups;
    const stat = parseStat(groups?.stat ?? '');
    return groups?.boot === undefined || stat === undefined
      ? []
      : [{ ...stat, boot: groups.boot, safe: groups.name === 'bofh-safe' }];
  });
}

function listed(outputs: string): readonly string[] {
  try {
    return readdirSync(outputs, { recursive: true, encoding: 'utf8' });
  } catch (error) {
    if (isGone(error)) return [];
    throw error;
  }
}

/** By inode: the processes that have the file open. */
function openersAmong(all: readonly ProcessStat[]): ReadonlyMap<string, readonly ProcessStat[]> {
  const openers = new Map<string, ProcessStat[]>();
  for (const each of all) {
    const files = names(`/proc/${each.pid}/fd`).map((fd) => inodeOf(`/proc/${each.pid}/fd/${fd}`));
    for (const inode of new Set(files)) {
      if (inode === undefined) continue;
      const list = openers.get(inode);
      if (list === undefined) openers.set(inode, [each]);
      else list.push(each);
    }
  }
  return openers;
}

/**
 * Whether the process locked the file, and does not only read it: proc_pid_fdinfo(5) lists the locks of a
 * descriptor.
 */
function hasLocked(pid: number, inode: string): boolean {
  return descriptorsOn(pid, inode).some((fd) =>
    /^lock:.* FLOCK /m.test(content(`/proc/${pid}/fdinfo/${fd}`) ?? ''),
  );
}

function descriptorsOn(pid: number, inode: string): readonly string[] {
  return names(`/proc/${pid}/fd`).filter((fd) => inodeOf(`/proc/${pid}/fd/${fd}`) === inode);
}

function inodeOf(path: string): string | undefined {
  try {
    const stat = statSync(path, { bigint: true });
    return `${stat.dev}:${stat.ino}`;
  } catch {
    // The descriptor was closed meanwhile, so it holds no lock.
    return undefined;
  }
}
