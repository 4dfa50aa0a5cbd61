import { text } from '../answer.ts';

/** Where bofh keeps what it keeps on another host: the same directories as on its own. */
export interface AwayPlace {
  /** /var/lib/bofh there. */
  readonly stateDir: string;
  /** /run/bofh there. */
  readonly runDir: string;
}

/** Of one sequence. */
export interface AwayFiles {
  /** Whose its objects are, durable. */
  readonly reservation: string;
  /** Emptied by a boot, as are its programs. */
  readonly work: string;
  /** Shared by each of its programs for as long as it runs. */
  readonly lock: string;
}

export function awayFiles({ stateDir, runDir }: AwayPlace, id: string): AwayFiles {
  const work = `${runDir}/away/${id}`;
  return { reservation: `${stateDir}/reservations/${id}`, work, lock: `${work}/lock` };
}

/** What a script of ours says: a word, and what follows it on the line. Undefined when it was not understood. */
export function said(
  stdout: Uint8Array,
  mark: string,
): { readonly word: string; readonly rest: string; readonly length: number } | undefined {
  const end = Buffer.from(stdout).indexOf('\n');
  const line = text(stdout.subarray(0, Math.max(end, 0)));
  const groups = /^(?<mark>\S+) (?<word>[a-z-]+)(?: (?<rest>.*))?$/.exec(line)?.groups;
  if (groups?.word === undefined || groups.mark !== mark) return undefined;
  return { word: groups.word, rest: groups.rest ?? '', length: end + 1 };
}

/** `holds PID LOCK`: is it a shell of ours? dash moves descriptor 3 to another number while its command runs without it. */
export const holds = `holds() { for d in "/proc/$1/fd"/*; do [ "$(readlink "$d")" = "$2" ] && return 0; done; return 1; }
`;
