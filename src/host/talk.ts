import type { End } from './program.ts';
import { startPiped } from './start.ts';

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

/** Starts one. */
export async function talk(program: Parameters<typeof startPiped>[0]): Promise<Talk> {
  const child = await startPiped(program);
  const { stdin, stdout, stderr, hold } = child;
  let end: End | undefined;
  const closed = child.ended.then((ended) => {
    end = ended;
  });
  // That it has ended is heard of anyway.
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
