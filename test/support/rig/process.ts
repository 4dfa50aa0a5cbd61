import { type ChildProcess, spawn, type StdioOptions } from 'node:child_process';
import { lastLines, RigCommandError, RigError } from './errors.ts';

/** How a local program ended; `exitCode` is null when a signal ended it. */
export type ProgramResult = {
  readonly exitCode: number | null;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
};

/** A local program to run to its end; `timeoutMs` kills it, `onLine` sees stderr as it comes. */
export type ProgramOptions = {
  readonly argv: readonly string[];
  readonly stdin?: string | Buffer;
  readonly timeoutMs?: number;
  readonly onLine?: (line: string) => void;
  readonly cwd?: string;
};

/** Runs a local program to its end and returns whatever its status is; throws RigError when it cannot start or runs out of time. */
export async function runProgram(options: ProgramOptions): Promise<ProgramResult> {
  const [program, ...args] = options.argv;
  if (program === undefined) throw new RigError('no program given');
  const child = spawn(program, args, { cwd: options.cwd, stdio: ['pipe', 'pipe', 'pipe'] });
  const stdout = collect(child.stdout);
  const stderr = collect(child.stderr, options.onLine);
  // A program that ends without reading its input breaks the pipe: its status tells what happened.
  child.stdin.on('error', () => undefined);
  child.stdin.end(options.stdin ?? '');
  const limit = killAfter(child, options.timeoutMs);
  try {
    const exitCode = await ended(child, program);
    if (limit.expired())
      throw new RigError(
        `${options.argv.join(' ')} did not end within ${String(options.timeoutMs)} ms: ${lastLines(stderr().toString(), 10)}`,
      );
    return { exitCode, stdout: stdout(), stderr: stderr() };
  } finally {
    limit.cancel();
  }
}

/** As `runProgram`, but a status other than 0 is a RigCommandError. */
export async function mustRun(options: ProgramOptions): Promise<ProgramResult> {
  const result = await runProgram(options);
  if (result.exitCode === 0) return result;
  const { exitCode, stdout, stderr } = result;
  throw new RigCommandError(options.argv.join(' '), {
    exitCode,
    stdout: stdout.toString(),
    stderr: stderr.toString(),
  });
}

/**
 * Starts a program that the kernel kills when our process dies, however it dies: no emulator is ever left behind.
 * The shell in between closes the gap in which we died before the wish was registered.
 */
export function startGuarded(options: {
  readonly argv: readonly string[];
  readonly stdio: StdioOptions;
}): ChildProcess {
  const guard = [
    '--pdeathsig',
    'SIGKILL',
    'sh',
    '-c',
    'test "$PPID" = "$0" || exit 125; exec "$@"',
    String(process.pid),
  ];
  return spawn('setpriv', [...guard, ...options.argv], { stdio: options.stdio });
}

/** Sends SIGKILL to a child of ours and waits until it is gone. */
export async function killChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise<void>((resolve) =>
    child.once('exit', () => {
      resolve();
    }),
  );
  child.kill('SIGKILL');
  await gone;
}

/** Polls `probe` until it answers something else than undefined; throws RigError naming `what` after `timeoutMs`. */
export async function until<T>(options: {
  readonly what: string;
  readonly timeoutMs: number;
  readonly everyMs?: number;
  readonly probe: () => Promise<T | undefined> | T | undefined;
}): Promise<T> {
  const end = Date.now() + options.timeoutMs;
  for (;;) {
    const answer = await options.probe();
    if (answer !== undefined) return answer;
    if (Date.now() >= end) throw new RigError(`${options.what}: not within ${String(options.timeoutMs)} ms`);
    await new Promise((resolve) => setTimeout(resolve, options.everyMs ?? 50));
  }
}

function collect(stream: NodeJS.ReadableStream, onLine?: (line: string) => void): () => Buffer {
  const chunks: Buffer[] = [];
  let rest = '';
  stream.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    if (onLine === undefined) return;
    const lines = (rest + chunk.toString()).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) onLine(line);
  });
  return () => Buffer.concat(chunks);
}

function killAfter(
  child: ChildProcess,
  timeoutMs: number | undefined,
): { expired: () => boolean; cancel: () => void } {
  let expired = false;
  const timer =
    timeoutMs === undefined
      ? undefined
      : setTimeout(() => {
          expired = true;
          child.kill('SIGKILL');
        }, timeoutMs);
  return {
    expired: () => expired,
    cancel: () => {
      clearTimeout(timer);
    },
  };
}

async function ended(child: ChildProcess, program: string): Promise<number | null> {
  return await new Promise((resolve, reject) => {
    child.once('error', (cause) => {
      reject(new RigError(`cannot start ${program}`, { cause }));
    });
    child.once('close', (code) => {
      resolve(code);
    });
  });
}
