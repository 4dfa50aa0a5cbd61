import type { Readable, Writable } from 'node:stream';
import type { End, Program } from './program.ts';
import { always, endOf, type Result, signalGroup, starter } from './start.ts';

/** Whether what was heard is all of an answer; `too much`: nobody wants more of it. */
type Heard = (chunk: Uint8Array) => boolean | 'too much';

/**
 * A program that is told something, answers, and waits for more. For what changes nothing: it is to end when its input does. While
 * it waits it keeps nobody from ending.
 */
export interface Talk {
  readonly pid: number | undefined;
  /** Undefined while it runs. */
  readonly ended: () => End | undefined;
  /**
   * One at a time. `late` and `too much`: it has been killed. `gone`: it ended in the middle, and all that it wrote was heard.
   */
  readonly say: (
    line: string,
    timeoutMs: number,
    heard: { readonly stdout: Heard; readonly stderr: Heard },
  ) => Promise<'answered' | 'too much' | 'late' | 'gone'>;
  /** Ends its input, and resolves when it has ended. */
  readonly close: () => Promise<void>;
}

type Pipe<T> = T & { readonly ref: () => void; readonly unref: () => void };

/** Starts one. */
export async function talk({
  file,
  argv,
  env,
}: Pick<Program, 'file' | 'argv'> & { readonly env: Readonly<Record<string, string>> }): Promise<Talk> {
  const execa = await starter();
  const child = execa(file, argv, { ...always, env: { ...env }, stdio: ['pipe', 'pipe', 'pipe'] });
  // They are sockets (child_process of Node).
  const [stdin, stdout, stderr] = [child.stdin, child.stdout, child.stderr] as unknown as readonly [
    Pipe<Writable>,
    Pipe<Readable>,
    Pipe<Readable>,
  ];
  let end: End | undefined;
  const closed = new Promise<void>((resolve) => {
    void child.then((result: Result) => {
      end = endOf(result);
      resolve();
    });
  });
  // That it has ended is heard of anyway.
  stdin.on('error', () => undefined);
  const hold = (how: 'ref' | 'unref'): void => {
    for (const each of [child, stdin, stdout, stderr]) each[how]();
  };
  let listening:
    | { readonly stdout: (chunk: Uint8Array) => void; stderr: (chunk: Uint8Array) => void }
    | undefined;
  stdout.on('data', (chunk: Uint8Array) => listening?.stdout(chunk));
  stderr.on('data', (chunk: Uint8Array) => listening?.stderr(chunk));
  hold('unref');
  return {
    pid: child.pid,
    ended: () => end,
    say: async (line, timeoutMs, heard) => {
      hold('ref');
      const kill = (): void => {
        signalGroup(child, 'SIGKILL');
        stdout.destroy();
        stderr.destroy();
      };
      let timer: NodeJS.Timeout | undefined;
      const said = await new Promise<'answered' | 'too much' | 'late' | 'gone'>((resolve) => {
        timer = setTimeout(() => resolve('late'), timeoutMs);
        const hear = (of: Heard) => (chunk: Uint8Array) => {
          const enough = of(chunk);
          if (enough !== false) resolve(enough === true ? 'answered' : enough);
        };
        listening = { stdout: hear(heard.stdout), stderr: hear(heard.stderr) };
        void closed.then(() => resolve('gone'));
        stdin.write(line);
      });
      clearTimeout(timer);
      listening = undefined;
      if (said === 'late' || said === 'too much') kill();
      hold('unref');
      return said;
    },
    close: async () => {
      stdin.end();
      hold('ref');
      await closed;
    },
  };
}
