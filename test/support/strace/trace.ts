/** A system call of a traced process, with the program that the process was running. */
export interface Call {
  readonly pid: number;
  readonly name: string;
  /** What stands between the parentheses, as strace wrote it. */
  readonly text: string;
  /** Arguments of the program, its own name first. */
  readonly program: readonly string[];
}

/** The filter of strace: every call that starts a program or changes a name or the content of a file. */
export const straceWords: readonly string[] = [
  'strace',
  '-f',
  // Not the parent: it goes on with a daemon that the command leaves (xl create's), and is not waited for.
  '-D',
  // Only what is asked for stops the process: else a run takes many times as long.
  '--seccomp-bpf',
  '-qq',
  '-s',
  '65536',
  '-e',
  'abbrev=none',
  '-e',
  'signal=none',
  '-e',
  `trace=${[
    ...['execve', 'execveat', 'clone', 'clone3', 'fork', 'vfork', 'open', 'openat', 'openat2', 'creat'],
    ...['rename', 'renameat', 'renameat2', 'unlink', 'unlinkat', 'mkdir', 'mkdirat', 'rmdir'],
    ...['link', 'linkat', 'symlink', 'symlinkat', 'mknod', 'mknodat', 'truncate', 'ftruncate', 'fallocate'],
    ...['chmod', 'fchmod', 'fchmodat', 'chown', 'fchown', 'lchown', 'fchownat', 'utimensat'],
    ...['setxattr', 'lsetxattr', 'fsetxattr', 'mount', 'umount2', 'swapon', 'swapoff'],
  ].join(',')}`,
];

const starts = new Set(['clone', 'clone3', 'fork', 'vfork']);

/** The calls in a trace of `strace -f -o`, in its order. A line of another form is an error. */
export function callsIn(trace: string): readonly Call[] {
  const programs = new Map<number, readonly string[]>();
  const calls: Call[] = [];
  for (const line of trace.split('\n').filter((each) => each !== '')) {
    const begun = /^(?<pid>\d+) +(?<name>\w+)\((?<text>.*)$/s.exec(line)?.groups;
    const ended = /^(?<pid>\d+) +<\.\.\. (?<name>\w+) resumed>(?<text>.*)$/s.exec(line)?.groups;
    const groups = begun ?? ended;
    if (groups === undefined) {
      if (/^\d+ +(?:\+\+\+|---) /.test(line)) continue;
      throw new Error(`no line of strace: ${line}`);
    }
    const { pid, name = '', text = '' } = groups;
    const at = Number(pid);
    const child = starts.has(name) ? / = (?<child>\d+)$/.exec(text)?.groups?.child : undefined;
    if (child !== undefined && !programs.has(Number(child)))
      programs.set(Number(child), programs.get(at) ?? []);
    if (begun === undefined) continue;
    if (name === 'execve' && !/ = -1 \w+ /.test(text)) programs.set(at, argvOf(text));
    calls.push({ pid: at, name, text, program: programs.get(at) ?? [] });
  }
  return calls;
}

/** The programs that were started, each as its arguments. */
export function startedIn(calls: readonly Call[]): readonly (readonly string[])[] {
  return calls
    .filter(({ name, text }) => name === 'execve' && !/ = -1 \w+ /.test(text))
    .map(({ program }) => program);
}

/** Of the programs that were started: the changes of bofh, without the shell around each that keeps the lock. */
export function changesIn(calls: readonly Call[]): readonly (readonly string[])[] {
  return startedIn(calls).flatMap(([shell, flag, , name, _session, ...words]) =>
    shell === '/bin/sh' && flag === '-c' && (name === 'bofh-wait' || name === 'bofh-safe') ? [words] : [],
  );
}

const harmless = new Set(['execve', 'execveat', 'clone', 'clone3', 'fork', 'vfork']);

/** What writes: every change of a name, and every file that is opened to be written. Files as `openat /path`. */
export function writesIn(calls: readonly Call[]): readonly (Call & { readonly path: string })[] {
  return calls.flatMap((call) => {
    const { name, text } = call;
    if (harmless.has(name)) return [];
    const opens = name.startsWith('open');
    if (opens && !/O_(?:WRONLY|RDWR|CREAT|TRUNC|APPEND)/.test(text)) return [];
    const path = /"(?<path>(?:[^"\\]|\\.)*)"/.exec(text)?.groups?.path ?? text;
    return [{ ...call, path }];
  });
}

/** The second argument of execve. */
function argvOf(text: string): readonly string[] {
  const literal = /"((?:[^"\\]|\\.)*)"(?:, \[|, |\](?:, |$| <))/y;
  const words: string[] = [];
  for (;;) {
    const match = literal.exec(text);
    if (match === null) throw new Error(`not the words of an execve: ${text.slice(0, 200)}`);
    words.push(unescaped(match[1] ?? ''));
    if (match[0].includes('"]')) return words.slice(1);
  }
}

const letters: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', v: '\v', f: '\f' };

function unescaped(text: string): string {
  return text.replaceAll(/\\([0-7]{1,3}|.)/g, (_all, code: string) =>
    /^[0-7]/.test(code) ? String.fromCharCode(Number.parseInt(code, 8)) : (letters[code] ?? code),
  );
}

/** Without random tags, UUIDs and addresses. */
export function unnamed(words: readonly string[]): string {
  return words
    .join(' ')
    .replaceAll(/[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}/g, 'UUID')
    .replaceAll(/\b[0-9a-zA-Z]{6}(?:-[0-9a-zA-Z]{4}){5}-[0-9a-zA-Z]{6}\b/g, 'LVM-UUID')
    .replaceAll(/[0-9a-f]{12}/g, 'ID')
    .replaceAll(/\b(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\b/g, 'MAC');
}

/** The same, tried again at once: a retry. */
export function withoutRetries(lines: readonly string[]): readonly string[] {
  return lines.filter((line, index) => line !== lines[index - 1]);
}
