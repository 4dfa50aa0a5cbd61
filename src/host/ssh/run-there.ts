import { randomBytes } from 'node:crypto';
import { Secret, type StepContext } from '../../command/index.ts';
import { CommandError, RefusedError, UsageError } from '../../core/errors.ts';
import { type Output, text } from '../answer.ts';
import type { Program } from '../program.ts';
import { noCoreDumps } from '../core-dumps.ts';
import { outputLimit } from '../start.ts';
import { awayFiles, type AwayPlace, members, said } from './away.ts';
import type { Link } from './link.ts';
import type { RemoteScript } from './session.ts';

/** The host and the paths for a remote program. */
export interface There {
  readonly host: string;
  readonly link: Link;
  readonly place: AwayPlace;
}

/** A program that ran to its end there. */
export interface RanThere {
  readonly exitCode: number;
  readonly stdout: Output;
  readonly errs: readonly Output[];
  /** The exit codes of a pipeline's stages. */
  readonly statuses: string;
}

/**
 * The program gets a separate session and writes to files, so that it continues if the connection is lost.
 * Only the shell around it holds the sequence's lock, and not a process that waits for a frozen link. If that
 * shell is killed, recovery still waits for the program, and fences it. The program starts only while the
 * reservation belongs to this process, and in the known boot. Its input is complete, in a file without a
 * name, before it starts: half a key must not be used as a key. Only a stream from commands of this host is read as it
 * comes (`+`): its reader detects a truncated one. What the shell can do itself starts no
 * program: on a slow host each costs more than the change.
 */
const begin = `${members}mark=$1 file=$2 dir=$3 token=$4 work=$3/$5 name=$6 in=$7 key=$8 count=$9
shift 9
inner=$1 boot=$2
shift 2
umask 077
say() { printf '%s %s\\n' "$mark" "$*"; exit 0; }
mkdir "$work" 2>/dev/null || { mkdir -p "$dir" && mkdir "$work"; } || exit 1
fill() {
  ${noCoreDumps}
  exec 8>"$work/input" 9<"$work/input" || exit 1
  rm "$work/input"
  head -c "$1" >&8
  exec 8>&-
  [ "$(stat -Lc %s /proc/self/fd/9)" = "$1" ] || { rm -rf "$work"; say short; }
}
exec 5</dev/null
if [ "$in" = + ]; then exec 5<&0; elif [ "$in" != - ]; then fill "$in"; exec 5<&9 9<&-; fi
if [ "$key" != - ]; then fill "$key"; exec 4<&9 9<&-; fi
exec 3>>"$dir/lock" || exit 1
flock -n -s 3 || { rm -rf "$work"; say held; }
owner=
{ while IFS= read -r l || [ -n "$l" ]; do case $l in "owner "*) owner=$owner\${l#owner };; esac; done <"$file"; } 2>/dev/null
[ "$owner" = "$token" ] || { rm -rf "$work"; say fenced; }
read -r now </proc/sys/kernel/random/boot_id
[ "$now" = "$boot" ] || { rm -rf "$work"; say booted; }
if [ "$count" = 1 ]; then
  setsid /bin/sh -c "$inner" "$name" "$work/session" "$@" <&5 >"$work/out" 2>"$work/err.1" 5<&- &
else
  setsid /bin/sh -c "$inner" "$name" "$work/session" "$@" <&5 >"$work/out" 2>"$work/err.1" \\
    4>"$work/status" 5>"$work/err.2" 6>"$work/err.3" 7>"$work/err.4" 8>"$work/err.5" 9>"$work/err.6" &
fi
pid=$!
exec 3>&-
wait "$pid"
code=$?
while members "$work/session" >/dev/null; do sleep 0.2; done
size=0
[ ! -s "$work/out" ] || size=$(stat -c %s "$work/out")
printf '%s ran %s %s\\n' "$mark" "$code" "$size"
if [ "$size" -gt ${outputLimit} ]; then tail -c 1048576 "$work/out"; elif [ "$size" -gt 0 ]; then cat "$work/out"; fi
i=0
while [ $((i += 1)) -le "$count" ]; do
  printf %s "$mark"
  [ ! -s "$work/err.$i" ] || tail -c 1048576 "$work/err.$i"
done
printf %s "$mark"
[ "$count" = 1 ] || cat "$work/status"
rm -rf "$work"
exit 0`;

/** Signals only this session: another one may have its number now. */
const stop = `${members}members "$1/session" >/dev/null && kill -s "$2" -- "-$leader"
exit 0`;

/** A script that runs for a step. */
export interface RemoteProgram {
  readonly program: Program;
  /** `bofh-safe`: recovery may end the script. */
  readonly name: 'bofh-safe' | 'bofh-wait';
  readonly inner: string;
  readonly words: readonly string[];
  readonly stages: number;
  readonly stdin?: Secret | Uint8Array | string | undefined;
  readonly secondKey?: Secret | Uint8Array | string | undefined;
  /** Runs ssh as the last command of a pipeline of this host. The script reads its output, as it comes, instead of `stdin`. */
  readonly through?: RemoteScript['through'];
  /** Called before the script starts, with a function that sends it a signal. */
  readonly begins?: (signal: (name: 'SIGTERM' | 'SIGKILL') => void) => void;
}

/** Runs a script for a step. Throws ConnectionError if the connection is lost while it runs. */
export async function runThere(at: There, step: StepContext, remote: RemoteProgram): Promise<RanThere> {
  const { host, link, place } = at;
  if (step.sequence === undefined)
    throw new UsageError(
      `a change of ${host} belongs in a step of a sequence, which reserves what it changes`,
    );
  const { id, token, boot } = step.sequence;
  const { reservation, work } = awayFiles(place, id);
  const [mark, own] = [randomBytes(16).toString('hex'), randomBytes(6).toString('hex')];
  const [input, key] = [bytesOf(remote.stdin), bytesOf(remote.secondKey)];
  const lengthOf = (bytes: Uint8Array | undefined): string =>
    bytes === undefined ? '-' : String(bytes.length);
  remote.begins?.((name) => {
    const words = [`${work}/${own}`, name.slice('SIG'.length)];
    const program = { ...remote.program, argv: ['stop'] };
    void link.read({ program, script: stop, words, timeoutMs: 10_000 }).catch(() => undefined);
  });
  const { exitCode, stdout, stderr } = await link.change({
    program: remote.program,
    script: begin,
    words: [
      ...[mark, reservation, work, token, own, remote.name],
      ...[remote.through === undefined ? lengthOf(input) : '+', lengthOf(key)],
      ...[String(remote.stages), remote.inner, boot, ...remote.words],
    ],
    stdin: Buffer.concat([input ?? new Uint8Array(), key ?? new Uint8Array()]),
    through: remote.through,
    timeoutMs: 'none',
  });
  const answer = exitCode === 0 ? said(stdout, mark) : undefined;
  if (answer?.word === 'ran')
    return partsOf(stdout.subarray(answer.length), mark, answer.rest, remote.stages);
  throw notBegun(at.host, remote.program, answer?.word, text(stderr));
}

function bytesOf(input: RemoteProgram['stdin']): Uint8Array | undefined {
  if (input === undefined) return undefined;
  if (input instanceof Secret) return input.reveal();
  return typeof input === 'string' ? Buffer.from(input) : input;
}

function partsOf(rest: Uint8Array, mark: string, numbers: string, stages: number): RanThere {
  const [code, size] = numbers.split(' ').map(Number);
  const parts: Buffer[] = [];
  // Search from the end: the output may contain anything, but not the random marker of this call.
  let left = Buffer.from(rest);
  for (let i = 0; i <= stages; i += 1) {
    const from = left.lastIndexOf(mark);
    if (from < 0) throw new TypeError("the output of bofh's own script is incomplete");
    parts.unshift(left.subarray(from + mark.length));
    left = left.subarray(0, from);
  }
  return {
    exitCode: code ?? -1,
    stdout: {
      whole: () => ((size ?? 0) > outputLimit ? undefined : left),
      tail: () => left.subarray(-1024 * 1024),
    },
    errs: parts.slice(0, stages).map((part) => ({ whole: () => part, tail: () => part })),
    statuses: text(parts[stages] ?? Buffer.alloc(0)),
  };
}

const whyNot: Readonly<Record<string, string>> = {
  held: 'a program of this sequence, to which the connection was lost, still runs there',
  fenced: 'there it is no longer reserved for this sequence',
  booted: 'it was booted meanwhile',
  short: 'not all of its input arrived',
};

function notBegun(host: string, program: Program, word: string | undefined, stderr: string): Error {
  const why = word === undefined ? undefined : whyNot[word];
  if (why !== undefined)
    return new RefusedError(`${program.tool} was not started on ${host}: ${why}`, {
      remedy: `when ${host} can be reached again: bofh recover`,
    });
  return new CommandError({
    ...program,
    reason: 'unknown',
    what: `${host} did not start the command`,
    stderr,
  });
}
