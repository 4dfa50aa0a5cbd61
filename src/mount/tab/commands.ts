import { type Answer, type Command, stderrAlone } from '../../command/index.ts';
import { ParseError } from '../../core/errors.ts';

/** A complaint of findmnt about a line, which it names by the mount point. */
export interface Complaint {
  readonly target: string;
  /** bofh accepts a table with warnings, except new ones that would stop a boot. */
  readonly level: 'error' | 'warning';
  readonly says: string;
}

/** The result of findmnt for a table. */
export interface Verified {
  readonly complaints: readonly Complaint[];
  /** Number of lines that findmnt cannot read and skips. */
  readonly unreadable: number;
}

/** `findmnt --verify` of a table in a file. Exit code 1 is an answer: some line has a problem. */
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
 * Parses the output of util-linux 2.38 to 2.41: each mount point on a line (two, if it contains a
 * newline), below it the problems of its line. The counts come last, on stderr, and must match.
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
    throw new ParseError(
      `findmnt --verify: exit ${String(exitCode)}, but its summary does not match its list of errors`,
    );
  return { complaints, unreadable: Number(said.unreadable) };
}

/**
 * Whether this is the first half of a complaint: only this one has a mount point in its middle,
 * which may contain a newline.
 */
function isHalf({ says }: Complaint): boolean {
  return says.startsWith('wrong order: ') && !says.includes(' specified before ');
}

// Warnings that stop a boot: it waits for the device, or fails to mount it. The second is an error
// in 2.38 and a warning in 2.41.
const stopsTheBoot = /^unreachable source|^\S+ does not match with on-disk /;

/**
 * Returns complaints about a new table that the old one did not have, because lines of others may
 * have been wrong for a long time. findmnt does not know that `nofail` allows a missing device.
 */
export function newProblems(
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
