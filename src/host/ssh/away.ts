import { text } from '../answer.ts';

/** The directories of bofh on another host: those that bofh on that host would use. */
export interface AwayPlace {
  /** /var/lib/bofh there. */
  readonly stateDir: string;
  /** /run/bofh there. */
  readonly runDir: string;
}

/** The files of one sequence there. */
export interface AwayFiles {
  /** Lists the owner and the objects of the reservation; survives a reboot. */
  readonly reservation: string;
  /** A directory that a reboot empties; the reboot also ends the programs. */
  readonly work: string;
  /** The shell around each program holds a shared lock on this file while the program runs. */
  readonly lock: string;
}

export function awayFiles({ stateDir, runDir }: AwayPlace, id: string): AwayFiles {
  const work = `${runDir}/away/${id}`;
  return { reservation: `${stateDir}/reservations/${id}`, work, lock: `${work}/lock` };
}

/** Parses an answer of one of bofh's scripts: a word, and the rest of the line. Undefined if that fails. */
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

/**
 * `members FILE` lists the living processes of the session recorded in a file (src/host/shell.ts),
 * and sets `leader` to the number of the session and `safe` to whether its processes may be ended; it fails if none
 * lives. The kernel does not reuse a number while a process of the session lives: if a process has
 * it now with a different start time, all of them have ended. The name of a process, in
 * parentheses, may contain spaces and newlines.
 */
export const members = `fields() {
  t=
  { while IFS= read -r l || [ -n "$l" ]; do t=$l; done </proc/$1/stat; } 2>/dev/null || return 1
  set -- \${t##*) }
  state=$1 parent=$2 session=$4 began=\${20}
  [ -n "$began" ]
}
members() {
  [ -s "$1" ] && read -r safe boot stat <"$1" || return 1
  read -r now </proc/sys/kernel/random/boot_id && [ "$boot" = "$now" ] || return 1
  leader=\${stat%% *}
  set -- \${stat##*) }
  start=\${20} found=
  if fields "$leader" && [ "$began" != "$start" ]; then return 1; fi
  for p in /proc/[0-9]*; do
    p=\${p#/proc/}
    fields "$p" && [ "$session" = "$leader" ] && [ "$state" != Z ] && found="$found $p"
  done
  [ -n "$found" ] && printf '%s\\n' "$found"
}
is_ours() { tr '\\0' '\\n' 2>/dev/null <"/proc/$1/cmdline" | grep -qFx -e bofh-safe -e bofh-wait; }
`;
