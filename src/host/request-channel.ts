import type { End } from './program.ts';
import { startPiped } from './start.ts';
import { timeLimit } from './time-limit.ts';

/** Returns whether the output so far is a complete answer; `too much`: it exceeds the limit. */
type IsComplete = (chunk: Uint8Array) => boolean | 'too much';

/**
 * A running program that answers requests, one after the other. Only for programs that change nothing,
 * and that end when their input ends. While the program waits, it does not keep this process from
 * ending.
 */
export interface RequestChannel {
  readonly pid: number | undefined;
  /** Undefined while the program runs. */
  readonly ended: () => End | undefined;
  /**
   * Sends one request; no other request may be open. `late` and `too much`: the program was killed. `gone`:
   * it ended before the answer was complete, and all its output was read.
   */
  readonly request: (
    line: string,
    timeoutMs: number,
    isComplete: { readonly stdout: IsComplete; readonly stderr: IsComplete },
  ) => Promise<'answered' | 'too much' | 'late' | 'gone'>;
  /** Closes the input of the program, and resolves when the program has ended. */
  readonly close: () => Promise<void>;
}

/** Starts a program with which bofh exchanges requests and answers. */
export async function openRequestChannel(program: Parameters<typeof startPiped>[0]): Promise<RequestChannel> {
  const child = await startPiped(program);
  const { stdin, stdout, stderr, hold } = child;
  let end: End | undefined;
  const closed = child.ended.then((ended) => {
    end = ended;
  });
  // A write error means that the program has ended: `ended` reports that.
  stdin.on('error', () => undefined);
  let listening: Readonly<Record<'stdout' | 'stderr', (chunk: Uint8Array) => void>> | undefined;
  stdout.on('data', (chunk: Uint8Array) => listening?.stdout(chunk));
  stderr.on('data', (chunk: Uint8Array) => listening?.stderr(chunk));
  hold('unref');
  return {
    pid: child.pid,
    ended: () => end,
    request: async (line, timeoutMs, isComplete) => {
      hold('ref');
      let stopClock = (): void => undefined;
      const outcome = await new Promise<'answered' | 'too much' | 'late' | 'gone'>((resolve) => {
        stopClock = timeLimit(timeoutMs, () => resolve('late'));
        const listen = (complete: IsComplete) => (chunk: Uint8Array) => {
          const enough = complete(chunk);
          if (enough !== false) resolve(enough === true ? 'answered' : enough);
        };
        listening = { stdout: listen(isComplete.stdout), stderr: listen(isComplete.stderr) };
        void closed.then(() => resolve('gone'));
        stdin.write(line);
      });
      stopClock();
      listening = undefined;
      if (outcome === 'late' || outcome === 'too much') child.kill();
      hold('unref');
      return outcome;
    },
    close: async () => {
      stdin.end();
      hold('ref');
      await closed;
    },
  };
}
