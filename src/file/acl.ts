import * as z from 'zod/mini';
import { mountEntries } from '../blockdevice/index.ts';
import {
  type Command,
  errnoReason,
  type FileStat,
  inShell,
  nothing,
  type ReadHost,
} from '../command/index.ts';
import { type CommandError, ParseError, RefusedError } from '../core/errors.ts';
import { ownerNumber } from './path.ts';

const bits = '[r-][w-][x-]';
const named = new RegExp(`^(?<key>(?:user|group):(?<id>\\d+)|mask:):${bits}$`);
const any = new RegExp(`^(?<key>(?:user|group):(?<id>\\d*)|(?:mask|other):):(?<bits>${bits})$`);

function entries(form: RegExp, what: string) {
  const entry = z.string().check(
    z.regex(form, `must be ${what}`),
    z.refine((text) => {
      const { id } = form.exec(text)?.groups ?? {};
      return id === undefined || id === '' || ownerNumber.safeParse(Number(id)).success;
    }, 'has no valid uid or gid'),
  );
  const keys = (all: readonly string[]): readonly string[] => all.map((one) => one.slice(0, -4));
  return z
    .readonly(z.array(entry))
    .check(z.refine((all) => new Set(keys(all)).size === all.length, 'names an entry twice'));
}

/** Named entries of an access ACL, and its mask; the mode has the other ones. */
export const aclEntries = entries(named, 'user:UID:rwx, group:GID:r-x or mask::r--');

/** Entries of a default ACL. */
export const defaultAclEntries = entries(any, 'user:UID:rwx, group:GID:r-x, mask::r-- or other::---');

/** All entries of an ACL, as `setfacl --set` reads them; empty for a missing default ACL. */
export const aclText = z.string().check(z.regex(/^[a-z0-9:,-]*$/));

/** The ACLs to set; missing ones stay unchanged. */
export interface AclRequest {
  readonly acl?: readonly string[];
  readonly defaultAcl?: readonly string[];
}

/** Mode and ACLs of a file, or of a directory, which also has a default ACL. */
export interface ModeAndAcl {
  readonly mode: number;
  readonly acl: string;
  readonly defaultAcl?: string;
}

/** From the key of an entry, such as `user:33`, to its permissions. */
type Entries = ReadonlyMap<string, string>;

/** `getfacl`: the access ACL and the default ACL of a file or directory, by uid and gid. */
export function getfacl(
  path: string,
): Command<{ readonly access: Entries; readonly default: Entries }, 'read'> {
  const options = ['--absolute-names', '--omit-header', '--numeric', '--no-effective', '--physical'];
  return {
    tool: 'getfacl',
    argv: [...options, '--', path],
    access: 'read',
    parse: ({ stdout }) => {
      const lines = stdout.split('\n').filter((line) => line !== '');
      const isDefault = (line: string): boolean => line.startsWith('default:');
      const access = entriesOf(lines.filter((line) => !isDefault(line)));
      const inherited = lines.filter(isDefault).map((line) => line.slice('default:'.length));
      return { access, default: inherited.length === 0 ? new Map() : entriesOf(inherited) };
    },
    classify: errnoReason,
  };
}

/** `setfacl`: replaces the access ACL, and the default ACL of a directory. Sets no other mask. */
export function setfacl(
  path: string,
  { acl, defaultAcl }: Omit<ModeAndAcl, 'mode'>,
): Command<void, 'change'> {
  const inherited = defaultAcl === undefined || defaultAcl === '' ? [] : defaultAcl.split(',');
  const all = [acl, ...inherited.map((entry) => `default:${entry}`)].join(',');
  const removal = defaultAcl === '' ? ['--remove-default'] : [];
  return {
    tool: 'setfacl',
    argv: ['--physical', '--no-mask', ...removal, '--set', all, '--', path],
    access: 'change',
    parse: nothing,
    classify: errnoReason,
  };
}

/** `ls -l`: whether one of the objects has an ACL beyond its mode, also on a host without the package acl. */
export function hasAcl(...paths: readonly string[]): Command<boolean, 'read'> {
  return {
    tool: 'ls',
    argv: ['--directory', '-l', '--numeric-uid-gid', '--quoting-style=c', '--', ...paths],
    access: 'read',
    parse: ({ stdout }) => {
      const marks = stdout
        .split('\n')
        .slice(0, -1)
        .map((line) => /^[-d][-rwxsStT]{9}(?<mark>[ .+])/.exec(line)?.groups?.mark);
      if (marks.length !== paths.length || marks.includes(undefined) || !stdout.endsWith('\n'))
        throw new ParseError('ls: its output could not be parsed');
      return marks.includes('+');
    },
    classify: errnoReason,
  };
}

/** Reads a complete ACL: ParseError if an entry is unknown, twice there, or missing. */
function entriesOf(lines: readonly string[]): Entries {
  const found = new Map<string, string>();
  for (const line of lines) {
    const { key = '', bits: permissions } = any.exec(line)?.groups ?? {};
    if (permissions === undefined || found.has(key))
      throw new ParseError('getfacl: its output could not be parsed');
    found.set(key, permissions);
  }
  const needed = ['user:', 'group:', 'other:', ...([...found.keys()].some(isNamed) ? ['mask:'] : [])];
  if (needed.some((key) => !found.has(key))) throw new ParseError('getfacl: its output has not all entries');
  return found;
}

function isNamed(key: string): boolean {
  return /^(?:user|group):\d/.test(key);
}

/**
 * Returns mode and ACLs of an object as they are and as they become. Undefined if no ACL is asked
 * for. With an ACL, the group bits of the mode are the permissions of the owning group; without
 * one, they are the mask, as for chmod(1).
 */
export async function aclChange(
  host: ReadHost,
  path: string,
  asked: AskedAcl,
): Promise<AclChange | undefined> {
  if (asked.acl === undefined && asked.defaultAcl === undefined) return undefined;
  return wholeAclChange(host, path, asked);
}

type AskedAcl = AclRequest & { readonly stat: FileStat; readonly mode?: number | undefined };

interface AclChange {
  readonly before: ModeAndAcl;
  readonly after: ModeAndAcl;
}

/** The same, also if only the mode is asked for, or nothing. */
export async function wholeAclChange(
  host: ReadHost,
  path: string,
  { stat, mode, acl, defaultAcl }: AskedAcl,
): Promise<AclChange> {
  if (defaultAcl !== undefined && stat.kind !== 'directory')
    throw new RefusedError(`${path} is not a directory, so it cannot have a default ACL`, {
      remedy: `see what it is: ls -ld ${inShell(path)}`,
    });
  const now = await host.run(getfacl(path));
  const access =
    acl === undefined
      ? withMode(now.access, mode, now.access.has('mask:') ? 'mask:' : 'group:')
      : withMask(new Map([...base(withMode(now.access, mode, 'group:')), ...keyed(acl)]));
  const inherited =
    defaultAcl === undefined
      ? now.default
      : defaultAcl.length === 0
        ? new Map<string, string>()
        : withMask(new Map([...base(access), ...keyed(defaultAcl)]));
  const whole = (all: Entries, of: Entries, special: number): ModeAndAcl => ({
    mode: special | modeOf(all),
    acl: textOf(all),
    ...(stat.kind === 'directory' ? { defaultAcl: textOf(of) } : {}),
  });
  return {
    before: whole(now.access, now.default, stat.mode & 0o7000),
    after: whole(access, inherited, (mode ?? stat.mode) & 0o7000),
  };
}

/** The entries of user, owning group and others. */
function base(all: Entries): Entries {
  return new Map([...all].filter(([key]) => ['user:', 'group:', 'other:'].includes(key)));
}

function keyed(all: readonly string[]): Entries {
  return new Map(all.map((entry) => [entry.slice(0, -4), entry.slice(-3)]));
}

/** Sets permission bits; `group` is the entry that gets those of the group. */
function withMode(all: Entries, mode: number | undefined, group: 'group:' | 'mask:'): Entries {
  if (mode === undefined) return all;
  return new Map([
    ...all,
    ['user:', words(mode >> 6)] as const,
    [group, words(mode >> 3)] as const,
    ['other:', words(mode)] as const,
  ]);
}

/** Adds the mask, as setfacl(1) computes it: what the owning group and the named entries may do. */
function withMask(all: Entries): Entries {
  const limited = [...all].filter(([key]) => key === 'group:' || isNamed(key));
  if (all.has('mask:') || limited.length === 1) return all;
  return new Map([...all, ['mask:', words(limited.reduce((sum, [, each]) => sum | numberOf(each), 0))]]);
}

/** Permission bits as lstat(2) shows them: of an ACL with a mask, the mask is those of the group. */
function modeOf(all: Entries): number {
  const of = (key: string): number => numberOf(all.get(key) ?? '');
  return (of('user:') << 6) | (of(all.has('mask:') ? 'mask:' : 'group:') << 3) | of('other:');
}

/** Permission bits with those of the owning group itself. */
export function ownMode({ mode, acl }: ModeAndAcl): number {
  return (mode & 0o7707) | (numberOf(keyed(acl.split(',')).get('group:') ?? '') << 3);
}

/** Returns permissions as getfacl(1) shows them: 5 is `r-x`. */
export function words(number: number): string {
  return ['r', 'w', 'x'].map((word, index) => ((number & (4 >> index)) === 0 ? '-' : word)).join('');
}

/** Returns the number of permissions such as `r-x` or `rx`. */
export function numberOf(permissions: string): number {
  return ['r', 'w', 'x'].reduce((sum, word, index) => sum | (permissions.includes(word) ? 4 >> index : 0), 0);
}

/** All entries in the order of getfacl(1), which is the same for equal ACLs. */
export function textOf(all: Entries): string {
  const tags = ['user', 'group', 'mask', 'other'];
  const order = (key: string): readonly [number, number] => {
    const [tag = '', id = ''] = key.split(':');
    return [tags.indexOf(tag), id === '' ? -1 : Number(id)];
  };
  return [...all]
    .toSorted(([one], [other]) => order(one)[0] - order(other)[0] || order(one)[1] - order(other)[1])
    .map(([key, permissions]) => `${key}:${permissions}`)
    .join(',');
}

/** Returns how two ACLs differ, in words: `adds acl user:33:r-x`. */
export function aclDifferences(before: ModeAndAcl, after: ModeAndAcl): readonly string[] {
  const between = (what: string, old: Entries, now: Entries): readonly string[] =>
    [...new Set([...old.keys(), ...now.keys()])].flatMap((key) => {
      const [was, is] = [old.get(key), now.get(key)];
      if (was === is) return [];
      if (was === undefined) return [`adds ${what} ${key}:${is ?? ''}`];
      return is === undefined ? [`removes ${what} ${key}:${was}`] : [`${what} ${key}: ${was} → ${is}`];
    });
  // The mode shows the entries of owner, group and others.
  const ofAccess = (text: string): Entries =>
    new Map([...keyed(text.split(','))].filter(([key]) => isNamed(key) || key === 'mask:'));
  const ofDefault = (text = ''): Entries => keyed(text === '' ? [] : text.split(','));
  return [
    ...between('acl', ofAccess(before.acl), ofAccess(after.acl)),
    ...between('default acl', ofDefault(before.defaultAcl), ofDefault(after.defaultAcl)),
  ];
}

/** Filesystems that have no POSIX ACLs, whatever their mount options are. */
const without = ['vfat', 'msdos', 'exfat', 'iso9660', 'udf', 'nfs4', 'proc', 'sysfs', 'cgroup2'];

/**
 * RefusedError for the path of a new or existing object on a filesystem without ACLs; ToolError if
 * the package acl is missing. An unknown filesystem is not refused: if it has no ACLs, the step fails.
 */
export async function refuseNoAcl(host: ReadHost, path: string, asked: AclRequest): Promise<void> {
  if (asked.acl === undefined && asked.defaultAcl === undefined) return;
  let at = path;
  let stat = await host.stat(at);
  for (; stat === undefined && at !== '/'; stat = await host.stat(at))
    at = at.slice(0, at.lastIndexOf('/')) || '/';
  const mount = (await mountEntries(host)).find(({ device }) => device === stat?.device);
  const options = [mount?.options, mount?.superOptions].join(',').split(',');
  if (without.includes(mount?.type ?? '') || options.includes('noacl')) throw unsupported(at);
  await host.run(getfacl(at));
}

/** The refusal of a filesystem without ACLs. */
export function unsupported(path: string, cause?: CommandError): RefusedError {
  return new RefusedError(`the filesystem of ${path} has no POSIX ACLs, or is mounted without them`, {
    cause,
    remedy: `see its type and options: findmnt --target ${inShell(path)}`,
  });
}
