import { nameOf, type ReadHost } from '../command/index.ts';
import { ParseError } from '../core/errors.ts';
import { onceIn } from './one-look.ts';
import { isWithin } from './path.ts';

/** One mount of bofh's mount namespace, from /proc/self/mountinfo (proc(5)). */
export interface MountEntry {
  /** Unique among the current mounts; the kernel reuses numbers after an unmount. */
  readonly id: number;
  readonly parent: number;
  /**
   * `major:minor` of the filesystem; btrfs and overlays have their own, which belongs to no device.
   */
  readonly device: string;
  /** The directory of the filesystem that is the root of this mount. */
  readonly root: string;
  readonly path: string;
  readonly options: string;
  readonly type: string;
  /** The source given to mount(2), usually a device node. Free text, may be empty. */
  readonly source: string;
  readonly superOptions: string;
}

// The kernel escapes space, tab, newline and backslash (and # in the source) as octal, so a field
// never contains a space; other white space is not escaped, hence [^ ] and not \S. proc(5) says to
// ignore optional fields.
const line = new RegExp(
  '^(?<id>\\d+) (?<parent>\\d+) (?<device>\\d+:\\d+) (?<root>[^ ]+) (?<path>[^ ]+) (?<options>[^ ]+)' +
    '(?: (?!- )[^ ]+)* - (?<type>[^ ]+) (?<source>[^ ]*) (?<superOptions>[^ ]+)$',
  's',
);

/**
 * Parses every mount in the text of a mountinfo file. ParseError for a line that it cannot parse.
 */
export function parseMountinfo(text: string): readonly MountEntry[] {
  if (!text.endsWith('\n')) throw new ParseError('/proc/self/mountinfo is empty or cut off');
  return text.slice(0, -1).split('\n').map(parseLine);
}

/** Returns every mount that the host's processes see by default. */
export async function mountEntries(host: ReadHost): Promise<readonly MountEntry[]> {
  return onceIn(host, 'mounts', async () =>
    parseMountinfo(nameOf(await host.readFile('/proc/self/mountinfo'))),
  );
}

function parseLine(text: string): MountEntry {
  const fields = line.exec(text)?.groups;
  if (fields === undefined)
    throw new ParseError(`/proc/self/mountinfo: cannot read the line ${JSON.stringify(text)}`);
  const field = (name: string): string => unescapeOctal(fields[name] ?? '');
  return {
    id: Number(fields.id),
    parent: Number(fields.parent),
    device: field('device'),
    root: field('root'),
    path: field('path'),
    options: field('options'),
    type: field('type'),
    source: field('source'),
    superOptions: field('superOptions'),
  };
}

/** Decodes the octal escapes (`\040`) of /proc/self/mountinfo, /proc/swaps and similar files. */
export function unescapeOctal(text: string): string {
  return text.replace(/\\(?<code>[0-7]{3})/g, (_, code: string) =>
    String.fromCharCode(Number.parseInt(code, 8)),
  );
}

/**
 * Returns a mount that is visible at its path: no other mount covers this path or a directory above
 * it.
 */
export async function visible(
  host: ReadHost,
  mounts: readonly MountEntry[],
): Promise<MountEntry | undefined> {
  const all = await mountEntries(host);
  return mounts.find((mount) => {
    const below = ancestors(all, mount);
    return !all.some((other) => !below.has(other.id) && isWithin(mount.path, other.path));
  });
}

/**
 * Returns the mount that a path leads into. Follows parents from the root down, so that a hidden
 * mount does not count. Of two mounts on the same parent, the later one with the shorter path hides
 * the one with the longer path.
 */
export function mountOver(entries: readonly MountEntry[], path: string): MountEntry | undefined {
  const ids = new Set(entries.map(({ id }) => id));
  const isTop = ({ id, parent }: MountEntry): boolean => parent === id || !ids.has(parent);
  let at: MountEntry | undefined;
  for (;;) {
    const below = at;
    const inside = entries
      .filter((each) => (below === undefined ? isTop(each) : each.parent === below.id && each !== below))
      .filter((each) => isWithin(path, each.path))
      .toSorted((one, other) => one.path.length - other.path.length)[0];
    if (inside === undefined) return at;
    at = inside;
  }
}

/** Returns the IDs of a mount and its parent mounts. */
function ancestors(all: readonly MountEntry[], mount: MountEntry): ReadonlySet<number> {
  const parents = new Map(all.map(({ id, parent }) => [id, parent]));
  const found = new Set<number>();
  for (let id: number | undefined = mount.id; id !== undefined && !found.has(id); id = parents.get(id))
    found.add(id);
  return found;
}
