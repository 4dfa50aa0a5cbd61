import { type Command, commandLine, type ReadHost } from '../command/index.ts';
import { answerOf, text } from './answer.ts';
import { endInWords, type Program } from './program.ts';
import { retryingBusy } from './retry.ts';
import type { HostEvent, Setting } from './setting.ts';
import type { Collected, CollectOptions } from './start.ts';

/** The functions with which a host runs commands that change nothing. */
export interface Reading extends Pick<Setting, 'log' | 'fetchInput' | 'version'> {
  /** Runs a program to its end, on this host or another one. */
  readonly collect: Collect;
  /** Returns the earlier output of the same command, if that is still valid. */
  readonly again?: (
    command: Pick<Command<unknown>, 'tool' | 'argv' | 'sameWhile'>,
    ask: () => Promise<Collected>,
  ) => Promise<Collected>;
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
  const output = async (): Promise<Collected> => {
    const begun = performance.now();
    const collected = await reading.collect(program, {
      timeoutMs: command.timeoutMs ?? readLimitMs,
      stdin,
      started: (pid) => log({ event: 'program started', tool, argv, pid }),
    });
    const durationMs = Math.round(performance.now() - begun);
    log({ event: 'program ended', tool, argv, durationMs, ending: endInWords(collected.end) });
    return collected;
  };
  const attempt = async (): Promise<T> => {
    const { end, stdout, stderr } = await (reading.again?.(command, output) ?? output());
    return await answerOf({ program, end, stdout: held(stdout), stderr: held(stderr) }, command, { version });
  };
  return await retryingBusy(attempt, {
    allowed: true,
    log: () => log({ event: 'program is tried again', tool, argv }),
  });
}

/**
 * Reuses an output while the file named by `sameWhile` has the same content before and after the program.
 * Keeps the output and not the answer, because callers may parse it in different ways. A concurrent caller
 * waits for it.
 */
export function sameOutputs(files: Pick<ReadHost, 'readFile'>): Required<Reading>['again'] {
  /** Undefined if the program failed, or if the file changed meanwhile. */
  const known = new Map<
    string,
    { readonly state: string; readonly output: Promise<Collected | undefined> }
  >();
  return async (command, ask) => {
    const { sameWhile } = command;
    if (sameWhile === undefined) return await ask();
    const read = async (): Promise<string | undefined> =>
      await files.readFile(sameWhile).then(text, () => undefined);
    const [what, state] = [commandLine(command), await read()];
    const before = known.get(what);
    const again = before !== undefined && before.state === state ? await before.output : undefined;
    if (again !== undefined) return again;
    const asked = ask();
    if (state === undefined) return await asked;
    const kept = async (): Promise<Collected | undefined> => {
      const output = await asked.catch(() => undefined);
      const isGood = output?.end.how === 'exit' && output.end.exitCode === 0;
      return isGood && state === (await read()) ? output : undefined;
    };
    const output = kept();
    known.set(what, { state, output });
    return (await output) ?? (await asked);
  };
}

function held(output: Uint8Array) {
  return { whole: () => output, tail: () => output.subarray(-1024 * 1024) };
}

/**
 * The first line of `TOOL --version`, read once for each file. Only for error texts, because not every tool
 * has the option.
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

/** Wraps a log function, so that an error in it does not affect the program. */
export function telling(log: ((event: HostEvent) => void) | undefined): Setting['log'] {
  return (event) => {
    try {
      log?.(event);
    } catch {
      // The error belongs to the listener, not to the program.
    }
  };
}
