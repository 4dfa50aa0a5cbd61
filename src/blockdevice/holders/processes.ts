import { posix } from 'node:path';
import type { ReadHost } from '../../command/index.ts';
import { CommandError, type Holder } from '../../core/errors.ts';
import { kernelText } from '../node.ts';
import type { Scan, Use } from './scan.ts';
import { present } from '../../core/present.ts';

type ProcessHolder = Extract<Holder, { readonly kind: 'process' | 'guest' }>;

/**
 * Returns each process among these uses, with its use and how to end it. Leaves out a process that
 * has ended meanwhile.
 */
export async function usersOf(host: ReadHost, uses: readonly Use[]): Promise<readonly ProcessHolder[]> {
  const byPid = new Map<number, Use[]>();
  if (uses.length === 0) return [];
  const own = await ownFamily(host);
  for (const use of uses) byPid.set(use.pid, [...(byPid.get(use.pid) ?? []), use]);
  const found: ProcessHolder[] = [];
  for (const [pid, its] of byPid) {
    const command = await commandOf(host, pid);
    if (command !== undefined) found.push(await holderOf(host, { pid, command, uses: its, own }));
  }
  return found;
}

/** Returns what could not be examined, and so may use anything. */
export function unseenOf({ unseen, hidden }: Scan): readonly Holder[] {
  const words: string[] = [];
  if (unseen.size > 0) {
    const [count, noun] = [unseen.size, unseen.size === 1 ? 'process: PID' : 'processes: PIDs'];
    const pids = [...unseen].slice(0, 5).join(', ');
    words.push(`could not examine ${count} ${noun} ${pids}${count > 5 ? ', …' : ''}`);
  }
  if (hidden) words.push('could not examine the processes of other users: /proc shows them only to root');
  return words.map((each) => ({ kind: 'unknown', words: each }));
}

const interpreters = /^(?:(?:ba|da|z|k)?sh|python[\d.]*|perl[\d.]*|ruby[\d.]*|node|php[\d.]*|java)$/;

/**
 * Returns the program of a process, and the script of an interpreter; undefined if it has ended.
 * Never more of its command line, which may contain a password: an error is written to the journal
 * and the system log.
 */
export async function commandOf(host: ReadHost, pid: number): Promise<string | undefined> {
  const line = await textOf(host, `/proc/${pid}/cmdline`);
  const [first, second = ''] = line?.split('\0').filter((word) => word !== '') ?? [];
  // A process that overwrites its own command line, or a zombie, has none; but a process always has
  // a name.
  if (first === undefined) return textOf(host, `/proc/${pid}/comm`);
  // "postgres: web db [local] idle" is one word, written by the process itself.
  const program = posix.basename(first.split(' ')[0] ?? '').replace(/:$/, '');
  const isScript = interpreters.test(program) && !second.startsWith('-') && second !== '';
  const text = isScript ? `${program} ${posix.basename(second)}` : program;
  return text.replace(/[^\x20-\x7e\u00a0-\uffff]/g, '?').slice(0, 80);
}

interface Found {
  readonly pid: number;
  readonly command: string;
  readonly uses: readonly Use[];
  /** bofh's own process, and its ancestors. */
  readonly own: readonly number[];
}

async function holderOf(host: ReadHost, found: Found): Promise<ProcessHolder> {
  const { pid, command, own } = found;
  const does = (await doing(host, found)).join(', ');
  // The disk of a guest whose back end is qemu is open in that process (libxl_dm.c gives it -xen-domid).
  const domid = / -xen-domid (?<domid>\d+)/.exec((await wholeLine(host, pid)) ?? '')?.groups?.domid;
  if (domid !== undefined)
    return {
      kind: 'guest',
      domid: Number(domid),
      words: `process ${pid} (${command}), for the guest with domid ${domid}, ${does}`,
      free: ['xl', 'shutdown', '-w', domid],
    };
  const from = own.indexOf(pid) > 0 ? ', which bofh was started from,' : '';
  const words = `process ${pid} (${command})${from} ${does}`;
  const free = own.includes(pid) ? undefined : await ending(host, pid);
  return { kind: 'process', pid, command, words, ...present({ free }) };
}

async function wholeLine(host: ReadHost, pid: number): Promise<string | undefined> {
  return (await textOf(host, `/proc/${pid}/cmdline`))?.replaceAll('\0', ' ');
}

const verbs: Readonly<Record<string, string>> = {
  cwd: 'works in',
  root: 'has its root in',
  exe: 'runs',
  map: 'has a file mapped',
};

async function doing(host: ReadHost, { pid, uses }: Found): Promise<readonly string[]> {
  // The program and the open files are usually mapped as well.
  const distinct = uses.some(({ how }) => how !== 'map')
    ? uses.filter(({ how }) => how !== 'map')
    : uses.slice(0, 1);
  const said: string[] = [];
  for (const { how } of distinct.slice(0, 3)) {
    if (how.startsWith('socket ')) {
      said.push(`has a socket at ${how.slice('socket '.length)}`);
      continue;
    }
    const path = how === 'map' ? undefined : await linkOf(host, `/proc/${pid}/${how.replace(' ', '/')}`);
    const verb = verbs[how] ?? 'has open';
    said.push(path === undefined ? verb : `${verb} ${path}`);
  }
  return distinct.length > 3 ? [...said, `and ${distinct.length - 3} more`] : said;
}

/**
 * Returns what ends a process for good: stopping its service, or a signal that it does not ignore.
 * Nothing ends a kernel thread, and process 1 must not be ended.
 */
async function ending(host: ReadHost, pid: number): Promise<readonly string[] | undefined> {
  if (pid === 1 || (await familyOf(host, pid))?.isKernel === true) return undefined;
  const service = await serviceOf(host, pid);
  if (service !== undefined) return ['systemctl', 'stop', service];
  const status = (await textOf(host, `/proc/${pid}/status`)) ?? '';
  const ignored = BigInt(`0x${/^SigIgn:\t(?<mask>[0-9a-f]+)$/m.exec(status)?.groups?.mask ?? '0'}`);
  const ignores = (signal: bigint): boolean => (ignored & (1n << (signal - 1n))) !== 0n;
  // An interactive shell ignores SIGTERM but ends on SIGHUP.
  if (!ignores(15n)) return ['kill', String(pid)];
  return ['kill', ignores(1n) ? '-KILL' : '-HUP', String(pid)];
}

/**
 * Returns the bofh process, then its ancestors: for a dry run the bofh that started it, a shell, a
 * login.
 */
async function ownFamily(host: ReadHost): Promise<readonly number[]> {
  const self = await host.stat('/proc/self');
  if (self?.kind !== 'symlink') return [];
  const found = [Number(await host.readLink('/proc/self'))];
  for (const pid of found) {
    const parent = (await familyOf(host, pid))?.parent;
    if (parent !== undefined && parent > 0 && !found.includes(parent)) found.push(parent);
  }
  return found;
}

/**
 * Services that run programs of users: they must not be stopped because of one of these programs.
 */
const hosts =
  /^(?:sshd?|sshd?@.*|cron|crond|atd|anacron|getty@.*|serial-getty@.*|console-getty|user@.*|dbus.*|systemd-.*)\.service$/;

/**
 * Returns the system service to which a process belongs, not one that only started it: if such a
 * process is killed, systemd may start it again. A login or a job has its own session (setsid); a
 * worker has the session of its service's first process.
 */
async function serviceOf(host: ReadHost, pid: number): Promise<string | undefined> {
  if ((await host.stat('/run/systemd/system')) === undefined) return undefined;
  const groups = await textOf(host, `/proc/${pid}/cgroup`);
  const path = groups?.split('\n').find((line) => line.startsWith('0::') || line.includes(':name=systemd:'));
  const unit = /:\/system\.slice\/(?:[^/]+\.slice\/)*(?<unit>[^/]+\.service)(?:\/|$)/.exec(path ?? '')?.groups
    ?.unit;
  if (unit === undefined || hosts.test(unit)) return undefined;
  const own = await familyOf(host, pid);
  for (let first = own; first !== undefined; first = await familyOf(host, first.parent))
    if (first.parent <= 1) return first.session === own?.session ? unit : undefined;
  return undefined;
}

/** PF_KTHREAD (linux/sched.h), the same since 2.6.27. */
const kernelThread = 0x00200000;

/**
 * Reads proc_pid_stat(5): the parent is field 4, the session field 6, the flags field 9, after the
 * name in parentheses.
 */
async function familyOf(
  host: ReadHost,
  pid: number,
): Promise<{ readonly parent: number; readonly session: number; readonly isKernel: boolean } | undefined> {
  const text = await textOf(host, `/proc/${pid}/stat`);
  const [, parent, , session, , , flags] = text?.slice(text.lastIndexOf(')') + 2).split(' ') ?? [];
  if (parent === undefined || session === undefined) return undefined;
  const isKernel = (Number(flags ?? 0) & kernelThread) !== 0;
  return { parent: Number(parent), session: Number(session), isKernel };
}

/** Returns the text; undefined: the process has ended, or access is denied. */
async function textOf(host: ReadHost, path: string): Promise<string | undefined> {
  return unlessGone(() => kernelText(host, path));
}

async function linkOf(host: ReadHost, path: string): Promise<string | undefined> {
  return unlessGone(() => host.readLink(path));
}

async function unlessGone<T>(ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask();
  } catch (error) {
    // A process that ends between opening and reading its file gives ESRCH, which has no reason
    // text.
    if (error instanceof CommandError) return undefined;
    throw error;
  }
}
