import type { Command } from '../command/index.ts';
import { answerOf, text } from './answer.ts';
import { endInWords, type Program } from './program.ts';
import { retryingBusy } from './retry.ts';
import type { HostEvent, Setting } from './setting.ts';
import type { Collected, CollectOptions } from './start.ts';

/** How a host runs commands that change nothing. */
export interface Reading extends Pick<Setting, 'log' | 'fetchInput' | 'version'> {
  /** Runs a program to its end, here or elsewhere. */
  readonly collect: Collect;
}

export type Collect = (
  program: Program,
  options: Pick<CollectOptions, 'stdin' | 'timeoutMs' | 'started'>,
) => Promise<Collected>;

const readLimitMs = 30_000;

/** Runs a read: retries while it fails as busy, within a time limit. */
export async function runRead<T>(program: Program, command: Command<T>, reading: Reading): Promise<T> {
  const { tool, argv } = program;
  const { log, version } = reading;
  const stdin = command.stdin === undefined ? undefined : await reading.fetchInput(command.stdin);
  const attempt = async (): Promise<T> => {
    const begun = performance.now();
    const { end, stdout, stderr } = await reading.collect(program, {
      timeoutMs: command.timeoutMs ?? readLimitMs,
      stdin,
      started: (pid) => log({ event: 'program started', tool, argv, pid }),
    });
    const durationMs = Math.round(performance.now() - begun);
    log({ event: 'program ended', tool, argv, durationMs, ending: endInWords(end) });
    return await answerOf({ program, end, stdout: held(stdout), stderr: held(stderr) }, command, { version });
  };
  return await retryingBusy(attempt, {
    allowed: true,
    log: () => log({ event: 'program is tried again', tool, argv }),
  });
}

function held(output: Uint8Array) {
  return { whole: () => output, tail: () => output.subarray(-1024 * 1024) };
}

/**
 * The first line of `TOOL --version`, asked once for each file. Not every tool has it: only for
 * error texts.
 */
export function versions(collect: Collect): Setting['version'] {
  const known = new Map<string, Promise<string | undefined>>();
  const ask = async ({ tool, file }: Program): Promise<string | undefined> => {
    try {
      const { end, stdout } = await collect({ tool, file, argv: ['--version'] }, { timeoutMs: 5000 });
      if (end.how !== 'exit' || end.exitCode !== 0) return undefined;
      return text(stdout).split('\n')[0]?.trim() || undefined;
    } catch {
      return undefined;
    }
  };
  return (program) => {
    const answer = known.get(program.file) ?? ask(program);
    known.set(program.file, answer);
    return answer;
  };
}

/** A listener that throws must not make bofh lose track of the program. */
export function telling(log: ((event: HostEvent) => void) | undefined): Setting['log'] {
  return (event) => {
    try {
      log?.(event);
    } catch {
      // The error belongs to the listener, not to the program.
    }
  };
}
