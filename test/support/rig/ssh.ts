import { type ChildProcess, spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { lastLines, RigCommandError, RigError } from './errors.ts';
import { killChild, runProgram, startGuarded } from './process.ts';

/** What a command in the machine answered. */
export type RunResult = { readonly exitCode: number; readonly stdout: string; readonly stderr: string };

/** The same with stdout as bytes. */
export type RawResult = { readonly exitCode: number; readonly stdout: Buffer; readonly stderr: string };

/** `check: 'return'` gives any status back; the default is an error for every status but 0. The time limit ends our side only. */
export type RunOptions = {
  readonly stdin?: string | Buffer;
  readonly timeoutMs?: number;
  readonly check?: 'throw' | 'return';
};

/** One shared connection to sshd in a machine. */
export type Connection = {
  readonly run: (command: string | readonly string[], options?: RunOptions) => Promise<RawResult>;
  readonly interactive: (command?: string) => Promise<number>;
  readonly alive: () => boolean;
  readonly close: () => Promise<void>;
};

/** Connects; runs `hello` in the machine first. Throws RigError without an answer within `timeoutMs`. */
export async function connect(options: {
  readonly dir: string;
  readonly port: number;
  readonly key: string;
  readonly hello: string;
  readonly timeoutMs: number;
}): Promise<Connection> {
  const end = Date.now() + options.timeoutMs;
  for (;;) {
    const left = end - Date.now();
    const master = startMaster(options);
    const failure = await greeting(master, Math.max(left, 1000));
    if (failure === undefined) return connection(options, master);
    await killChild(master);
    if (Date.now() > end)
      throw new RigError(`no ssh to the machine within ${String(options.timeoutMs)} ms: ${failure}`);
  }
}

/** Quotes words for a POSIX shell. */
export function shellWords(words: readonly string[]): string {
  return words
    .map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`))
    .join(' ');
}

type Place = { readonly dir: string; readonly port: number; readonly key: string };

function sshArgv(place: Place, extra: readonly string[]): readonly string[] {
  const settings = {
    ControlPath: join(place.dir, 'ssh'),
    IdentityFile: place.key,
    IdentitiesOnly: 'yes',
    BatchMode: 'yes',
    StrictHostKeyChecking: 'no',
    UserKnownHostsFile: '/dev/null',
    GlobalKnownHostsFile: '/dev/null',
    LogLevel: 'ERROR',
    ConnectTimeout: '10',
    PreferredAuthentications: 'publickey',
    Ciphers: 'aes128-gcm@openssh.com,chacha20-poly1305@openssh.com',
  };
  const words = Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
  // -F none: the person's own ssh configuration is not for this.
  return ['ssh', '-F', 'none', ...words, '-p', String(place.port), ...extra, 'root@127.0.0.1'];
}

function startMaster(options: Place & { readonly hello: string }): ChildProcess {
  // A master that was killed leaves its socket, and ssh then shares nothing: each command would connect again.
  rmSync(join(options.dir, 'ssh'), { force: true });
  const argv = [...sshArgv(options, ['-M', '-T']), `${options.hello}; echo rig-hello; exec cat >/dev/null`];
  return startGuarded({ argv, stdio: ['pipe', 'pipe', 'pipe'] });
}

async function greeting(master: ChildProcess, timeoutMs: number): Promise<string | undefined> {
  let out = '';
  let err = '';
  return await new Promise((resolve) => {
    const timer = setTimeout(() => {
      resolve(`no greeting ${lastLines(err, 3)}`);
    }, timeoutMs);
    const settle = (answer: string | undefined): void => {
      clearTimeout(timer);
      resolve(answer);
    };
    master.stderr?.on('data', (chunk: Buffer) => {
      err += chunk.toString();
    });
    master.stdout?.on('data', (chunk: Buffer) => {
      out += chunk.toString();
      if (out.includes('rig-hello')) settle(undefined);
    });
    master.once('close', () => {
      settle(lastLines(err, 3) || 'the connection was closed');
    });
    master.once('error', (error) => {
      settle(error.message);
    });
  });
}

function connection(place: Place, master: ChildProcess): Connection {
  const alive = (): boolean => master.exitCode === null && master.signalCode === null;
  return {
    alive,
    run: async (command, options = {}) => {
      if (!alive()) throw new RigError('the connection to the machine is lost');
      const line = typeof command === 'string' ? command : shellWords(command);
      const result = await runProgram({
        argv: [...sshArgv(place, ['-T']), line],
        timeoutMs: options.timeoutMs ?? 120_000,
        ...(options.stdin === undefined ? {} : { stdin: options.stdin }),
      });
      // ssh says 255 for its own troubles, but so may a command: the shared connection decides.
      const lost = result.exitCode === 255 && !(await answers(place));
      return judge(line, result, { lost, check: options.check ?? 'throw' });
    },
    interactive: async (command) => {
      const [program = 'ssh', ...args] = [
        ...sshArgv(place, ['-t']),
        ...(command === undefined ? [] : [command]),
      ];
      const child = spawn(program, args, { stdio: 'inherit' });
      return await new Promise((resolve) =>
        child.once('close', (code) => {
          resolve(code ?? 255);
        }),
      );
    },
    close: async () => {
      await killChild(master);
    },
  };
}

async function answers(place: Place): Promise<boolean> {
  const check = await runProgram({ argv: sshArgv(place, ['-O', 'check']), timeoutMs: 10_000 });
  return check.exitCode === 0;
}

function judge(
  line: string,
  result: { readonly exitCode: number | null; readonly stdout: Buffer; readonly stderr: Buffer },
  how: { readonly lost: boolean; readonly check: 'throw' | 'return' },
): RawResult {
  const { exitCode, stdout } = result;
  const stderr = result.stderr.toString();
  if (exitCode === null || how.lost)
    throw new RigError(`the connection to the machine was lost during: ${line}`);
  if (exitCode !== 0 && how.check === 'throw')
    throw new RigCommandError(line, { exitCode, stdout: stdout.toString(), stderr });
  return { exitCode, stdout, stderr };
}
