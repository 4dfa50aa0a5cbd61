import type { Answer, ReadCommand } from '../command/index.ts';
import { ParseError } from '../errors.ts';
import { classify } from './commands.ts';
import type { DeviceShare, Qgroup, QuotaState, SpaceOf, Subvolume, Usage } from './schema.ts';
import { digits, printedPath, uuidOr } from './text.ts';

const uuidText = '(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|-)';

/** One record of a listing, with the path still as it was printed. */
export interface RawRow {
  /** The whole record, as it stands. */
  readonly text: string;
  readonly id: number;
  readonly fields: Readonly<Record<string, string>>;
  /** A character for each byte; lines that begin no record belong to it, for a name may hold a newline. */
  path: string;
}

/**
 * `btrfs subvolume list` with or without the column of the generation in which each was made. Every path is whole, and
 * begins with `<FS_TREE>/` where the subvolume's own top level is not the subvolume of `path`.
 *
 * It asks twice, in two forms (see `subvolumes`): a name with a newline and the words of a line in it cannot look like a
 * record in both.
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
    parse: ({ stdout }) => parseShow(stdout),
    classify,
  };
}

const time = String.raw`(?:\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4}|-)`;
// 6.2 ends after the snapshots unless quotas are on; 6.14 always has the line of the quota group.
const shown = new RegExp(
  [
    String.raw`^(?<path>.+)\n\tName: \t\t\t(?<name>.+)`,
    `\tUUID: \t\t\t(?<uuid>${uuidText})`,
    `\tParent UUID: \t\t(?<parentUuid>${uuidText})`,
    `\tReceived UUID: \t\t(?<receivedUuid>${uuidText})`,
    `\tCreation time: \t\t(?<made>${time})`,
    String.raw`\tSubvolume ID: \t\t(?<id>\d+)`,
    String.raw`\tGeneration: \t\t(?<generation>\d+)`,
    String.raw`\tGen at creation: \t(?<madeIn>\d+)`,
    String.raw`\tParent ID: \t\t(?<parent>\d+)`,
    String.raw`\tTop level ID: \t\t(?<top>\d+)`,
    String.raw`\tFlags: \t\t\t(?<flags>readonly|-)`,
    String.raw`\tSend transid: \t\t\d+`,
    `\tSend time: \t\t${time}`,
    String.raw`\tReceive transid: \t\d+`,
    `\tReceive time: \t\t${time}`,
    String.raw`\tSnapshot\(s\):(?<snapshots>(?:\n\t\t\t\t.+?)?)` +
      String.raw`(?:\n\tQuota group:\t\t(?:n/a|\d+/\d+(?:\n\t {2}(?:Limit|Usage) \w+:\t\S+){4}))?\n$`,
  ].join('\n'),
  's',
);

// Greedy from the front: what a name of several lines pretends to be comes before what btrfs says of it. Identity is not
// taken from here alone: `subvolumeAt` asks the kernel for the id.
function parseShow(stdout: string): Subvolume {
  const fields = shown.exec(stdout)?.groups;
  const { path = '', name = '', snapshots = '' } = fields ?? {};
  const isTop = path === '/' && name === '<FS_TREE>';
  if (fields === undefined || !(isTop || path === name || path.endsWith(`/${name}`)))
    throw new ParseError(`btrfs: cannot read what it shows of ${JSON.stringify(path)}`);
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

/** `btrfs filesystem usage`, in bytes. Without root it leaves the devices out. */
export function filesystemUsage(path: string): ReadCommand<Usage> {
  return {
    tool: 'btrfs',
    argv: ['filesystem', 'usage', '--raw', path],
    access: 'read',
    parse: ({ stdout }) => parseUsage(stdout),
    classify,
  };
}

const overall = /^ {4}(?<label>[A-Z][^:]*):\s+(?<value>[\d.]+|no|yes)(?:\s+\((?<note>[^()]*)\))?$/;
const space = /^(?<kind>\w+),(?<profile>\w+): Size:(?<size>\d+), Used:(?<used>\d+) \(\d+\.\d\d%\)$/;
const share = /^ {3}(?<device>.+?)\t *(?<bytes>\d+)$/;

function parseUsage(stdout: string): Usage {
  const [head = '', ...sections] = stdout.replace(/\n$/, '').split('\n\n');
  const [title, ...lines] = head.split('\n');
  if (title !== 'Overall:') throw new ParseError('btrfs: the usage does not begin as it should');
  const said = new Map<string, { value: string; note: string | undefined }>();
  for (const line of lines) {
    const { label, value, note } = overall.exec(line)?.groups ?? {};
    if (label === undefined || value === undefined) throw notRead(line);
    said.set(label, { value, note });
  }
  const bytes = (label: string): number => digits(said.get(label)?.value, label);
  const atLeast = /^min: (?<bytes>\d+)$/.exec(said.get('Free (estimated)')?.note ?? '')?.groups?.bytes;
  const read = sections.map(section);
  return {
    size: bytes('Device size'),
    allocated: bytes('Device allocated'),
    unallocated: bytes('Device unallocated'),
    missing: bytes('Device missing'),
    used: bytes('Used'),
    free: bytes('Free (estimated)'),
    freeAtLeast: digits(atLeast, 'the least that is free'),
    spaces: read.flatMap((one) => ('kind' in one ? [one] : [])),
    unallocatedOn: read.flatMap((one) => ('kind' in one ? [] : one.devices)),
  };
}

function section(text: string): SpaceOf | { readonly devices: readonly DeviceShare[] } {
  const [title = '', ...lines] = text.split('\n');
  const devices = lines.map((line) => {
    const { device, bytes } = share.exec(line)?.groups ?? {};
    if (device === undefined) throw notRead(line);
    return { device, bytes: digits(bytes, 'a share') };
  });
  if (title === 'Unallocated:') return { devices };
  const { kind, profile, size, used } = space.exec(title)?.groups ?? {};
  if (kind === undefined || profile === undefined) throw notRead(title);
  return { kind, profile, size: digits(size, 'a size'), used: digits(used, 'what is used'), devices };
}

/** The table of quota groups as it was printed: a name may hold a newline, so that its lines are read with the names at hand. */
export interface QgroupTable {
  readonly state: QuotaState;
  /** A character for each byte. */
  readonly lines: readonly string[];
}

/**
 * `btrfs qgroup show`, as text: asked for JSON, 6.2 aborts as soon as a group has a limit or a parent. `qgroupsIn` reads
 * its lines; quotas that are off are CommandError `unknown`.
 */
export function qgroupShow(path: string): ReadCommand<QgroupTable> {
  return {
    tool: 'btrfs',
    argv: ['qgroup', 'show', '--raw', '-pcre', path],
    access: 'read',
    encoding: 'latin1',
    parse: parseQgroups,
    classify,
  };
}

const ids = String.raw`\d+/\d+(?:,\d+/\d+)*|-`;
const qgroup = new RegExp(
  String.raw`^(?<id>\d+/\d+) +(?<referenced>\d+) +(?<exclusive>\d+) +(?<maxReferenced>\d+|none)` +
    String.raw` +(?<maxExclusive>\d+|none) (?<parents>${ids}) +(?<children>${ids}) +(?<path>.+)$`,
);

// print_status_flag_warning of btrfs-progs (cmds/qgroup.c), which exits 0 with each of them.
const warnings: Readonly<Record<string, QuotaState>> = {
  '': 'exact',
  'WARNING: rescan is running, qgroup data may be incorrect\n': 'counting',
  'WARNING: qgroup data inconsistent, rescan recommended\n': 'inconsistent',
  'WARNING: quota disabled, qgroup data may be out of date\n': 'stale',
};

function parseQgroups({ stdout, stderr }: Answer): QgroupTable {
  const state = Object.hasOwn(warnings, stderr) ? warnings[stderr] : undefined;
  if (state === undefined) throw new ParseError(`btrfs says of its quota groups: ${stderr.trim()}`);
  const [head, rule, ...lines] = stdout.split('\n');
  if (head?.startsWith('Qgroupid ') !== true || rule?.startsWith('--------') !== true || lines.pop() !== '')
    throw new ParseError('btrfs: the quota groups do not begin or end as they should');
  return { state, lines };
}

/**
 * The quota groups of a table. `tails` has, for each subvolume by its id whose path holds newlines, the lines after the
 * first: they follow that of its group, and could be like a line of any group. Every other line is one of a group.
 */
export function qgroupsIn(
  lines: readonly string[],
  tails: ReadonlyMap<number, readonly string[]>,
): readonly Qgroup[] {
  const found = new Map<string, Qgroup>();
  const rest = [...lines];
  for (let line = rest.shift(); line !== undefined; line = rest.shift()) {
    const one = qgroup.exec(line)?.groups;
    if (one?.id === undefined) throw notRead(line);
    const tail = one.id.startsWith('0/') ? (tails.get(Number(one.id.slice(2))) ?? []) : [];
    for (const wanted of tail) if (rest.shift() !== wanted) throw notRead(line);
    if (found.has(one.id)) throw new ParseError(`btrfs: it tells of the quota group ${one.id} twice`);
    const limit = (text: string | undefined) => (text === 'none' ? undefined : digits(text, 'a limit'));
    const list = (text = '-') => (text === '-' ? [] : text.split(','));
    found.set(one.id, {
      id: one.id,
      referenced: digits(one.referenced, 'what is referenced'),
      exclusive: digits(one.exclusive, 'what is exclusive'),
      maxReferenced: limit(one.maxReferenced),
      maxExclusive: limit(one.maxExclusive),
      parents: list(one.parents),
      children: list(one.children),
    });
  }
  return [...found.values()];
}

function notRead(line: string): ParseError {
  return new ParseError(`btrfs: cannot read the line ${JSON.stringify(line)}`);
}
