import { type Answer, type Command, nothing } from '../../command/index.ts';
import { ParseError } from '../../errors.ts';

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
