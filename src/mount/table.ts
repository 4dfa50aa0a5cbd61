import { type MountEntry, unescapeOctal } from '../blockdevice/mountinfo.ts';
import { type ReadHost, textOf } from '../command/index.ts';
import { ParseError } from '../core/errors.ts';

export { mountOver } from '../blockdevice/mountinfo.ts';

/**
 * Returns the option with the tag of a step. libmount keeps `x-…` options in its own table and
 * never passes them to the kernel (mount(8)).
 */
export function markOption(mark: string): string {
  return `x-bofh.mark=${mark}`;
}

/**
 * Returns the option that marks a mount of bofh that the undo of an unmount has mounted again, with
 * a new mount ID.
 */
export function againOption(mark: string): string {
  return `x-bofh.again=${mark}`;
}

/** A line of libmount's own table: the options that the kernel does not keep. */
export interface UserEntry {
  readonly path: string;
  readonly options: readonly string[];
}

const utab = '/run/mount/utab';
const line = /^(?:[A-Z_]+=[^ ]*)(?: [A-Z_]+=[^ ]*)*$/s;

/** Parses /run/mount/utab (libmount 2.38 to 2.41). ParseError for an unknown line. */
export function parseUtab(text: string): readonly UserEntry[] {
  if (text === '') return [];
  if (!text.endsWith('\n')) throw new ParseError(`${utab} is cut off`);
  return text.slice(0, -1).split('\n').map(parseLine);
}

/** Reads libmount's table; empty if nothing has needed it since the boot. */
export async function userEntries(host: ReadHost): Promise<readonly UserEntry[]> {
  const text = await textOf(host, utab);
  return text === undefined ? [] : parseUtab(text);
}

/** Returns the mounts at a path, the lowest first. */
export function mountsAt(entries: readonly MountEntry[], path: string): readonly MountEntry[] {
  return entries.filter((entry) => entry.path === path);
}

/**
 * Returns the mounts on top of a mount: in its directories, or over it at the same path. They keep
 * it busy.
 */
export function mountsOn(entries: readonly MountEntry[], below: MountEntry): readonly MountEntry[] {
  return entries.filter((entry) => entry.parent === below.id && entry.id !== below.id);
}

/** Describes a mount. */
export function describe({ source, path, id }: MountEntry): string {
  return `${source} mounted on ${path} (mount ${id})`;
}

function parseLine(text: string): UserEntry {
  if (!line.test(text)) throw new ParseError(`${utab}: cannot read the line ${JSON.stringify(text)}`);
  const fields = new Map(
    text.split(' ').map((field) => {
      const at = field.indexOf('=');
      return [field.slice(0, at), unescapeOctal(field.slice(at + 1))] as const;
    }),
  );
  const path = fields.get('TARGET');
  if (path === undefined) throw new ParseError(`${utab}: a line without a target: ${JSON.stringify(text)}`);
  return { path, options: (fields.get('OPTS') ?? '').split(',').filter((option) => option !== '') };
}
