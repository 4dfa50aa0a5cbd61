import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { lastLines, RigError } from './errors.ts';
import { killChild, startGuarded } from './process.ts';

/** A running QEMU and its monitor. */
export type Emulator = {
  readonly pid: number;
  readonly running: () => boolean;
  /** Runs a monitor command of QEMU's JSON protocol. */
  readonly qmp: (execute: string, args?: Readonly<Record<string, unknown>>) => Promise<unknown>;
  /** Runs a line of QEMU's human monitor; an answer that is an error throws. */
  readonly monitor: (line: string) => Promise<string>;
  /** What QEMU itself complained about. */
  readonly complaints: () => string;
  /** SIGKILL: for the guest, the power fails. */
  readonly kill: () => Promise<void>;
};

type Waiting = { readonly resolve: (value: unknown) => void; readonly reject: (error: Error) => void };

/** Starts QEMU (with `monitorArgv` in its command line) and waits until its monitor answers. */
export async function startEmulator(argv: readonly string[]): Promise<Emulator> {
  const child = startGuarded({ argv, stdio: ['pipe', 'pipe', 'pipe'] });
  const pid = child.pid;
  if (pid === undefined) throw new RigError('cannot start QEMU: is setpriv (util-linux) installed?');
  let stderr = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const qmp = speak(child, () => lastLines(stderr, 10));
  await qmp('qmp_capabilities');
  return {
    pid,
    running: () => child.exitCode === null && child.signalCode === null,
    qmp,
    monitor: async (line) => {
      const answer = String(await qmp('human-monitor-command', { 'command-line': line }));
      // The human monitor reports failure as text only; its answers to the commands used here never begin so otherwise.
      if (/^(Error|Device|Snapshot|Could not|unknown command|State blocked)/i.test(answer))
        throw new RigError(`QEMU: ${line}: ${answer.trim()}`);
      return answer;
    },
    complaints: () => stderr,
    kill: async () => {
      await killChild(child);
    },
  };
}

function speak(child: ChildProcess, complaints: () => string): Emulator['qmp'] {
  const waiting = new Map<number, Waiting>();
  let next = 1;
  if (child.stdout === null || child.stdin === null) throw new RigError('QEMU was started without pipes');
  const input = child.stdin;
  input.on('error', () => undefined);
  createInterface({ input: child.stdout }).on('line', (line) => {
    answerWaiting(waiting, line);
  });
  child.once('close', () => {
    for (const one of waiting.values()) one.reject(new RigError(`QEMU ended: ${complaints()}`));
    waiting.clear();
  });
  return async (execute, args) => {
    if (child.exitCode !== null || child.signalCode !== null)
      throw new RigError(`QEMU has ended: ${complaints()}`);
    const id = next++;
    return await new Promise((resolve, reject) => {
      waiting.set(id, { resolve, reject });
      input.write(`${JSON.stringify({ execute, id, ...(args === undefined ? {} : { arguments: args }) })}\n`);
    });
  };
}

function answerWaiting(waiting: Map<number, Waiting>, line: string): void {
  const message: unknown = JSON.parse(line);
  if (typeof message !== 'object' || message === null || !('id' in message) || typeof message.id !== 'number')
    return;
  const one = waiting.get(message.id);
  waiting.delete(message.id);
  if ('error' in message) one?.reject(new RigError(`QEMU: ${JSON.stringify(message.error)}`));
  else one?.resolve('return' in message ? message.return : undefined);
}
