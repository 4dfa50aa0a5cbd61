import { closeSync, openSync } from 'node:fs';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { Secret } from '../command/index.ts';
import { CommandError, ToolError } from '../core/errors.ts';
import { membersOf, processStat } from '../core/proc.ts';
import type { End, Program } from './program.ts';
import { filledDescriptor } from './stdin.ts';
import { timeLimit } from './time-limit.ts';

/** The maximum size of the output in bytes; more is an error. */
export const outputLimit = 64 * 1024 * 1024;

/** A program that ended by itself, with its output. */
export interface Collected {
  readonly end: End;
  readonly stdout: Uint8Array;
  readonly stderr: Uint8Array;
}

/** Options for a program that changes nothing. */
export interface CollectOptions {
  readonly env: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly stdin?: Secret | Uint8Array | string | undefined;
  /** Passed as descriptors 3, 4 and so on. */
  readonly descriptors?: readonly number[];
  readonly started?: (pid: number | undefined) => void;
  /** The program that runs it on another host, such as ssh. Errors name the program itself. */
  readonly through?: Pick<Program, 'file' | 'argv'>;
  /**
   * `ours`: the program may ask on the terminal of this process, and gets Ctrl-C too (default: a separate
   * session).
   */
  readonly terminal?: 'ours';
}

/**
 * A started shell: `ended` settles at its exit, even if other processes still have its files open.
 * If only the shell is killed, it settles when no process of its session lives: its tool may still
 * be changing the host.
 */
export interface Started {
  readonly pid: number;
  readonly ended: Promise<End>;
  /** Sends a signal to the whole process group; does nothing after the end, because the number may be reused. */
  readonly signal: (name: 'SIGTERM' | 'SIGKILL') => void;
}

// execa is the largest import (218 KB, 18 ms): it is loaded when the first program starts.
const starter = async () => (await import('execa')).execa;

/** Three pipes of two ends each, the pipe with which libuv detects a failed exec, and some for other code. */
const descriptorsForOne = 12;

/**
 * Without a free descriptor, child_process returns a child without `stdio`, execa fails on that, and the
 * child emits an error without a listener, which ends the process (node 20.20, execa 9.6.1). So this checks
 * before that there are free descriptors.
 */
function refuseExhausted({ tool, argv }: Pick<Program, 'tool' | 'argv'>): void {
  const room: number[] = [];
  try {
    while (room.length < descriptorsForOne) room.push(openSync('/dev/null', 'r'));
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
    if (code !== 'EMFILE' && code !== 'ENFILE') return;
    throw new CommandError({
      ...{ tool, argv, reason: 'unknown', cause },
      what: `it could not be started: too many open files (${code})`,
      remedy:
        code === 'EMFILE'
          ? 'give bofh more descriptors (ulimit -n), or run fewer commands at once'
          : 'see what on this host has so many files open (sysctl fs.file-nr)',
    });
  } finally {
    for (const fd of room) closeSync(fd);
  }
}

// Separate session: bofh decides what a terminal's Ctrl-C means. `/`: no surviving program keeps a
// mount busy. No buffer: execa would write all output into its error's message, and with 64 MiB of
// binary output V8 aborts (execa 9.6.1, node 20.20: "Fatal JavaScript invalid size error").
const always = {
  detached: true,
  cleanup: false,
  reject: false,
  extendEnv: false,
  cwd: '/',
  buffer: false,
} as const;

/**
 * Runs a program to its end and collects its output through pipes. For programs that change nothing: it ends
 * with SIGPIPE if this process ends. After `timeoutMs`, kills its process group and throws CommandError with
 * the reason `timeout`.
 */
export async function collect(program: Program, options: CollectOptions): Promise<Collected> {
  const execa = await starter();
  const stdin = options.stdin === undefined ? undefined : filledDescriptor(options.stdin);
  try {
    const { file, argv } = options.through ?? program;
    refuseExhausted(program);
    const child = execa(file, argv, {
      ...always,
      detached: options.terminal !== 'ours',
      env: { ...options.env },
      stdio: [given(stdin), 'pipe', 'pipe', ...(options.descriptors ?? []).map(given)],
    });
    options.started?.(child.pid);
    return await outputOf(child, program, options);
  } finally {
    if (stdin !== undefined) closeSync(stdin);
  }
}

type Child = PromiseLike<Result> &
  Group & { readonly stdout: Readable; readonly stderr: Readable; readonly unref: () => void };

async function outputOf(
  child: Child,
  program: Program,
  { timeoutMs, terminal }: Pick<CollectOptions, 'timeoutMs' | 'terminal'>,
): Promise<Collected> {
  return await new Promise<Collected>((resolve, reject) => {
    const fail = (error: Error): void => {
      stopClock();
      signalGroup(child, 'SIGKILL', terminal === 'ours' ? 'alone' : 'group');
      // A daemon that the program left may hold the pipes forever, and a process in an
      // uninterruptible wait does not die.
      child.stdout.destroy();
      child.stderr.destroy();
      child.unref();
      reject(error);
    };
    const stopClock = timeLimit(timeoutMs, () => fail(timeout(program, timeoutMs)));
    const stdout = gather(child.stdout, () => fail(tooLong(program)));
    const stderr = gather(child.stderr, () => fail(tooLong(program)));
    child.then((result) => {
      stopClock();
      resolve({ end: endOf(result), stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr) });
    }, fail);
  });
}

/**
 * Starts `/bin/sh -c SCRIPT NAME WORD…` with the given descriptors as 0, 1, 2 and so on, in a separate
 * session. No data passes through this process, so the shell continues if this process is killed.
 */
export async function launch(shell: {
  readonly script: string;
  /** `$0`, which tells recovery whether it may end the program. */
  readonly name: string;
  readonly words: readonly string[];
  readonly stdio: readonly (number | undefined)[];
  readonly env: Readonly<Record<string, string>>;
}): Promise<Started> {
  const execa = await starter();
  const [stdin, stdout, stderr, ...rest] = shell.stdio;
  // The first word is the file of its session (shell.ts).
  const [, tool = 'sh', ...argv] = shell.words;
  refuseExhausted({ tool, argv });
  const child = execa('/bin/sh', ['-c', shell.script, shell.name, ...shell.words], {
    ...always,
    env: { ...shell.env },
    stdio: [given(stdin), given(stdout), given(stderr), ...rest.map(given)],
  });
  if (child.pid === undefined) {
    const { why } = notStarted(await child);
    throw new ToolError(`/bin/sh could not be started: ${why}`, { remedy: 'see whether /bin/sh works' });
  }
  const { pid } = child;
  // A zombie counts as gone, but its session may have living processes.
  const leader = processStat(pid) ?? { pid, started: 0 };
  let isOver = false;
  const ended = child.then(async (result) => {
    const end = endOf(result);
    if (end.how === 'signal') await untilEnded(leader);
    isOver = true;
    return end;
  });
  return {
    pid,
    ended,
    signal: (name) => {
      if (child.exitCode === null && !isOver) killGroup(pid, name);
    },
  };
}

async function untilEnded(leader: Parameters<typeof membersOf>[0]): Promise<void> {
  while (membersOf(leader).length > 0) await delay(100);
}

/** A program connected by pipes, in a separate session. */
export interface Piped {
  readonly pid: number | undefined;
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  readonly ended: Promise<End>;
  /** Sets whether the program keeps this process from ending. */
  readonly hold: (how: 'ref' | 'unref') => void;
  readonly kill: () => void;
}

interface Held {
  readonly ref: () => void;
  readonly unref: () => void;
}

/** Starts a program that changes nothing, with pipes for its input and output. */
export async function startPiped({
  file,
  argv,
  env,
}: Pick<Program, 'file' | 'argv'> & { readonly env: Readonly<Record<string, string>> }): Promise<Piped> {
  const execa = await starter();
  refuseExhausted({ tool: file, argv });
  const child = execa(file, argv, { ...always, env: { ...env }, stdio: ['pipe', 'pipe', 'pipe'] });
  const { stdin, stdout, stderr } = child;
  return {
    ...{ pid: child.pid, stdin, stdout, stderr },
    ended: child.then(endOf),
    hold: (how) => {
      child[how]();
      // They are sockets (child_process of Node).
      for (const each of [stdin, stdout, stderr]) (each as unknown as Held)[how]();
    },
    kill: () => {
      signalGroup(child, 'SIGKILL');
      stdout.destroy();
      stderr.destroy();
    },
  };
}

export function timeout(program: Program, timeoutMs: number): CommandError {
  return new CommandError({
    ...program,
    reason: 'timeout',
    what: `no answer within ${timeoutMs} ms, so it was killed; it may have done all or a part of its work`,
  });
}

/** The error for an answer of more than `outputLimit`. */
export function tooLong(program: Program): CommandError {
  return new CommandError({
    ...program,
    reason: 'unknown',
    what: `it wrote more than ${outputLimit / 1024 / 1024} MiB`,
  });
}

/** execa takes any open descriptor, but its types name those of one digit only. 0 to 2 are /dev/null when not given. */
function given(descriptor: number | undefined): 3 | 'ignore' {
  return descriptor === undefined ? 'ignore' : (descriptor as 3);
}

interface Group {
  readonly pid?: number;
  readonly exitCode: number | null;
  readonly signalCode: string | null;
}

interface Result {
  readonly exitCode?: number | undefined;
  readonly signal?: string | undefined;
  readonly code?: string | undefined;
  readonly originalMessage?: string | undefined;
}

function endOf(result: Result): End {
  if (result.signal !== undefined) return { how: 'signal', signal: result.signal };
  if (result.exitCode !== undefined) return { how: 'exit', exitCode: result.exitCode };
  return notStarted(result);
}

function notStarted(result: Result): End & { readonly how: 'not-started' } {
  return { how: 'not-started', why: result.originalMessage ?? result.code ?? 'for an unknown reason' };
}

/** Collects the data of a stream. Calls `full`, perhaps several times, if there is too much data. */
function gather(stream: Readable, full: () => void): readonly Uint8Array[] {
  const chunks: Uint8Array[] = [];
  let size = 0;
  stream.on('data', (chunk: Uint8Array) => {
    size += chunk.length;
    if (size > outputLimit) full();
    else chunks.push(chunk);
  });
  return chunks;
}

function signalGroup(child: Group, signal: 'SIGTERM' | 'SIGKILL', scope: 'group' | 'alone' = 'group'): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  killGroup(scope === 'group' ? child.pid : -child.pid, signal);
}

function killGroup(pid: number, signal: 'SIGTERM' | 'SIGKILL'): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // ESRCH: its last process just ended, as wanted.
  }
}
