import { randomBytes } from 'node:crypto';
import { Secret, posixWords } from '../../command/index.ts';
import { outputLimit, timeout, tooLong } from '../start.ts';
import { openRequestChannel, type RequestChannel } from '../request-channel.ts';
import { type Master, sshEnvironment } from './master.ts';
import { type RemoteScript, laterThan, type Outcome, remoteShell } from './session.ts';

/** A shell on the other host that runs one read after the other, in one session. */
export interface Reader {
  /** Undefined if the shell could not run the script; the caller may run it in a separate session. */
  readonly run: (remoteScript: RemoteScript) => Promise<Outcome | undefined>;
  readonly alive: () => boolean;
  /** Ends the shell, and resolves when it has ended. */
  readonly close: () => Promise<void>;
}

/**
 * Each input line says what to run: a script, a program with its words, or accesses to files of the kernel.
 * The loop prints a marker before and after the output, on stdout and on stderr. The marker is passed on stdin:
 * as an argument it would be in /proc/PID/cmdline, and a script that reads this file would print it.
 * Starting programs takes most of the time of a short read. So a program is started without a shell, and
 * the loop itself reads files of the kernel, which need no time limit.
 */
export const loop = `cd /
exec 4>&2 2>/dev/null
nl='
'
while IFS= read -r line; do
  how=script input=
  eval "$line"
  printf '%s\\n' "$mark"
  printf '%s\\n' "$mark" >&4
  case $how in
  files) printf %s "$input" | (eval "$script") 2>&4 4>&- ;;
  piped) printf %s "$input" | (exec timeout -s KILL "$limit" /bin/sh -c "$script" bofh "$@" 2>&4 4>&-) ;;
  program) (unset PWD OLDPWD; exec timeout -s KILL "$limit" "$@" </dev/null 2>&4 4>&-) ;;
  *) (exec timeout -s KILL "$limit" /bin/sh -c "$script" bofh "$@" </dev/null 2>&4 4>&-) ;;
  esac
  code=$?
  printf '\\n%s %s\\n' "$mark" "$code"
  printf '\\n%s %s\\n' "$mark" "$code" >&4
done
exit 0`;

/**
 * Maximum length of a line: a shell reads its input byte by byte, so longer input is faster in a separate
 * session.
 */
const longestLine = 64 * 1024;

/**
 * The line for the loop. Undefined if the loop cannot run this script. `known` are the scripts that the loop
 * keeps: the name of the variable, by the text.
 */
export function requestLine(
  mark: string,
  {
    script,
    words,
    stdin,
    timeoutMs,
    plain,
  }: Pick<RemoteScript, 'script' | 'words' | 'stdin' | 'timeoutMs' | 'plain'>,
  known = new Map<string, string>(),
): string | undefined {
  if (timeoutMs === 'none' || stdin instanceof Secret || stdin instanceof Uint8Array) return undefined;
  if (words.some((word) => word.includes('\0'))) return undefined;
  const how = plain ?? (stdin === undefined ? 'script' : 'piped');
  const name = known.get(script) ?? `s${String(known.size)}`;
  const kept = known.has(script) ? '' : ` ${name}=${oneLine(script)}`;
  const line = [
    `mark=${mark} how=${how} limit=${laterThan(timeoutMs)}`,
    ...(how === 'program' ? [] : [`${kept} script=$${name}`.trim()]),
    ...(stdin === undefined ? [] : [`input=${oneLine(stdin)}`]),
    ['set --', ...words.map(oneLine)].join(' '),
  ].join('; ');
  if (line.length > longestLine) return undefined;
  if (how !== 'program') known.set(script, name);
  return `${line}\n`;
}

/**
 * Quotes a word for the shell, with printable ASCII only: a line has no newline, and `read` treats
 * other bytes differently in each shell.
 */
function oneLine(word: string): string {
  if (/^[ -~]*$/.test(word)) return posixWords([word]);
  const [, text = '', newlines = ''] = /^([^]*?)(\n*)$/.exec(word) ?? [];
  const octal = [...Buffer.from(text)].map((byte) =>
    byte >= 0x20 && byte < 0x7f && byte !== 0x27 && byte !== 0x5c
      ? String.fromCharCode(byte)
      : `\\0${byte.toString(8).padStart(3, '0')}`,
  );
  // $() removes the newlines at the end.
  return `"$(printf %b '${octal.join('')}')${'$nl'.repeat(newlines.length)}"`;
}

export async function openReader(master: Master, as: 'login' | 'sudo'): Promise<Reader> {
  const argv = [...master.client, remoteShell(as, [loop])];
  const channel = await openRequestChannel({ file: master.ssh, argv, env: sshEnvironment() });
  const known = new Map<string, string>();
  return {
    run: (remoteScript) => ask(channel, remoteScript, known),
    alive: () => channel.ended() === undefined,
    close: () => channel.close(),
  };
}

async function ask(
  channel: RequestChannel,
  remoteScript: RemoteScript,
  known: Map<string, string>,
): Promise<Outcome | undefined> {
  const mark = `bofh-${randomBytes(12).toString('hex')}`;
  const line = requestLine(mark, remoteScript, known);
  if (line === undefined || remoteScript.timeoutMs === 'none') return undefined;
  remoteScript.started?.(channel.pid);
  const [out, err] = [framed(mark), framed(mark)];
  const enough = () => out.ended() && err.ended();
  const came = await channel.request(line, remoteScript.timeoutMs, {
    stdout: (chunk) => (out.push(chunk), out.size() > outputLimit ? 'too much' : enough()),
    stderr: (chunk) => (err.push(chunk), err.size() > outputLimit ? 'too much' : enough()),
  });
  if (came === 'late') throw timeout(remoteScript.program, remoteScript.timeoutMs);
  if (came === 'too much') throw tooLong(remoteScript.program);
  if (came === 'gone') return whyGone(channel, out.begun() || err.begun(), err.text());
  const [stdout, stderr] = [out.content(), err.content()];
  if (stdout === undefined || stderr === undefined || stdout.exitCode !== stderr.exitCode)
    throw new TypeError("the output of bofh's own script is incomplete");
  return { how: 'ended', exitCode: stdout.exitCode, stdout: stdout.bytes, stderr: stderr.bytes };
}

function whyGone(channel: RequestChannel, begun: boolean, said: string): Outcome | undefined {
  if (/Session open refused by peer/.test(said)) return { how: 'full' };
  const end = channel.ended();
  // 255 comes from ssh: the connection is lost, and the program may still run.
  return begun && end?.how === 'exit' && end.exitCode === 255 ? { how: 'lost' } : undefined;
}

/** The output of one script on stdout or stderr, between its markers. */
export function framed(mark: string) {
  const chunks: Uint8Array[] = [];
  const end = new RegExp(`\n${mark} (?<code>\\d+)\n$`);
  let [size, tail] = [0, ''];
  const whole = () => Buffer.concat(chunks);
  const from = () => whole().indexOf(`${mark}\n`);
  return {
    push: (chunk: Uint8Array): void => {
      chunks.push(chunk);
      size += chunk.length;
      // 100 bytes are more than the final marker needs.
      tail = `${tail}${Buffer.from(chunk.subarray(-100)).toString('latin1')}`.slice(-100);
    },
    size: () => size,
    begun: () => from() >= 0,
    ended: () => end.test(tail),
    text: () => whole().toString('utf8'),
    content: (): { readonly exitCode: number; readonly bytes: Uint8Array } | undefined => {
      const [begin, match] = [from(), end.exec(tail)];
      if (begin < 0 || match === null) return undefined;
      const bytes = whole().subarray(begin + mark.length + 1, size - match[0].length);
      return { exitCode: Number(match.groups?.['code']), bytes };
    },
  };
}
