import { type Answer, type Command, nothing, type ReadCommand, Secret, type Tool } from '../command/index.ts';
import { ParseError } from '../core/errors.ts';
import type { Reason } from '../core/error-codes.ts';
import { present } from '../core/present.ts';

/** A line of /etc/passwd. */
export interface User {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly comment: string;
  readonly home: string;
  readonly shell: string;
}

/** useradd(8), with all fields of the line in /etc/passwd. */
export function useradd(
  user: User,
  { createHome, system }: { readonly createHome: boolean; readonly system: boolean },
): Command<void, 'change'> {
  const { name, uid, gid, home, shell, comment } = user;
  return changing('useradd', [
    ...(system ? ['--system'] : []),
    ...['--uid', String(uid), '--gid', String(gid), '--home-dir', home, '--shell', shell],
    ...['--comment', comment, createHome ? '--create-home' : '--no-create-home', '--', name],
  ]);
}

/** usermod(8): changes fields of the line in /etc/passwd. */
export function usermod(
  name: string,
  set: Partial<Pick<User, 'shell' | 'home' | 'comment' | 'gid'>>,
): Command<void, 'change'> {
  const options = Object.entries(present(set)).flatMap(([key, value]) => [`--${key}`, String(value)]);
  return changing('usermod', [...options, '--', name]);
}

/**
 * userdel(8). Keeps the home, and also removes the group of the same name if it is the user's own.
 */
export function userdel(name: string): Command<void, 'destroy'> {
  return { ...changing('userdel', ['--', name]), access: 'destroy' };
}

/**
 * usermod(8): locks or unlocks the password, and sets the day on which the account expires (empty:
 * never).
 */
export function expire(
  name: string,
  { lock, on }: { readonly lock?: 'lock' | 'unlock'; readonly on: string },
): Command<void, 'change'> {
  return changing('usermod', [...(lock === undefined ? [] : [`--${lock}`]), '--expiredate', on, '--', name]);
}

/** chpasswd(8): sets a hash, which the program reads from stdin. */
export function chpasswd(name: string, hash: string): Command<void, 'change'> {
  const stdin = new Secret(`${name}:${hash}\n`);
  return { ...changing('chpasswd', ['--encrypted']), stdin, shownOf: () => '' };
}

/** chage(1): sets the day of the last password change (empty: none). */
export function chage(name: string, lastDay: string): Command<void, 'change'> {
  return changing('chage', ['--lastday', lastDay === '' ? '-1' : lastDay, '--', name]);
}

/** groupadd(8) */
export function groupadd(
  name: string,
  gid: number,
  { system }: { readonly system: boolean },
): Command<void, 'change'> {
  return changing('groupadd', [...(system ? ['--system'] : []), '--gid', String(gid), '--', name]);
}

/** groupdel(8). It refuses the primary group of a user. */
export function groupdel(name: string): Command<void, 'destroy'> {
  return { ...changing('groupdel', ['--', name]), access: 'destroy' };
}

/** gpasswd(1): adds a user to a group, or removes it, and confirms that on stdout. */
export function gpasswd(what: 'add' | 'delete', user: string, group: string): Command<void, 'change'> {
  return changing('gpasswd', [`--${what}`, user, '--', group]);
}

function changing(tool: Tool, argv: readonly string[]): Command<void, 'change'> {
  return { tool, argv, access: 'change', parse: nothing, classify };
}

/** Translates the exit codes of the shadow programs. */
function classify({ exitCode, stderr }: Answer): Reason {
  if (/cannot lock|is currently used by/.test(stderr)) return 'busy';
  if (/Permission denied|Only root/.test(stderr)) return 'denied';
  if (exitCode === 4 || exitCode === 9) return 'exists';
  return exitCode === 6 || /does not exist|is not a member/.test(stderr) ? 'not-found' : 'unknown';
}

/** getent(1): finds the line of an account in any source of /etc/nsswitch.conf. */
export function getent(database: 'passwd' | 'group', name: string): ReadCommand<string | undefined> {
  return {
    tool: 'getent',
    argv: [database, name],
    access: 'read',
    accepts: [0, 2],
    parse: ({ exitCode, stdout }) => {
      if (exitCode === 2 && stdout === '') return undefined;
      if (exitCode === 0 && stdout.startsWith(`${name}:`)) return stdout.trim();
      throw new ParseError('it printed another line than that of the account');
    },
  };
}

/** Lists the processes of a user, by its uid. */
export function processesOf(uid: number): ReadCommand<readonly number[]> {
  const one = ['-mindepth', '1', '-maxdepth', '1', '-name', '[0-9]*', '-uid', String(uid)];
  return {
    tool: 'find',
    argv: ['/proc', ...one, '-printf', '%f\\n'],
    access: 'read',
    // Exit code 1: a process ended meanwhile.
    accepts: [0, 1],
    parse: ({ exitCode, stdout, stderr }) => {
      if (exitCode === 1 && !/No such file or directory/.test(stderr)) throw new ParseError(stderr.trim());
      return stdout
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => {
          if (!/^\d+$/.test(line)) throw new ParseError(`"${line}" is not a process id`);
          return Number(line);
        });
    },
  };
}
