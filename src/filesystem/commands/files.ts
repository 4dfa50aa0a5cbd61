import { createHash } from 'node:crypto';
import { type Answer, type Command, errnoReason, type ReadCommand } from '../../command/index.ts';
import { ParseError, type Reason } from '../../core/errors.ts';
import type { Bytes } from '../../core/units.ts';

/** A file in a filesystem, as find(1) reports it. */
export interface FileEntry {
  /** Type as in find(1): `f` is a file, `d` a directory. */
  readonly type: string;
  /** Path relative to the root of the filesystem, one character per byte. */
  readonly path: string;
  readonly size: Bytes;
  /**
   * Time of the last change of content, name or attributes: seconds since 1970 with ten decimals.
   */
  readonly changed: string;
}

/** All files of a filesystem, summarized. */
export interface Files {
  readonly entries: readonly FileEntry[];
  /**
   * SHA-256 over type, size, change time and name of each file; for a directory, only over its
   * name.
   */
  readonly digest: string;
}

const format = String.raw`%y %s %C@ %P\0`;

/**
 * Lists every name in a mounted filesystem except `lost+found` itself, without other filesystems
 * mounted in it.
 */
export function listFiles(root: string): ReadCommand<Files> {
  return {
    tool: 'find',
    argv: [root, '-xdev', '-mindepth', '1', '-printf', format],
    access: 'read',
    timeoutMs: 30 * 60_000,
    encoding: 'latin1',
    parse: ({ stdout }) => parseFiles(stdout),
    classify: classifyFind,
  };
}

// In a separate mount namespace that ends with the shell: no other process sees the mount, and a
// killed bofh leaves none behind. Over /run, which every host has. The kernel replays the journal
// of an ext4 or xfs that was not unmounted.
const peek = `set -e
mount --types "$1" --options ro,nosuid,nodev,noexec --source "$2" --target /run
find /run -xdev -mindepth 1 -printf '${format}'
umount --no-mtab /run`;

/** Lists the files of an unmounted filesystem. For that, mounts it privately and read-only. */
export function listUnmounted(device: string, type: string): Command<Files, 'change'> {
  return {
    tool: 'unshare',
    argv: ['--mount', 'sh', '-c', peek, 'bofh', type, device],
    access: 'change',
    repeatable: true,
    encoding: 'latin1',
    parse: ({ stdout }) => parseFiles(stdout),
    classify: classifyFind,
  };
}

const entry = /(?<type>[bcdflpsD]) (?<size>\d+) (?<changed>-?\d+\.\d{10}) (?<path>[^\0]+)\0/y;

function parseFiles(stdout: string): Files {
  const entries: FileEntry[] = [];
  const lines: string[] = [];
  entry.lastIndex = 0;
  while (entry.lastIndex < stdout.length) {
    const from = entry.lastIndex;
    const { type, size, changed, path } = entry.exec(stdout)?.groups ?? {};
    if (type === undefined || changed === undefined || path === undefined)
      throw new ParseError(`find: cannot read ${JSON.stringify(stdout.slice(from, from + 100))}`);
    // Files that a filesystem check has put into it count.
    if (path === 'lost+found') continue;
    entries.push({ type, path, size: Number(size), changed });
    lines.push(type === 'd' ? `d ${path}` : `${type} ${size ?? ''} ${changed} ${path}`);
  }
  const digest = createHash('sha256').update(lines.sort().join('\0'), 'latin1').digest('hex');
  return { entries, digest };
}

function classifyFind(answer: Answer): Reason {
  return /already mounted|target is busy/.test(answer.stderr) ? 'busy' : errnoReason(answer);
}

// After a power cut the bitmaps may exist only in the journal, and debugfs then refuses to open the
// filesystem. No request here needs them, so -c (catastrophic mode) skips them.
const debugfs = (request: string, device: string): readonly string[] => ['-c', '-R', request, device];

/**
 * Lists the names in the root directory, or in `lost+found`, of an unmounted ext2, ext3 or ext4.
 */
export function debugfsRoot(
  device: string,
  directory: '/' | '/lost+found' = '/',
): ReadCommand<readonly string[]> {
  return {
    tool: 'debugfs',
    argv: debugfs(`ls -p ${directory}`, device),
    access: 'read',
    parse: ({ stdout, stderr }) => parseDebugfs(stdout, stderr).map(({ name }) => name),
  };
}

/**
 * Returns the features of an ext2, ext3 or ext4. With `needs_recovery` its journal has content that
 * debugfs does not see.
 */
export function debugfsFeatures(device: string): ReadCommand<readonly string[]> {
  return {
    tool: 'debugfs',
    argv: debugfs('features', device),
    access: 'read',
    parse: ({ stdout, stderr }) => {
      const features = /^Filesystem features: (?<features>[\w ]+)\n$/.exec(stdout)?.groups?.features;
      if (features === undefined) throw new ParseError(`debugfs: ${stderr.trim()}`);
      return features.trim().split(' ');
    },
  };
}

/**
 * Returns the entries of a directory of an unmounted ext2, ext3 or ext4, also in an image file;
 * undefined if it is missing or no directory. The path must not contain blanks or quotes.
 */
export function debugfsEntries(
  device: string,
  directory: string,
): ReadCommand<readonly DirectoryEntry[] | undefined> {
  return {
    tool: 'debugfs',
    argv: debugfs(`ls -p ${directory}`, device),
    access: 'read',
    parse: ({ stdout, stderr }) => {
      const [, why] = said(stderr);
      if (
        why === `${directory}: File not found by ext2_lookup` ||
        why === '-p: Ext2 inode is not a directory'
      )
        return undefined;
      return parseDebugfs(stdout, stderr);
    },
  };
}

/**
 * Returns the content of a file in an unmounted ext2, ext3 or ext4, one character per byte. The
 * path must name a regular file (`debugfsEntries`), and must not contain blanks or quotes.
 */
export function debugfsText(device: string, path: string): ReadCommand<string> {
  return {
    tool: 'debugfs',
    argv: debugfs(`cat ${path}`, device),
    access: 'read',
    encoding: 'latin1',
    parse: ({ stdout, stderr }) => {
      const [, why] = said(stderr);
      if (why !== undefined) throw new ParseError(`debugfs: ${why}`);
      return stdout;
    },
  };
}

/** Returns the lines that debugfs printed to stderr; the first one is its version. */
function said(stderr: string): readonly string[] {
  return stderr.split('\n').flatMap((line) => (line.trim() === '' ? [] : [line.trim()]));
}

// A name can contain a newline, but neither / nor NUL, so this matches entries and not lines.
const debugfsEntry =
  /\/\d+\/(?<type>[0-7]{2})(?<mode>[0-7]{4})\/(?<uid>\d+)\/(?<gid>\d+)\/(?<name>[^/]+)\/(?<size>\d*)\/\n/y;

/** An entry of a directory, as debugfs lists it. */
export interface DirectoryEntry {
  readonly name: string;
  readonly kind: 'file' | 'directory' | 'symlink' | 'other';
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** In bytes; 0 for a directory, because debugfs does not list it. */
  readonly size: number;
}

const kinds: Readonly<Record<string, DirectoryEntry['kind']>> = {
  '04': 'directory',
  '10': 'file',
  '12': 'symlink',
};

function parseDebugfs(stdout: string, stderr: string): readonly DirectoryEntry[] {
  const text = stdout.replace(/\n$/, '');
  const entries: DirectoryEntry[] = [];
  debugfsEntry.lastIndex = 0;
  while (debugfsEntry.lastIndex < text.length) {
    const { name, type = '', ...listed } = debugfsEntry.exec(text)?.groups ?? {};
    if (name === undefined) throw new ParseError(`debugfs: cannot read the listing: ${stderr.trim()}`);
    const { mode, uid, gid, size } = listed;
    entries.push({
      ...{ name, kind: kinds[type] ?? 'other', mode: Number.parseInt(mode ?? '', 8) },
      ...{ uid: Number(uid), gid: Number(gid), size: Number(size) },
    });
  }
  // debugfs always exits with 0; a directory that was read has these two entries.
  for (const own of ['.', '..'])
    if (!entries.some(({ name }) => name === own)) throw new ParseError(`debugfs: ${stderr.trim()}`);
  return entries.filter(({ name }) => name !== '.' && name !== '..');
}
