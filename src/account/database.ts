import * as z from 'zod/mini';
import { type ChangeHost, type ReadHost, textOf } from '../command/index.ts';
import { type Holder, ParseError, RefusedError } from '../core/errors.ts';
import { lockHolder, processHolder } from '../file/lock-holder.ts';
import { getent, processesOf, type User } from './commands.ts';

export type { User };

/** A name that useradd and groupadd of every release accept. */
export const newName = z
  .string()
  .check(
    z.regex(
      /^[a-z_][a-z0-9_-]*$/,
      'must be lower case letters, digits, "-" and "_", and begin with a letter or "_"',
    ),
    z.maxLength(32),
  );

/** The name of an existing user or group. getent(1) takes a number for a uid or gid. */
export const accountName = z
  .string()
  .check(z.regex(/^(?!\d+$)[A-Za-z0-9_][A-Za-z0-9_.-]*\$?$/, 'is not a valid account name'), z.maxLength(32));

/** A field of /etc/passwd. */
export const field = z.string().check(z.regex(/^[^:\n\0]*$/, 'must be one line without ":"'));

/** A line of /etc/group. */
export interface Group {
  readonly name: string;
  readonly gid: number;
  readonly members: readonly string[];
}

export async function usersOf(host: ReadHost, file = '/etc/passwd'): Promise<readonly User[]> {
  return (await linesOf(host, file, 7)).map(
    ([name = '', , uid, gid, comment = '', home = '', shell = '']) => ({
      ...{ name, uid: numberIn(file, uid), gid: numberIn(file, gid), comment, home, shell },
    }),
  );
}

export async function groupsOf(host: ReadHost, file = '/etc/group'): Promise<readonly Group[]> {
  return (await linesOf(host, file, 4)).map(([name = '', , gid, members = '']) => ({
    ...{ name, gid: numberIn(file, gid), members: members.split(',').filter((each) => each !== '') },
  }));
}

export async function userNamed(host: ReadHost, name: string): Promise<User | undefined> {
  return (await usersOf(host)).find((each) => each.name === name);
}

export async function groupNamed(host: ReadHost, name: string): Promise<Group | undefined> {
  return (await groupsOf(host)).find((each) => each.name === name);
}

/** Reads the lines of a table, without those that only NIS uses (`+::::::`). */
async function linesOf(
  host: ReadHost,
  file: string,
  fields: number,
): Promise<readonly (readonly (string | undefined)[])[]> {
  const lines = ((await textOf(host, file)) ?? '').split('\n').filter((line) => !/^(?:[+-]|$)/.test(line));
  return lines.map((line) => {
    const parts = line.split(':');
    // The error does not quote the line: a line of another file can contain a password.
    if (parts.length !== fields)
      throw new ParseError(`${file}: a line does not have ${String(fields)} fields`);
    return parts;
  });
}

function numberIn(file: string, text = ''): number {
  if (!/^\d+$/.test(text)) throw new ParseError(`${file}: "${text}" is not a uid or gid`);
  return Number(text);
}

/** Returns a user of /etc/passwd. RefusedError, with the reason, for any other name. */
export async function existingUser(host: ReadHost, name: string): Promise<User> {
  const found = await userNamed(host, name);
  if (found !== undefined) return found;
  await refuseElsewhere(host, 'passwd', name);
  throw new RefusedError(`there is no user ${name} in /etc/passwd`, {
    code: 'not-found',
    remedy: 'create the user first (in a description: h.user), or correct the name',
  });
}

/**
 * Returns a group of /etc/group, by its name or gid. RefusedError, with the reason, for any other
 * one.
 */
export async function existingGroup(host: ReadHost, group: string | number): Promise<Group> {
  const found = (await groupsOf(host)).find(({ name, gid }) => name === group || gid === group);
  if (found !== undefined) return found;
  if (typeof group === 'string') await refuseElsewhere(host, 'group', group);
  throw new RefusedError(`there is no group ${String(group)} in /etc/group`, {
    code: 'not-found',
    remedy: 'create the group first (in a description: h.group), or correct the name',
  });
}

/**
 * RefusedError for an account that this host gets from LDAP, NIS or systemd, and not from its own
 * files.
 */
export async function refuseElsewhere(
  host: ReadHost,
  database: 'passwd' | 'group',
  name: string,
): Promise<void> {
  if (await isOnlyFiles(host, database)) return;
  if ((await host.run(getent(database, name))) === undefined) return;
  throw new RefusedError(
    `${name} is not in /etc/${database}, but comes from another source of /etc/nsswitch.conf, such as LDAP`,
    { code: 'exists', remedy: `change it there; see it: getent ${database} ${name}` },
  );
}

/** Whether nsswitch.conf(5) names no source other than the files. */
async function isOnlyFiles(host: ReadHost, database: 'passwd' | 'group'): Promise<boolean> {
  const lines = ((await textOf(host, '/etc/nsswitch.conf')) ?? '').split('\n');
  const [line, another] = lines.filter((each) => each.trimStart().startsWith(database));
  return another === undefined && /^\s*(?:passwd|group):\s*files\s*(?:#.*)?$/.test(line ?? '');
}

const files = ['passwd', 'shadow', 'group', 'gshadow', 'subuid', 'subgid'].map((name) => `/etc/${name}`);

/** RefusedError while another program changes users and groups. */
export async function refuseLocked(host: ReadHost): Promise<void> {
  const holder = (await lockHolder(host, ['/etc/.pwd.lock'])) ?? (await fileLockHolder(host));
  if (holder === undefined) return;
  throw new RefusedError(`another program changes the accounts: ${holder.words}`, {
    code: 'busy',
    holders: [holder],
    remedy: 'wait until it has ended, then run the command again',
  });
}

/**
 * Returns the process that holds a lock such as `/etc/passwd.lock`: useradd(8) and similar programs
 * write their pid into it. The lock of a process that has ended does not count.
 */
async function fileLockHolder(host: ReadHost): Promise<Holder | undefined> {
  for (const path of files) {
    const pid = /^\d+/.exec((await textOf(host, `${path}.lock`)) ?? '')?.[0];
    if (pid !== undefined && (await host.stat(`/proc/${pid}`)) !== undefined)
      return processHolder(host, Number(pid));
  }
  return undefined;
}

/**
 * RefusedError while processes of a user run. `stopped`: units whose processes do not count, because
 * these units stop before.
 */
export async function refuseRunning(
  host: ReadHost,
  { name, uid }: Pick<User, 'name' | 'uid'>,
  stopped: readonly string[] = [],
): Promise<void> {
  const pids: number[] = [];
  for (const pid of await host.run(processesOf(uid)))
    if (!(await isInUnit(host, pid, stopped))) pids.push(pid);
  if (pids.length === 0) return;
  const holders = await Promise.all(pids.slice(0, 20).map((pid) => processHolder(host, pid)));
  throw new RefusedError(
    `the user ${name} has running processes: ${holders.map(({ words }) => words).join(', ')}`,
    {
      code: 'in-use',
      holders,
      remedy: `end them: loginctl terminate-user ${name}; or kill ${pids.join(' ')}`,
    },
  );
}

/** Whether a process belongs to one of these units, by its control group. */
async function isInUnit(host: ReadHost, pid: number, units: readonly string[]): Promise<boolean> {
  if (units.length === 0) return false;
  const groups = ((await textOf(host, `/proc/${String(pid)}/cgroup`)) ?? '').split(/[\n/]/);
  return units.some((unit) => groups.includes(unit));
}

/**
 * Makes the changes of the shadow programs durable: these sync the files, but not the directory.
 */
export async function syncDatabases(host: ChangeHost): Promise<void> {
  for (const path of [...files, '/etc']) if ((await host.stat(path)) !== undefined) await host.sync(path);
}

/**
 * Returns an id that no user or group has, or had as far as this host shows: the backups of the
 * tables and the owners of homes count too, so that a new user does not own the files of a removed
 * one.
 */
export async function freeNumber(
  host: ReadHost,
  of: { readonly kind: 'uid' | 'gid'; readonly system: boolean; readonly like?: number },
): Promise<number> {
  const { min, max } = await rangeOf(host, of);
  const users = new Set<number>();
  for (const file of ['/etc/passwd', '/etc/passwd-'])
    for (const { uid } of await usersOf(host, file)) users.add(uid);
  for (const owner of await homeOwners(host)) users.add(owner);
  const ranges = (await linesOf(host, '/etc/subuid', 3)).map(([, from, count]) => ({
    from: numberIn('/etc/subuid', from),
    count: numberIn('/etc/subuid', count),
  }));
  const isFree = (n: number): boolean =>
    n >= min && n <= max && !ranges.some(({ from, count }) => n >= from && n < from + count);
  // A user gets the id of its own group.
  if (of.like !== undefined && isFree(of.like) && !users.has(of.like)) return of.like;
  const seen = new Set(users);
  for (const file of ['/etc/group', '/etc/group-'])
    for (const { gid } of await groupsOf(host, file)) seen.add(gid);
  const used = [...seen].filter((n) => n >= min && n <= max);
  const first = of.system ? Math.min(max + 1, ...used) - 1 : Math.max(min - 1, ...used) + 1;
  const isUnused = (n: number): boolean => isFree(n) && !seen.has(n);
  if (isUnused(first)) return first;
  const all = Array.from({ length: max - min + 1 }, (_, at) => (of.system ? max - at : min + at));
  const found = all.find(isUnused);
  if (found !== undefined) return found;
  throw new RefusedError(`no ${of.kind} from ${String(min)} to ${String(max)} is free`, {
    code: 'no-space',
    remedy: `pass the number, or widen the range in /etc/login.defs`,
  });
}

async function homeOwners(host: ReadHost): Promise<readonly number[]> {
  if ((await host.stat('/home'))?.kind !== 'directory') return [];
  const stats = await Promise.all((await host.readDir('/home')).map((name) => host.stat(`/home/${name}`)));
  return stats.flatMap((stat) => (stat === undefined ? [] : [stat.uid]));
}

/** Returns the range of ids in /etc/login.defs for such accounts. */
async function rangeOf(
  host: ReadHost,
  { kind, system }: { readonly kind: 'uid' | 'gid'; readonly system: boolean },
): Promise<{ readonly min: number; readonly max: number }> {
  const text = (await textOf(host, '/etc/login.defs')) ?? '';
  const valueOf = (name: string, otherwise: number): number => {
    const { value } = new RegExp(`^\\s*${name}\\s+(?<value>\\d+)\\s*$`, 'm').exec(text)?.groups ?? {};
    return value === undefined ? otherwise : Number(value);
  };
  const name = kind.toUpperCase();
  return system
    ? { min: valueOf(`SYS_${name}_MIN`, 101), max: valueOf(`SYS_${name}_MAX`, 999) }
    : { min: valueOf(`${name}_MIN`, 1000), max: valueOf(`${name}_MAX`, 60000) };
}
