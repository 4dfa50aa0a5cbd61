import type { Answer, ReadCommand } from '../../command/index.ts';
import { ParseError } from '../../core/errors.ts';
import { majorMinor } from '../../host/stat.ts';

/**
 * How a process uses something: `fd 3`, `cwd`, `root`, `exe`, `map`, `socket PATH`; `ns/mnt` is its
 * mount namespace.
 */
export interface Use {
  readonly pid: number;
  readonly how: string;
  /** `major:minor` of the filesystem of the used file. */
  readonly device: string;
  readonly inode: number;
  /** Only for a block device: its own `major:minor`. */
  readonly node?: string;
  readonly kind: 'block' | 'socket' | 'other';
}

/** The uses of every process, read in one pass. */
export interface Scan {
  readonly uses: readonly Use[];
  /** Processes that could not be examined completely. */
  readonly unseen: ReadonlySet<number>;
  /** /proc does not even list the processes of other users (hidepid). */
  readonly hidden: boolean;
}

const looked = ['cwd', 'root', 'exe', 'fd/*', 'ns/mnt'].flatMap((name, index) => [
  ...(index === 0 ? [] : ['-o']),
  '-path',
  `/proc/[0-9]*/${name}`,
]);

/**
 * Finds the directories, open files, programs and mappings of all processes on these devices, with
 * one program for all, because on a remote host each access costs a round trip. `--cached=always`
 * (coreutils 8.32) does not contact a file server, which may be dead. Resolves no names, so it also
 * finds a file that was deleted, or is in another mount namespace. For the devices in `below` only
 * files below its path count as mapped, by the names that the kernel shows.
 */
export function processUses(
  numbers: readonly string[],
  below?: { readonly numbers: readonly string[]; readonly path: string },
): ReadCommand<Scan> {
  const format = '%n %d %i %f %t:%T\\n';
  const devices = numbers.map(asInMaps).join('|');
  const anywhere = `(${devices}) [0-9]+`;
  const there = below?.numbers.map(asInMaps).join('|') ?? '';
  const inPath =
    below === undefined
      ? ''
      : `(${there}) [0-9]+ +${nameInMaps(below.path === '/' ? '' : below.path)}(/| |$)`;
  const either = below === undefined ? anywhere : numbers.length === 0 ? inPath : `(${inPath}|${anywhere})`;
  const mapped = `^[0-9a-f]+-[0-9a-f]+ .... [0-9a-f]+ ${either}`;
  const stat = ['-exec', 'stat', '--dereference', '--cached=always', '--printf', format, '{}', '+'];
  const grep = [
    '-exec',
    'grep',
    '--with-filename',
    '--only-matching',
    '--extended-regexp',
    mapped,
    '{}',
    '+',
  ];
  return {
    tool: 'find',
    argv: [
      ...['/proc', '-mindepth', '1', '-maxdepth', '3'],
      // Skips all other directories, because reading a directory of each process takes time.
      ...['-type', 'd', '!', '-path', '/proc/[0-9]*', '-prune', '-o'],
      ...['-type', 'd', '-path', '/proc/*/*', '!', '-name', 'fd', '!', '-name', 'ns', '-prune', '-o'],
      ...['(', '(', ...looked, ')', ...stat, ')'],
      ...['-o', '(', '-path', '/proc/[0-9]*/maps', ...grep, ')'],
    ],
    access: 'read',
    // Exit code 1: something was gone or denied (its line on stderr says which), or nothing is
    // mapped.
    accepts: [0, 1],
    parse: parseScan,
  };
}

const useLine =
  /^\/proc\/(?<pid>\d+)\/(?<how>cwd|root|exe|ns\/mnt|fd\/\d+) (?<device>\d+) (?<inode>\d+) (?<mode>[0-9a-f]+) (?<major>[0-9a-f]+):(?<minor>[0-9a-f]+)$/;
const mapLine =
  /^\/proc\/(?<pid>\d+)\/maps:[0-9a-f]+-[0-9a-f]+ .{4} [0-9a-f]+ (?<major>[0-9a-f]+):(?<minor>[0-9a-f]+) (?<inode>\d+)(?: +\/.*)?$/;
const complaint =
  /^(?:\S*\/)?(?:find|stat|grep): (?:cannot statx? )?'?\/proc\/(?<pid>\d+)(?:\/[^' :]*)?'?: (?<why>[^:]+)$/;

function parseScan({ stdout, stderr }: Answer): Scan {
  const uses = linesOf(stdout).map(parseUse);
  const unseen = new Set<number>();
  for (const line of linesOf(stderr)) {
    const { pid, why } = complaint.exec(line)?.groups ?? {};
    if (pid === undefined) throw new ParseError(`cannot read ${JSON.stringify(line)}`);
    // The process ended during the scan, has closed that descriptor, or is a kernel thread, which
    // has no program file.
    if (why === 'No such file or directory' || why === 'No such process') continue;
    unseen.add(Number(pid));
  }
  // Process 1 always exists. If it is neither listed nor reported as denied, /proc hides the processes of others (hidepid).
  const hidden = !unseen.has(1) && !uses.some(({ pid }) => pid === 1);
  return { uses, unseen, hidden };
}

function parseUse(line: string): Use {
  const map = mapLine.exec(line)?.groups;
  if (map !== undefined)
    return {
      pid: Number(map.pid),
      how: 'map',
      device: numberOf(map.major, map.minor),
      inode: Number(map.inode),
      kind: 'other',
    };
  const use = useLine.exec(line)?.groups;
  if (use === undefined) throw new ParseError(`cannot read ${JSON.stringify(line)}`);
  const type = Number.parseInt(use.mode ?? '', 16) & 0o170000;
  const kind = type === 0o060000 ? 'block' : type === 0o140000 ? 'socket' : 'other';
  return {
    pid: Number(use.pid),
    how: use.how?.replace('fd/', 'fd ') ?? '',
    device: majorMinor(BigInt(use.device ?? '')),
    inode: Number(use.inode),
    kind,
    ...(kind === 'block' ? { node: numberOf(use.major, use.minor) } : {}),
  };
}

function linesOf(text: string): readonly string[] {
  return text.split('\n').filter((line) => line !== '');
}

function numberOf(major = '', minor = ''): string {
  return `${Number.parseInt(major, 16)}:${Number.parseInt(minor, 16)}`;
}

/** Formats a device as show_map_vma does in /proc/PID/maps (fs/proc/task_mmu.c): `%02x:%02x`. */
function asInMaps(number: string): string {
  return number
    .split(':', 2)
    .map((part) => Number(part).toString(16).padStart(2, '0'))
    .join(':');
}

/** Returns a regular expression for a path in the format of /proc/PID/maps. */
function nameInMaps(path: string): string {
  return path.replaceAll('\n', '\\012').replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
