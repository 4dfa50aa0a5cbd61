import { type Answer, type Command, nothing, type ReadCommand } from '../command/index.ts';
import { ParseError, type Reason } from '../core/errors.ts';
import type { Bytes } from '../core/units.ts';

/** A member of an archive, as tar lists it. */
export interface Member {
  /**
   * The letter in the listing: `-`, `d`, `l`, `h` (a hard link), `c`, `b`, `p`, and those of tar
   * only, `C`, `V`, `M`, `N`, `D`, `?`.
   */
  readonly type: string;
  /**
   * In C quoting, without the quotes: pure ASCII, with exactly one spelling for each name, and `/`
   * never quoted.
   */
  readonly name: string;
  /** Target of a link, in the same quoting. */
  readonly target?: string;
  readonly bytes: Bytes;
}

/** The listing of a tar archive. */
export interface Listing {
  readonly members: readonly Member[];
  /** Uncompressed size of the archive. */
  readonly archiveBytes: Bytes;
  /** Whether the archive ends with the zero blocks that mark its end. */
  readonly complete: boolean;
}

const block = 512;
/** GNU tar counts its checkpoints in records of 20 blocks. */
const record = 20 * block;

/**
 * `tar --list`. GNU tar recognises gzip, xz and zstd itself. `--absolute-names` shows names as they
 * are in the archive. `--force-local`, because tar reads a path with a colon as one on a remote
 * host. `--block-number`, because tar exits with 0 for an archive truncated between two members,
 * and only this option shows how it ended (tar 1.34).
 */
export function tarList(source: string): ReadCommand<Listing> {
  return {
    tool: 'tar',
    argv: [
      '--list',
      '--verbose',
      '--block-number',
      '--numeric-owner',
      '--full-time',
      '--quoting-style=c',
      '--absolute-names',
      '--force-local',
      `--file=${source}`,
    ],
    access: 'read',
    // tar reads and decompresses the whole archive.
    timeoutMs: 30 * 60_000,
    parse: ({ stdout }) => parseListing(stdout),
    classify,
  };
}

/**
 * `tar --extract --to-stdout`: prints one file, one character per byte. The name is as in the
 * archive and must not begin with a hyphen.
 */
export function tarText(source: string, name: string): ReadCommand<string> {
  return {
    tool: 'tar',
    argv: ['--extract', '--to-stdout', '--force-local', `--file=${source}`, name],
    access: 'read',
    encoding: 'latin1',
    timeoutMs: 30 * 60_000,
    parse: ({ stdout }) => stdout,
    classify,
  };
}

/**
 * `tar --extract` into a directory. tar itself writes nothing outside of it: without
 * `--absolute-names` it strips a leading `/` and refuses `..`. It creates a link that is absolute
 * or has `..` as an empty file until everything else exists.
 */
export function tarExtract(options: {
  /** `-`: stdin. */
  readonly source: string;
  readonly directory: string;
  /** From the listing; the progress is a part of this size. */
  readonly archiveBytes: Bytes;
}): Command<void, 'change'> {
  const records = Math.max(1, Math.ceil(options.archiveBytes / record));
  return {
    tool: 'tar',
    argv: [
      '--extract',
      '--force-local',
      `--file=${options.source}`,
      `--directory=${options.directory}`,
      '--numeric-owner',
      '--same-owner',
      '--same-permissions',
      '--acls',
      '--xattrs',
      '--xattrs-include=*',
      '--delay-directory-restore',
      '--restrict',
      '--warning=no-timestamp',
      `--checkpoint=${Math.max(1, Math.floor(records / 200))}`,
      '--checkpoint-action=echo=%u',
    ],
    access: 'change',
    stop: 'safe',
    parse: nothing,
    classify,
    progress: (output) => {
      const last = [...output.matchAll(/^\S*tar: (?<record>\d+)\n/gm)].at(-1)?.groups?.record;
      return last === undefined ? undefined : Math.min(1, Number(last) / records);
    },
  };
}

/**
 * `tar --create` of a whole directory to stdout, for `tarExtract` of `-`: with times in
 * nanoseconds, holes, ACLs and attributes. Without sockets, and `lost+found`, which the new root has
 * already; and without what is mounted in the directory, unless it is `included`. Then it leaves out
 * attributes that an ext4 cannot hold (`btrfs.*`), and the second form in which an xfs shows ACLs.
 */
export function tarTree(directory: string, mounts?: 'included'): Command<void, 'change'> {
  return {
    tool: 'tar',
    argv: [
      '--create',
      '--force-local',
      '--file=-',
      `--directory=${directory}`,
      '--format=posix',
      ...(mounts === undefined ? ['--one-file-system'] : []),
      '--sparse',
      '--numeric-owner',
      '--acls',
      '--xattrs',
      '--xattrs-include=*',
      ...(mounts === undefined ? [] : ['--xattrs-exclude=btrfs.*', '--xattrs-exclude=trusted.SGI_ACL_*']),
      '--anchored',
      '--exclude=./lost+found',
      '.',
    ],
    access: 'change',
    stop: 'safe',
    parse: nothing,
    classify,
  };
}

/** `tar --create` of some files below a directory, with everything that `tarExtract` restores. */
export function tarSave(options: {
  readonly file: string;
  readonly directory: string;
  /** Relative to the directory. */
  readonly paths: readonly string[];
}): Command<void, 'change'> {
  return {
    tool: 'tar',
    argv: [
      '--create',
      '--force-local',
      `--file=${options.file}`,
      `--directory=${options.directory}`,
      '--no-recursion',
      '--numeric-owner',
      '--acls',
      '--xattrs',
      '--xattrs-include=*',
      ...options.paths.map((path) => `./${path}`),
    ],
    access: 'change',
    parse: nothing,
    classify,
  };
}

/**
 * `sync --file-system`: makes everything durable that was written to the filesystem of this path
 * (syncfs(2)).
 */
export function syncFilesystem(path: string): Command<void, 'change'> {
  return {
    tool: 'sync',
    argv: ['--file-system', path],
    access: 'change',
    repeatable: true,
    parse: nothing,
    classify,
  };
}

/**
 * `find -delete`: deletes everything below a directory except `lost+found`. Works from open
 * directories, so it follows no link, and stays on one filesystem. The path must contain none of
 * `*?[\`, which `-path` would read as a pattern.
 */
export function emptyDirectory(path: string): Command<void, 'destroy'> {
  const kept = `${path}/lost+found`;
  return {
    tool: 'find',
    argv: [path, '-xdev', '-mindepth', '1', '!', '-path', kept, '!', '-path', `${kept}/*`, '-delete'],
    access: 'destroy',
    repeatable: true,
    parse: nothing,
    classify,
  };
}

/**
 * Returns the error output of tar without checkpoints and without its last sentence, which is the
 * same for every failure.
 */
export function complaints(stderr: string): string {
  const lines = stderr.split('\n').filter((line) => line !== '');
  return lines
    .filter((line) => !/^\S*tar: (?:\d+$|Exiting with failure status|Error is not recoverable)/.test(line))
    .join('\n');
}

const quoted = String.raw`"(?:[ !#-\[\]-~]|\\(?:["\\abfnrtv?]|[0-7]{3}))*"`;
const memberLine = new RegExp(
  [
    String.raw`^block \d+: (?<type>[-A-Za-z?])[-r][-w][-xsS][-r][-w][-xsS][-r][-w][-xtT]`,
    String.raw` -?\d+/-?\d+ +(?:(?<bytes>\d+)|\d+,\d+)`,
    // tar prints a time as a number of seconds if the C library cannot format it.
    String.raw` (?:-?\d+-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?|-?\d+(?:\.\d+)?) +`,
    `(?<name>${quoted})(?: (?:->|link to) (?<target>${quoted})|--[ -~]+--)?$`,
  ].join(''),
);
const lastLine = /^block (?<blocks>\d+): \*\* (?<end>Block of NULs|End of File) \*\*$/;

function parseListing(stdout: string): Listing {
  if (!stdout.endsWith('\n')) throw new ParseError('tar: the listing is empty or cut off');
  const lines = stdout.slice(0, -1).split('\n');
  const { blocks, end } = lastLine.exec(lines.pop() ?? '')?.groups ?? {};
  if (blocks === undefined) throw new ParseError('tar: the listing has an unknown last line');
  return {
    members: lines.map(parseMember),
    archiveBytes: Number(blocks) * block,
    complete: end === 'Block of NULs',
  };
}

function parseMember(line: string): Member {
  const { type, bytes, name, target } = memberLine.exec(line)?.groups ?? {};
  const isLink = type === 'l' || type === 'h';
  if (type === undefined || name === undefined || isLink !== (target !== undefined))
    throw new ParseError(`tar: cannot read the line ${JSON.stringify(line)}`);
  return {
    type,
    name: name.slice(1, -1),
    ...(target === undefined ? {} : { target: target.slice(1, -1) }),
    bytes: Number(bytes ?? 0),
  };
}

const escapes: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};

/** Decodes a name in C quoting, one character per byte. */
export function unquoted(name: string): string {
  return name.replaceAll(/\\(?<code>[0-7]{3}|.)/g, (_, code: string) =>
    code.length === 3 ? String.fromCharCode(Number.parseInt(code, 8)) : (escapes[code] ?? code),
  );
}

/**
 * Finds why tar, sync or find failed, in the C locale. On a full filesystem tar prints "Wrote only
 * 2560 of 10240 bytes".
 */
function classify({ stderr }: Answer): Reason {
  if (/No space left on device|Disk quota exceeded|Wrote only \d+ of \d+ bytes/.test(stderr))
    return 'no-space';
  if (/Device or resource busy/.test(stderr)) return 'busy';
  if (/Permission denied|Operation not permitted|Read-only file system/.test(stderr)) return 'denied';
  if (/: Cannot open: No such file or directory/.test(stderr)) return 'not-found';
  return 'unknown';
}
