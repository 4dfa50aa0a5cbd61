import { posix } from 'node:path';
import * as z from 'zod/mini';
import {
  type ChangeHost,
  type Command,
  errnoReason,
  inShell,
  nothing,
  type ReadHost,
} from '../command/index.ts';
import { CommandError, ParseError, RefusedError } from '../core/errors.ts';

/**
 * Whether bofh can read an attribute of this name: getfattr(1) escapes `=`, `\` and characters that
 * are not ASCII.
 */
export function isXattrName(name: string): boolean {
  return /^(?:user|trusted)\.[!-<>-[\]-~]+$/.test(name) && name.length <= 255;
}

/** The largest value that Linux allows, in bytes. Many filesystems hold less. */
export const largestXattr = 65_536;

const value = z.string().check(
  z.refine((text) => Buffer.from(text, 'base64').toString('base64') === text, 'must be base64'),
  z.refine((text) => Buffer.byteLength(text, 'base64') <= largestXattr, 'is longer than 64 KiB'),
);

/** Extended attributes by name, each value in base64; null for one that must be absent. */
export const xattrValues = z.readonly(
  z
    .record(z.string(), z.nullable(value))
    .check(
      z.refine(
        (all) => Object.keys(all).every(isXattrName),
        'has a name that does not begin with user. or trusted., is too long, or contains a blank, "=", "\\" or a character that is not ASCII',
      ),
    ),
);

export type Xattrs = z.infer<typeof xattrValues>;

/** The extended attributes to set or remove; others stay unchanged. */
export interface XattrRequest {
  readonly xattrs?: Xattrs;
}

/**
 * `getfattr`: the value of an extended attribute in base64; null if the file does not have it, or
 * does not exist. Undefined if its filesystem has no such attributes.
 */
export function getfattr(path: string, of: string): Command<string | null | undefined, 'read'> {
  return {
    tool: 'getfattr',
    argv: ['--absolute-names', '--no-dereference', '--encoding=base64', `--name=${of}`, '--', path],
    access: 'read',
    accepts: [0, 1],
    // The first line has the path, which may be in any encoding.
    encoding: 'latin1',
    parse: ({ exitCode, stdout, stderr }) => {
      const [first = '', second = '', ...rest] = stdout.split('\n');
      const start = `${of}=0s`;
      const found = value.safeParse(second.slice(start.length));
      const isWhole = first.startsWith('# file: ') && second.startsWith(start) && rest.join('\n') === '\n';
      if (exitCode === 0 && isWhole && found.success) return found.data;
      if (exitCode === 1 && stdout === '') {
        if (stderr.endsWith(`: ${of}: Operation not supported\n`)) return undefined;
        if (stderr.endsWith(`: ${of}: No such attribute\n`)) return null;
        if (stderr.endsWith(': No such file or directory\n')) return null;
      }
      throw new ParseError('getfattr: its output could not be parsed');
    },
  };
}

/** `setfattr`: sets an extended attribute to a value in base64, or removes it. */
export function setfattr(path: string, of: string, to: string | null): Command<void, 'change'> {
  // setfattr exits with 0 for the value `0s`, but sets nothing.
  const value = to === '' || to === null ? (to ?? '') : `0s${to}`;
  const set = to === null ? [`--remove=${of}`] : [`--name=${of}`, `--value=${value}`];
  return {
    tool: 'setfattr',
    argv: ['--no-dereference', ...set, '--', path],
    access: 'change',
    parse: nothing,
    classify: errnoReason,
  };
}

/** Returns the current values of the named attributes. */
export async function xattrsOf(host: ReadHost, path: string, names: readonly string[]): Promise<Xattrs> {
  const found: Record<string, string | null> = {};
  for (const each of names) {
    const now = await host.run(getfattr(path, each));
    if (now === undefined) throw withoutXattrs(path, each);
    found[each] = now;
  }
  return found;
}

/** Sets and removes attributes of one file or directory, and reads them again. */
export async function setXattrs(host: ChangeHost, path: string, wanted: Xattrs = {}): Promise<void> {
  const names = Object.keys(wanted);
  const now = await xattrsOf(host, path, names);
  for (const each of names) {
    const to = wanted[each] ?? null;
    if (to === now[each]) continue;
    try {
      await host.run(setfattr(path, each, to));
    } catch (error) {
      if (!(error instanceof CommandError && / Operation not supported$/m.test(error.stderr))) throw error;
      throw withoutXattrs(path, each, error);
    }
    if ((await host.run(getfattr(path, each))) === to) continue;
    const what = `reported success, but ${each} is not as it was asked for`;
    throw new CommandError({ tool: 'setfattr', argv: [path], reason: 'unknown', what });
  }
}

/**
 * RefusedError for the path of a new or existing object on a filesystem without the asked attributes;
 * ToolError if the package attr is missing.
 */
export async function refuseNoXattrs(
  host: ReadHost,
  path: string,
  { xattrs = {} }: XattrRequest,
): Promise<void> {
  const names = Object.keys(xattrs);
  if (names.length === 0) return;
  let at = path;
  while (at !== '/' && (await host.stat(at)) === undefined) at = posix.dirname(at);
  await xattrsOf(host, at, names);
}

function withoutXattrs(path: string, of: string, cause?: CommandError): RefusedError {
  // A private name is gone when the error is read.
  const at = posix.basename(path).startsWith('.bofh-') ? posix.dirname(path) : path;
  const which = `${of.slice(0, of.indexOf('.'))}.*`;
  return new RefusedError(`the filesystem of ${at} does not support extended attributes ${which}`, {
    cause,
    remedy: `see its type and options: findmnt --target ${inShell(at)}`,
  });
}

/** Returns how attributes differ, in words: `adds xattr user.note "x"`. */
export function xattrDifferences(before: Xattrs, after: Xattrs): readonly string[] {
  return Object.entries(after).flatMap(([of, to]) => {
    const from = before[of] ?? null;
    if (from === to) return [];
    if (from === null) return [`adds xattr ${of} ${xattrInWords(to ?? '')}`];
    return to === null
      ? [`removes xattr ${of} ${xattrInWords(from)}`]
      : [`xattr ${of} ${xattrInWords(from)} → ${xattrInWords(to)}`];
  });
}

/** Returns a value in base64 as `"text"`, or as `0x00ff` if it is not printable ASCII. */
export function xattrInWords(value: string): string {
  const bytes = Buffer.from(value, 'base64');
  const text = bytes.toString('latin1');
  const isText = /^[ -~]*$/.test(text);
  const all = isText ? JSON.stringify(text) : `0x${bytes.toString('hex')}`;
  return all.length <= 72 ? all : `${all.slice(0, 60)}… (${String(bytes.length)} bytes)`;
}
