import type { End } from './program.ts';
import { startPiped } from './start.ts';

/** Whether the output so far is a complete answer; `too much`: it exceeds the limit. */
type Heard = (chunk: Uint8Array) => boolean | 'too much';

/**
 * A program that gets a request, answers, and waits for the next. For programs that change nothing:
 * it must end when its input does. While it waits it does not keep this process from ending.
 */
export interface Talk {
  readonly pid: number | undefined;
  /** Undefined while it runs. */
  readonly ended: () => End | undefined;
  /**
   * One request at a time. `late` and `too much`: it was killed. `gone`: it ended in the middle,
   * and all its output was read.
   */
  readonly say: (
    line: string,
    timeoutMs: number,
    heard: { readonly stdout: Heard; readonly stderr: Heard },
  ) => Promise<'answered' | 'too much' | 'late' | 'gone'>;
  /** Ends its input, and resolves when it has ended. */
  readonly close: () => Promise<void>;
}

/** Starts one. */
export async function talk(program: Parameters<typeof startPiped>[0]): Promise<Talk> {
  const child = await startPiped(program);
  const { stdin, stdout, stderr, hold } = child;
  let end: End | undefined;
  const closed = child.ended.then((ended) => {
    end = ended;
  });
  // Its end is reported elsewhere.
  stdin.on('error', () => undefined);
  let listening: Readonly<Record<'stdout' | 'stderr', (chunk: Uint8Array) => void>> | undefined;
  stdout.on('data', (chunk: Uint8Array) => listening?.stdout(chunk));
  stderr.on('data', (chunk: Uint8Array) => listening?.stderr(chunk));
  hold('unref');
  return {
    pid: child.pid,
    ended: () => end,
    say: async (line, timeoutMs, heard) => {
      hold('ref');
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
      if (said === 'late' || said === 'too much') child.kill();
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
