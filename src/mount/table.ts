import { type MountEntry, unescapeOctal } from '../blockdevice/mountinfo.ts';
import type { ReadHost } from '../command/index.ts';
import { ParseError } from '../errors.ts';

/** The option that bears a step's mark. libmount keeps `x-…` options in its own table and never gives them to the kernel (mount(8)). */
export function markOption(mark: string): string {
  return `x-bofh.mark=${mark}`;
}

/** One line of libmount's own table: the options that the kernel does not keep. */
export interface UserEntry {
  readonly path: string;
  readonly options: readonly string[];
}

const utab = '/run/mount/utab';
const line = /^(?:[A-Z_]+=[^ ]*)(?: [A-Z_]+=[^ ]*)*$/s;

/** Parses /run/mount/utab (libmount 2.38 to 2.41). Throws ParseError for a line that it does not understand. */
export function parseUtab(text: string): readonly UserEntry[] {
  if (text === '') return [];
  if (!text.endsWith('\n')) throw new ParseError(`${utab} is cut off`);
  return text.slice(0, -1).split('\n').map(parseLine);
}

/** libmount's table; empty when there is none, because nothing has needed it since the boot. */
export async function userEntries(host: ReadHost): Promise<readonly UserEntry[]> {
  if ((await host.stat(utab)) === undefined) return [];
  return parseUtab(new TextDecoder().decode(await host.readFile(utab)));
}

/** What is mounted at a path, the lowest first. */
export function mountsAt(entries: readonly MountEntry[], path: string): readonly MountEntry[] {
  return entries.filter((entry) => entry.path === path);
}

/** What stands on a mount: in directories of it, or over it at the same path. While it does, the mount is busy. */
export function mountsOn(entries: readonly MountEntry[], below: MountEntry): readonly MountEntry[] {
  return entries.filter((entry) => entry.parent === below.id && entry.id !== below.id);
}

/** A mount in words. */
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
