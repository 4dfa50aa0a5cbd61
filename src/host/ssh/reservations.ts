import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import {
  endReservation,
  lockName,
  type Reservations,
  type Reserving,
  type StillRunning,
} from '../../command/index.ts';
import { CommandError, JournalError } from '../../core/errors.ts';
import { text } from '../answer.ts';
import { type AwayPlace, members, said } from './away.ts';
import type { SshDestination } from './destination.ts';
import type { Link } from './link.ts';

/**
 * A reservation is a small file: the format, the coordinator, the sequence and the owner, then a
 * line for each object, `x KEY` or (shared) `s KEY`, with the key as a JSON string, so that it is
 * one line. A rename replaces the file, so that it is never half written; a lock allows only one
 * bofh at a time to do that.
 */
const begin = `mark=$1 state=$2 run=$3 id=$4
shift 4
umask 077
dir=$state/reservations work=$run/away/$id
say() { printf '%s %s\\n' "$mark" "$*"; exit 0; }
put() { sync "$dir/$id.new" && mv -fT "$dir/$id.new" "$dir/$id" && sync "$dir"; }
alone() { exec 8>>"$run/reservations.lock" && flock -w 20 8 || say busy; }
owner() { sed -n 's/^owner //p' "$dir/$id"; }
set -e
`;

/**
 * Writes the reservation first, and then tries the lock of each object. So it detects a bofh on that host
 * that has the object now, and a later one finds the reservation. `called` is the name by which the
 * coordinator reaches the host: under a second name the same objects would look like those of another host.
 */
const reserve = `${begin}token=$1 head=$2 called=$3
mkdir -p "$dir" "$work"
sync "$state" "$dir"
alone
if [ -f "$work/called" ] && [ "$(cat "$work/called")" != "$called" ]; then say called "$(cat "$work/called")"; fi
printf '%s\\n' "$called" >"$work/called"
cat >"$work/asked"
if [ -f "$dir/$id" ] && [ "$(owner)" != "$token" ]; then say fenced; fi
n=0
while read -r mode name key; do
  for f in "$dir"/*; do
    case \${f##*/} in "$id" | *.new | history | '*') continue ;; esac
    if grep -qFx -e "x $key" "$f" || { [ "$mode" = x ] && grep -qFx -e "s $key" "$f"; }; then
      printf '%s reserved %s\\n' "$mark" "$n"
      head -n 4 "$f"
      exit 0
    fi
  done
  n=$((n + 1))
done <"$work/asked"
if [ -f "$dir/$id" ]; then cp "$dir/$id" "$dir/$id.new"; else printf '%s\\n' "$head" >"$dir/$id.new"; fi
while read -r mode name key; do
  grep -qFx -e "$mode $key" "$dir/$id.new" || printf '%s %s\\n' "$mode" "$key" >>"$dir/$id.new"
done <"$work/asked"
put
n=0
while read -r mode name key; do
  for f in "$state/journal/locks/$name" "$run/locks/$name"; do
    [ ! -e "$f" ] || flock -n "-$mode" "$f" true </dev/null || say held "$n"
  done
  n=$((n + 1))
done <"$work/asked"
rm "$work/asked"
say taken`;

/**
 * Finds the running programs of the sequence. The shell of each holds the lock, so the lock is free when the
 * last one has ended. If only that shell was killed, its session shows the program.
 */
const atWork = `${members}at_work() {
  for f in "$work"/*/session; do members "$f" >/dev/null && return 0; done
  return 1
}
`;

const fence = `${begin}${atWork}token=$1
[ -f "$dir/$id" ] || say none
mkdir -p "$work"
exec 3>>"$work/lock"
if flock -n -x 3 && ! at_work; then
  alone
  if [ "$(owner)" != "$token" ]; then
    sed "s/^owner .*/owner $token/" "$dir/$id" >"$dir/$id.new"
    put
  fi
  say fenced
fi
printf '%s held\\n' "$mark"
for f in "$work"/*/session; do
  members "$f" >/dev/null || continue
  if [ "$safe" = bofh-safe ]; then kill -s TERM -- "-$leader" || :; mode=safe; else mode=wait; fi
  all=$found
  for p in $all; do
    if is_ours "$p" || ! fields "$p"; then continue; fi
    case " $all " in *" $parent "*) is_ours "$parent" || continue ;; esac
    printf '%s %s ' "$mode" "$p"
    { tr '\\0\\n' '  ' <"/proc/$p/cmdline"; } 2>/dev/null || :
    printf '\\n'
  done
done
exit 0`;

/** Releases the reservation, but not while a program of the sequence runs: others could change its objects. */
const release = `${begin}${atWork}[ -d "$dir" ] || say released
mkdir -p "$work"
exec 3>>"$work/lock"
if ! flock -n -x 3 || at_work; then say held; fi
alone
rm -f "$dir/$id" "$dir/$id.new"
sync "$dir"
rm -rf "$work"
say released`;

const limitMs = 60_000;

/** The reservations of a host, over its link. */
export function sshReservations(
  host: string,
  link: Link,
  { stateDir, runDir, ...reach }: AwayPlace & SshDestination,
): Reservations {
  const request = async (what: string, script: string, id: string, words: readonly string[], stdin = '') => {
    const mark = randomBytes(12).toString('hex');
    const program = { tool: 'sh', file: '/bin/sh', argv: ['-c', what] };
    // As a read, because the same request may be sent twice: the second one changes nothing more.
    const ended = await link.read({
      program,
      script,
      words: [mark, stateDir, runDir, id, ...words],
      stdin,
      timeoutMs: limitMs,
    });
    const answer = ended.exitCode === 0 ? said(ended.stdout, mark) : undefined;
    if (answer !== undefined && answer.word !== 'busy')
      return { ...answer, lines: text(ended.stdout).split('\n').slice(1, -1) };
    throw new CommandError({
      ...program,
      reason: answer === undefined ? 'unknown' : 'busy',
      what:
        answer === undefined
          ? `it failed on ${host}`
          : `another bofh on ${host} held the reservations for 20 s`,
      stderr: text(ended.stderr),
    });
  };
  return {
    journals: `${stateDir}/journal`,
    reach: { ...reach, stateDir, runDir },
    reserve: async (of, { exclusive, shared }) => {
      const keys = [
        ...exclusive.map((key) => ['x', key] as const),
        ...shared.map((key) => ['s', key] as const),
      ];
      const asked = keys.map(([mode, key]) => `${mode} ${lockName(key)} ${JSON.stringify(key)}\n`).join('');
      const { word, rest, lines } = await request(
        'reserve objects',
        reserve,
        of.id,
        [of.token, head(of), host],
        asked,
      );
      if (word === 'taken') return undefined;
      if (word === 'fenced')
        return {
          key: keys[0]?.[1] ?? '',
          by: 'the recovery of this sequence, which another process runs',
          remedy: `see its result: bofh journal show ${of.id}`,
        };
      if (word === 'called')
        return {
          key: keys[0]?.[1] ?? '',
          by: `this sequence itself, which reaches the same host as "${rest}"`,
          remedy: `use one name for this host everywhere: "${rest}" or "${host}"`,
        };
      return { key: keys[Number(rest)]?.[1] ?? '', ...whoHas(host, word, lines) };
    },
    fence: async (of, { signal, onWait }) => {
      for (;;) {
        const { word, lines } = await request('wait for programs', fence, of.id, [of.token]);
        if (word !== 'held') return word === 'none' ? 'missing' : 'fenced';
        for (const line of lines) onWait?.(stillRunning(host, line));
        if (signal?.aborted === true) return 'given-up';
        await delay(300);
      }
    },
    release: async (id) => {
      const { word } = await request('end a reservation', release, id, []);
      if (word === 'held')
        throw new JournalError(`a program of sequence ${id} still runs on ${host}`, {
          remedy: 'wait until it has ended, then run the command again',
        });
    },
  };
}

function head({ id, name, token }: Reserving): string {
  return [
    'bofh reservation 1',
    `coordinator ${hostname()}`,
    `sequence ${id} ${JSON.stringify(name)}`,
    `owner ${token}`,
  ].join('\n');
}

function whoHas(host: string, word: string, [, from = '', sequence = '']: readonly string[]) {
  if (word === 'held')
    return { by: `a bofh that runs on ${host} now`, remedy: 'run the command again when that has ended' };
  const coordinator = from.replace(/^coordinator /, '');
  const id = sequence.split(' ')[1] ?? '';
  return {
    by: `the ${sequence}, which bofh runs on ${coordinator}`,
    remedy: endReservation({ id, coordinator }, `on ${host}`),
    sequence: id,
  };
}

function stillRunning(host: string, line: string): StillRunning {
  const [mode, pid, ...command] = line.split(' ');
  return { host, pid: Number(pid), command: command.join(' ').trimEnd(), safe: mode === 'safe' };
}
