import type { Answer, ReadCommand } from '../command/index.ts';
import { ParseError } from '../core/errors.ts';
import { classify } from './commands.ts';
import type { Qgroup, QuotaState } from './schema.ts';
import { digits, notRead } from './text.ts';

/**
 * The printed table of quota groups: a name may contain a newline, so its lines are parsed together
 * with the names.
 */
export interface QgroupTable {
  readonly state: QuotaState;
  /** One character per byte. */
  readonly lines: readonly string[];
}

/**
 * `btrfs qgroup show`, as text: for JSON, 6.2 aborts if a group has a limit or a parent.
 * `qgroupsIn` parses its lines; if quotas are off, CommandError `unknown`.
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
    throw new ParseError('btrfs: the list of quota groups has an unknown first or last line');
  return { state, lines };
}

/**
 * Parses the quota groups of a table. `tails` has, by subvolume id, the further lines of each path
 * that contains newlines: these lines follow the line of the group, and may look like the line of
 * any group. Every other line is a group.
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
    if (found.has(one.id)) throw new ParseError(`btrfs: it lists the quota group ${one.id} twice`);
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
