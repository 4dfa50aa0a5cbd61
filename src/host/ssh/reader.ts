import { randomBytes } from 'node:crypto';
import { Secret, posixWords } from '../../command/index.ts';
import { outputLimit, timeout, tooLong } from '../start.ts';
import { openRequestChannel, type RequestChannel } from '../request-channel.ts';
import { type Master, sshEnvironment } from './master.ts';
import { type Errand, laterThan, type Outcome, remoteShell } from './session.ts';

/** A shell on the other host that does one read after the other, in one session. */
export interface Reader {
  /** Undefined: the shell could not run it; the caller may run it in a separate session. */
  readonly run: (errand: Errand) => Promise<Outcome | undefined>;
  readonly alive: () => boolean;
  /** Ends it, and resolves when it has ended. */
  readonly close: () => Promise<void>;
}

/**
 * Each input line is a script. The loop prints a mark before and after the output of each script,
 * on stdout and on stderr. The mark is passed on stdin: as an argument it would be in
 * /proc/PID/cmdline, and a script that reads this file would print it.
 */
export const loop = `cd /
exec 4>&2 2>/dev/null
nl='
'
while IFS= read -r line; do
  piped=
  eval "$line"
  printf '%s\\n' "$mark"
  printf '%s\\n' "$mark" >&4
  if [ -n "$piped" ]; then printf %s "$input" | (exec timeout -s KILL "$limit" /bin/sh -c "$script" bofh "$@" 2>&4 4>&-)
  else (exec timeout -s KILL "$limit" /bin/sh -c "$script" bofh "$@" </dev/null 2>&4 4>&-); fi
  code=$?
  printf '\\n%s %s\\n' "$mark" "$code"
  printf '\\n%s %s\\n' "$mark" "$code" >&4
done
exit 0`;

/** A shell reads its input byte by byte, so longer input is faster in a separate session. */
const longestLine = 64 * 1024;

/** The line for the loop. Undefined: the loop cannot run this script. */
export function requestLine(
  mark: string,
  { script, words, stdin, timeoutMs }: Pick<Errand, 'script' | 'words' | 'stdin' | 'timeoutMs'>,
): string | undefined {
  if (timeoutMs === 'none' || stdin instanceof Secret || stdin instanceof Uint8Array) return undefined;
  if (words.some((word) => word.includes('\0'))) return undefined;
  const line = [
    `mark=${mark} limit=${laterThan(timeoutMs)} script=${oneLine(script)}`,
    ...(stdin === undefined ? [] : [`piped=1 input=${oneLine(stdin)}`]),
    ['set --', ...words.map(oneLine)].join(' '),
  ].join('; ');
  return line.length > longestLine ? undefined : `${line}\n`;
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
  return {
    run: (errand) => ask(channel, errand),
    alive: () => channel.ended() === undefined,
    close: () => channel.close(),
  };
}

async function ask(channel: RequestChannel, errand: Errand): Promise<Outcome | undefined> {
  const mark = `bofh-${randomBytes(12).toString('hex')}`;
  const line = requestLine(mark, errand);
  if (line === undefined || errand.timeoutMs === 'none') return undefined;
  errand.started?.(channel.pid);
  const [out, err] = [framed(mark), framed(mark)];
  const enough = () => out.ended() && err.ended();
  const came = await channel.request(line, errand.timeoutMs, {
    stdout: (chunk) => (out.push(chunk), out.size() > outputLimit ? 'too much' : enough()),
    stderr: (chunk) => (err.push(chunk), err.size() > outputLimit ? 'too much' : enough()),
  });
  if (came === 'late') throw timeout(errand.program, errand.timeoutMs);
  if (came === 'too much') throw tooLong(errand.program);
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

/** The output of one script on stdout or stderr, between its marks. */
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
      // 100 bytes are more than the final mark needs.
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
