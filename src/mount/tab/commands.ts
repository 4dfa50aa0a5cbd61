import { type Answer, type Command, nothing, stderrAlone } from '../../command/index.ts';
import { ParseError } from '../../core/errors.ts';

/** What findmnt finds wrong with a line, by where that is to be mounted. */
export interface Complaint {
  readonly target: string;
  /** A warning is no hindrance. */
  readonly level: 'error' | 'warning';
  readonly says: string;
}

/** What findmnt says of a table. */
export interface Verified {
  readonly complaints: readonly Complaint[];
  /** Lines that it cannot read, and leaves out. */
  readonly unreadable: number;
}

/** `findmnt --verify` of a table in a file. Exit 1 is an answer: something is wrong with a line, ours or another's. */
export function findmntVerify(file: string): Command<Verified, 'read'> {
  return {
    tool: 'findmnt',
    argv: ['--verify', '--tab-file', file],
    access: 'read',
    accepts: [0, 1],
    parse: parseVerified,
    shownOf: stderrAlone,
  };
}

const complaint = /^ {3}\[(?<level>[EW])\] (?<says>.*)$/s;
const summary = /^(?<unreadable>\d+) parse errors?, +(?<errors>\d+) errors?, +(?<warnings>\d+) warnings?$/m;
const success = 'Success, no errors or warnings detected\n';

/**
 * util-linux 2.38 to 2.41: each place on a line of its own (two, if there is a newline in it), beneath it what is wrong
 * with its line; how many there are of each comes last, on stderr, and must agree.
 */
function parseVerified({ exitCode, stdout, stderr }: Answer): Verified {
  if (exitCode === 0 && stdout === success) return { complaints: [], unreadable: 0 };
  const complaints: Complaint[] = [];
  let target: string[] = [];
  let inside = false;
  for (const line of stdout.split('\n').slice(0, -1)) {
    const { level, says } = complaint.exec(line)?.groups ?? {};
    const last = complaints.at(-1);
    if (level === undefined && inside && last !== undefined && isHalf(last)) {
      complaints[complaints.length - 1] = { ...last, says: `${last.says}\n${line}` };
      continue;
    }
    if (level === undefined || says === undefined) {
      target = inside ? [line] : [...target, line];
      inside = false;
      continue;
    }
    inside = true;
    complaints.push({ target: target.join('\n'), level: level === 'E' ? 'error' : 'warning', says });
  }
  const said = summary.exec(stderr)?.groups;
  const count = (level: Complaint['level']): number =>
    complaints.filter((each) => each.level === level).length;
  if (
    said === undefined ||
    Number(said.errors) !== count('error') ||
    Number(said.warnings) !== count('warning') ||
    complaints.some((each) => each.target === '')
  )
    throw new ParseError(`findmnt --verify: exit ${String(exitCode)}, and what it says does not add up`);
  return { complaints, unreadable: Number(said.unreadable) };
}

/** The one complaint with a place in its middle, which may hold a newline. */
function isHalf({ says }: Complaint): boolean {
  return says.startsWith('wrong order: ') && !says.includes(' specified before ');
}

// Warnings that stop a boot: it waits for the device, or fails to mount it. The second is an error in 2.38 and a warning in 2.41.
const stopsTheBoot = /^unreachable source|^\S+ does not match with on-disk /;

/**
 * What speaks against a new table and did not against the old one; lines of others may be wrong since long. That a device may be
 * missing with `nofail`, findmnt does not know.
 */
export function hindrances(
  before: Verified,
  after: Verified,
  own: { readonly target: string; readonly options: readonly string[] } | undefined,
): readonly Complaint[] {
  const asText = ({ target, says }: Complaint): string => `${target}\0${says}`;
  const known = new Set(before.complaints.map(asText));
  const mayBeMissing = own?.options.some((each) => ['nofail', 'noauto'].includes(each)) === true;
  return after.complaints.filter((each) => {
    if (each.level === 'warning' && !stopsTheBoot.test(each.says)) return false;
    if (known.has(asText(each))) return false;
    return !(mayBeMissing && each.target === own.target && each.says.startsWith('unreachable '));
  });
}

/**
 * `cp --attributes-only`: gives a file mode, owner and extended attributes (access lists and SELinux labels are such) of
 * another, but not its content nor its times.
 */
export function copyAttributes(from: string, to: string): Command<void, 'change'> {
  return {
    tool: 'cp',
    argv: ['--attributes-only', '--preserve=mode,ownership,xattr', '--no-target-directory', '--', from, to],
    access: 'change',
    parse: nothing,
    classify: ({ stderr }) => (/No such file/.test(stderr) ? 'not-found' : 'unknown'),
  };
}
