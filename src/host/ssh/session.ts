import { randomBytes } from 'node:crypto';
import { isOdd, notUtf8, type Secret, posixWords } from '../../command/index.ts';
import { UsageError } from '../../core/errors.ts';
import { text } from '../answer.ts';
import type { Program } from '../program.ts';
import { baseEnvironment } from '../setting.ts';
import { collect, type Collected } from '../start.ts';
import { type Master, sshEnvironment } from './master.ts';
import { present } from '../../core/present.ts';

/** A script for the other host: a text for `sh -c`, and its words. */
export interface RemoteScript {
  /** Its purpose, for errors. */
  readonly program: Program;
  readonly script: string;
  readonly words: readonly string[];
  /**
   * How the shell of a `Reader` may run it without starting another shell. `program`: the words are
   * a program without input, which that shell starts. `files`: the script only reads files of the
   * kernel, and that shell evaluates it.
   */
  readonly plain?: 'program' | 'files';
  readonly stdin?: Secret | Uint8Array | string | undefined;
  /** Runs ssh as the last command of a pipeline of this host, which writes what the script reads (default: `stdin`). */
  readonly through?: ((ssh: Program) => Promise<Collected>) | undefined;
  /** `none`: the script changes something, so it is never ended. */
  readonly timeoutMs: number | 'none';
  readonly started?: (pid: number | undefined) => void;
}

/** The result of a session. */
export type Outcome =
  | {
      readonly how: 'ended';
      readonly exitCode: number;
      readonly stdout: Uint8Array;
      readonly stderr: Uint8Array;
    }
  /** The server allows no further session, so the script was not started. */
  | { readonly how: 'full' }
  /**
   * No marker came back. With exit code 255, or none, the connection ended, and the script may have
   * been started; with any other the login shell did not start it. `said`: what ssh or the login
   * shell printed.
   */
  | { readonly how: 'not-begun'; readonly said: string; readonly exitCode: number | undefined }
  | { readonly how: 'lost' };

/** Every outcome except that the server allows no further session. */
export type Answered = Exclude<Outcome, { readonly how: 'full' }>;

/**
 * The shell on the other host. It begins stdout and stderr with a marker, because a login shell may have
 * printed text before (`~/.bashrc`), and ends stderr with the exit code. It always exits 0, so ssh exits 0
 * only if all output has arrived, and 255 is never the code of a program. The shell's own messages ("Killed")
 * are dropped; without the subshell, dash would write them to the redirections of the command.
 */
const frame = `printf '%s\\n' "$0"; printf '%s\\n' "$0" >&2
cd /
limit=$1 script=$2
shift 2
exec 4>&2 2>/dev/null
if [ "$limit" = none ]; then (exec /bin/sh -c "$script" bofh "$@" 2>&4 4>&-)
else (exec timeout -s KILL "$limit" /bin/sh -c "$script" bofh "$@" 2>&4 4>&-); fi
printf '\\n%s %s\\n' "$0" "$?" >&4
exit 0`;

/**
 * Seconds by which the time limit on the other host is longer than the one here. It ends a session whose
 * caller no longer waits.
 */
const laterSeconds = 2;

/**
 * The longest timer of Node, 24 days. If the link freezes, ssh ends the session before
 * (ServerAliveInterval).
 */
const longestMs = 2 ** 31 - 1;

/**
 * Quotes words as one command line, from which the login shell passes on exactly these words. Throws
 * UsageError for a NUL byte.
 */
export function remoteLine(
  mark: string,
  { script, words, timeoutMs }: Pick<RemoteScript, 'script' | 'words' | 'timeoutMs'>,
  as: 'login' | 'sudo',
): string {
  const bad = words.findIndex((word) => word.includes('\0'));
  if (bad !== -1) throw new UsageError(`${JSON.stringify(words[bad])} contains a NUL byte`);
  const limit = timeoutMs === 'none' ? timeoutMs : laterThan(timeoutMs);
  return remoteShell(as, [frame, mark, limit, script, ...words]);
}

/**
 * Returns the command line of a shell with the environment in which bofh runs every program.
 * `words`: its script, `$0` and its arguments.
 */
export function remoteShell(as: 'login' | 'sudo', words: readonly string[]): string {
  const environment = Object.entries(baseEnvironment).map(([name, value]) => `${name}=${value}`);
  const sudo = as === 'sudo' ? ['/usr/bin/sudo', '-n', '--'] : [];
  // Only bash can quote a byte that is not UTF-8.
  const odd = words.find(isOdd);
  if (odd !== undefined) throw notUtf8(odd);
  return posixWords(['exec', ...sudo, '/usr/bin/env', '-i', ...environment, '/bin/sh', '-c', ...words]);
}

/** The time limit for timeout(1) on the other host. */
export function laterThan(timeoutMs: number): string {
  return `${String(Math.ceil(timeoutMs / 1000) + laterSeconds)}s`;
}

/** Runs a script on the other host once. Throws CommandError if there is no answer in time. */
export async function runOnce(
  master: Master,
  remoteScript: RemoteScript,
  as: 'login' | 'sudo',
): Promise<Outcome> {
  const mark = `bofh-${randomBytes(12).toString('hex')}`;
  const line = remoteLine(mark, remoteScript, as);
  const argv = [...master.client, line];
  if (remoteScript.through !== undefined)
    return outcomeOf(mark, await remoteScript.through({ tool: 'ssh', file: master.ssh, argv }));
  const came = await collect(remoteScript.program, {
    env: sshEnvironment(),
    timeoutMs: remoteScript.timeoutMs === 'none' ? longestMs : remoteScript.timeoutMs,
    stdin: remoteScript.stdin,
    through: { file: master.ssh, argv },
    ...present({ started: remoteScript.started }),
  });
  return outcomeOf(mark, came);
}

/** Parses the output of a session. */
export function outcomeOf(mark: string, { end, stdout, stderr }: Collected): Outcome {
  const [out, err] = [Buffer.from(stdout), Buffer.from(stderr)];
  const begin = Buffer.from(`${mark}\n`);
  const [from, fromErr] = [out.indexOf(begin), err.indexOf(begin)];
  if (from < 0 || fromErr < 0) {
    // nologin(8) prints its message on stdout.
    const said = `${text(stderr)}\n${text(stdout)}`.trim();
    if (from >= 0 || fromErr >= 0) return { how: 'lost' };
    if (/Session open refused by peer/.test(said)) return { how: 'full' };
    return { how: 'not-begun', said, exitCode: end.how === 'exit' ? end.exitCode : undefined };
  }
  const last = err.lastIndexOf(`\n${mark} `);
  const code = /^\n\S+ (?<code>\d+)\n/.exec(err.subarray(Math.max(last, 0)).toString('latin1'))?.groups?.code;
  if (last < 0 || code === undefined || end.how !== 'exit' || end.exitCode !== 0) return { how: 'lost' };
  return {
    how: 'ended',
    exitCode: Number(code),
    stdout: out.subarray(from + begin.length),
    stderr: err.subarray(fromErr + begin.length, last),
  };
}
