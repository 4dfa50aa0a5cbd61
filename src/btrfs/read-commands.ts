import type { ReadCommand } from '../command/index.ts';
import { ParseError } from '../core/errors.ts';
import { classify } from './commands.ts';
import type { Subvolume } from './schema.ts';
import { digits, printedPath, uuidOr } from './text.ts';

const uuidText = '(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|-)';

/** One record of a listing, with its path as printed. */
export interface RawRow {
  /** The whole record, unparsed. */
  readonly text: string;
  readonly id: number;
  readonly fields: Readonly<Record<string, string>>;
  /**
   * One character per byte. A line that does not start a record belongs to the path before it,
   * because a name may contain a newline.
   */
  path: string;
}

/**
 * `btrfs subvolume list`, with or without the column of the creation generation. Paths are
 * complete, and begin with `<FS_TREE>/` unless they are below the subvolume of `path`.
 *
 * bofh lists twice, in two forms (see `subvolumes`): a name with a newline and a fake line cannot
 * look like a record in both.
 */
export function subvolumeList(path: string, form: 'plain' | 'with cgen'): ReadCommand<readonly RawRow[]> {
  const cgen = form === 'plain' ? [] : ['-c'];
  return {
    tool: 'btrfs',
    argv: ['subvolume', 'list', '-a', '-p', ...cgen, '-g', '-u', '-q', '-R', path],
    access: 'read',
    encoding: 'latin1',
    parse: ({ stdout }) => rows(stdout, record(form)),
    classify,
  };
}

function record(form: 'plain' | 'with cgen'): RegExp {
  return new RegExp(
    `^ID (?<id>\\d+) gen (?<generation>\\d+)${form === 'plain' ? '' : ' cgen (?<madeIn>\\d+)'}` +
      ` parent (?<parent>\\d+) top level (?<top>\\d+) parent_uuid (?<parentUuid>${uuidText}) +` +
      `received_uuid (?<receivedUuid>${uuidText}) +uuid (?<uuid>${uuidText}) +path (?<path>.+)$`,
  );
}

function rows(stdout: string, line: RegExp): readonly RawRow[] {
  if (stdout === '') return [];
  if (!stdout.endsWith('\n')) throw new ParseError('btrfs: the list of subvolumes is cut off');
  const found: { text: string; id: number; fields: Readonly<Record<string, string>>; path: string }[] = [];
  for (const text of stdout.slice(0, -1).split('\n')) {
    const fields = line.exec(text)?.groups;
    const last = found.at(-1);
    if (fields?.path !== undefined)
      found.push({ text, id: digits(fields.id, 'the id of a subvolume'), fields, path: fields.path });
    else if (last === undefined) throw new ParseError(`btrfs: cannot read the line ${JSON.stringify(text)}`);
    else {
      last.path += `\n${text}`;
      last.text += `\n${text}`;
    }
  }
  return found;
}

/** `btrfs subvolume show` of a path, or of a UUID or id in the filesystem of a path. */
export function subvolumeShow(
  path: string,
  by?: { readonly uuid: string } | { readonly id: number },
): ReadCommand<Subvolume> {
  const selected = by === undefined ? [] : 'uuid' in by ? ['--uuid', by.uuid] : ['--rootid', String(by.id)];
  return {
    tool: 'btrfs',
    argv: ['subvolume', 'show', ...selected, path],
    access: 'read',
    encoding: 'latin1',
    parse: ({ stdout }) => parseShow(stdout, path),
    classify,
  };
}

const time = String.raw`(?:\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4}|-)`;
// btrfs-progs before 5.14.2 (Debian 11 has 5.10) print nothing about send and receive; 6.2 ends
// after the snapshots unless quotas are on; 6.14 always prints the quota group.
const lines: readonly (readonly [string, string])[] = [
  ['Name', String.raw`\tName: \t\t\t(?<name>.+)`],
  ['UUID', `\tUUID: \t\t\t(?<uuid>${uuidText})`],
  ['Parent UUID', `\tParent UUID: \t\t(?<parentUuid>${uuidText})`],
  ['Received UUID', `\tReceived UUID: \t\t(?<receivedUuid>${uuidText})`],
  ['Creation time', `\tCreation time: \t\t(?<made>${time})`],
  ['Subvolume ID', String.raw`\tSubvolume ID: \t\t(?<id>\d+)`],
  ['Generation', String.raw`\tGeneration: \t\t(?<generation>\d+)`],
  ['Gen at creation', String.raw`\tGen at creation: \t(?<madeIn>\d+)`],
  ['Parent ID', String.raw`\tParent ID: \t\t(?<parent>\d+)`],
  ['Top level ID', String.raw`\tTop level ID: \t\t(?<top>\d+)`],
  ['Flags', String.raw`\tFlags: \t\t\t(?<flags>readonly|-)`],
];
const sent: readonly (readonly [string, string])[] = [
  ['Send transid', String.raw`\tSend transid: \t\t\d+`],
  ['Send time', `\tSend time: \t\t${time}`],
  ['Receive transid', String.raw`\tReceive transid: \t\d+`],
  ['Receive time', `\tReceive time: \t\t${time}`],
];
const rest =
  String.raw`\tSnapshot\(s\):(?<snapshots>(?:\n\t\t\t\t.+?)?)` +
  String.raw`(?:\n\tQuota group:\t\t(?:n/a|\d+/\d+(?:\n\t {2}(?:Limit|Usage) \w+:\t\S+){4}))?\n$`;
const patterns = (of: typeof lines): string => of.map(([, pattern]) => pattern).join('\n');
const shown = new RegExp(String.raw`^(?<path>.+)\n${patterns(lines)}\n(?:${patterns(sent)}\n)?${rest}`, 's');

/** Describes the first line that is missing or has an unknown format, for the error. */
function missingIn(stdout: string): string {
  const [name] =
    [...lines, ...(/^\t(?:Send|Receive) /m.test(stdout) ? sent : [])].find(
      ([, pattern]) => !new RegExp(`^${pattern}$`, 'm').test(stdout),
    ) ?? [];
  return name === undefined
    ? 'its end is cut off, or has a line that bofh does not know'
    : `no line "${name}"`;
}

// The path is greedy: fields that a name with newlines imitates belong to the path, and the last
// match has the real fields. The id is not trusted: `subvolumeAt` also reads it from the kernel.
function parseShow(stdout: string, asked: string): Subvolume {
  const fields = shown.exec(stdout)?.groups;
  const { path = '', name = '', snapshots = '' } = fields ?? {};
  const isTop = path === '/' && name === '<FS_TREE>';
  if (fields === undefined || !(isTop || path === name || path.endsWith(`/${name}`)))
    throw new ParseError(`btrfs subvolume show ${asked}: ${missingIn(stdout)}`);
  const { uuid, parentUuid, receivedUuid, made } = fields;
  return {
    id: digits(fields.id, 'the id of the subvolume'),
    generation: digits(fields.generation, 'its generation'),
    madeIn: digits(fields.madeIn, 'its first generation'),
    parentId: digits(fields.parent, 'the id of its parent'),
    uuid: uuidOr(uuid),
    parentUuid: uuidOr(parentUuid),
    receivedUuid: uuidOr(receivedUuid),
    ...printedPath(path),
    name: printedPath(name),
    made: made === undefined || made === '-' ? undefined : utc(made),
    mode: fields.flags === 'readonly' ? 'ro' : 'rw',
    snapshots:
      snapshots === '' ? [] : snapshots.slice('\n\t\t\t\t'.length).split('\n\t\t\t\t').map(printedPath),
  };
}

function utc(text: string): string {
  return new Date(text.replace(/^(\S+) (\S+) ([+-]\d\d)(\d\d)$/, '$1T$2$3:$4')).toISOString();
}
