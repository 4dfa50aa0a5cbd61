import type { Command, Progress, StepContext } from '../command/index.ts';
import { present } from '../core/present.ts';
import { text } from './answer.ts';
import { tail } from './outputs.ts';
import type { Program } from './program.ts';
import type { HostEvent, OutputFiles } from './setting.ts';
import type { Started } from './start.ts';
import { timeLimit } from './time-limit.ts';

/** Why bofh ended a program, as the text of its error. */
export interface Stopped {
  readonly reason: 'killed' | 'timeout';
  readonly what: string;
}

/** Milliseconds that a program has for its cleanup after SIGTERM. */
const defaultGraceMs = 10_000;
const pollMs = 75;
/** Number of bytes at the end of the output in which progress is searched. */
const recent = 64 * 1024;

/** The abort signals for a change that may be ended before it completes. */
export function signalsOf(
  stages: readonly { readonly command: Command<unknown> }[],
  step: Pick<StepContext, 'signal'>,
): readonly AbortSignal[] {
  return [step.signal, ...stages.map(({ command }) => command.signal)].filter((one) => one !== undefined);
}

/**
 * Ends a program when one of `signals` aborts or after `timeoutMs`: by SIGTERM to its group,
 * finally by SIGKILL.
 */
export function stopping(
  shell: Pick<Started, 'signal'>,
  options: {
    readonly signals: readonly AbortSignal[];
    readonly timeoutMs?: number | undefined;
    readonly graceMs?: number;
    readonly log: () => void;
  },
): { readonly because: () => Stopped | undefined; readonly end: () => void } {
  let why: Stopped | undefined;
  let grace: NodeJS.Timeout | undefined;
  const stop = (stopped: Stopped): void => {
    if (why !== undefined) return;
    why = stopped;
    options.log();
    shell.signal('SIGTERM');
    grace = setTimeout(() => shell.signal('SIGKILL'), options.graceMs ?? defaultGraceMs).unref();
  };
  const interrupt = (): void => stop({ reason: 'killed', what: 'stopped, because the work was interrupted' });
  const { signals, timeoutMs } = options;
  for (const signal of signals) signal.addEventListener('abort', interrupt, { once: true });
  // A signal may have been aborted while the program was starting.
  if (signals.some(({ aborted }) => aborted)) interrupt();
  const stopClock =
    timeoutMs === undefined
      ? undefined
      : timeLimit(timeoutMs, () =>
          stop({
            reason: 'timeout',
            what: `stopped after ${timeoutMs} ms; it may have done all or a part of its work`,
          }),
        );
  return {
    because: () => why,
    end: () => {
      for (const signal of signals) signal.removeEventListener('abort', interrupt);
      stopClock?.();
      clearTimeout(grace);
    },
  };
}

/**
 * Reports to the step that its commands run, and their progress, by following their output files.
 */
export function following(
  stages: readonly { readonly command: Command<unknown>; readonly program: Program }[],
  files: OutputFiles,
  step: StepContext,
  log: (event: HostEvent) => void,
): { readonly end: () => void } {
  const polls = stages.map(({ command, program }, i) => {
    const { tool, argv } = program;
    const tell = telling(step, { tool, argv }, log);
    tell(() => ({}));
    const outputs = [...(i === stages.length - 1 ? [files.out] : []), files.errs[i]];
    const said = (): string =>
      outputs.map((file) => (file === undefined ? '' : text(tail(file, recent)))).join('');
    if (command.progress === undefined && command.says === undefined) return [];
    return [
      () =>
        tell(() => {
          const output = said();
          return present({ fraction: command.progress?.(output), line: command.says?.(output) });
        }),
    ];
  });
  const poll = (): void => polls.flat().forEach((each) => each());
  const timer = polls.flat().length === 0 ? undefined : setInterval(poll, pollMs).unref();
  return {
    end: () => {
      clearInterval(timer);
      poll();
    },
  };
}

/**
 * Reports each fraction and each line once. An error of the listener ends the reports, and does not affect
 * the running change.
 */
function telling(
  step: StepContext,
  command: Progress['command'],
  log: (event: HostEvent) => void,
): (look: () => Omit<Progress, 'command'>) => void {
  let state: 'first' | 'going' | 'broken' = 'first';
  let last: Omit<Progress, 'command'> = {};
  return (look) => {
    if (state === 'broken' || step.onProgress === undefined) return;
    try {
      const now = look();
      const isNew = [now.fraction, now.line].some((each) => each !== undefined);
      if (state === 'going' && (!isNew || (now.fraction === last.fraction && now.line === last.line))) return;
      state = 'going';
      last = now;
      step.onProgress({ command, ...now });
    } catch {
      state = 'broken';
      log({ event: 'progress could not be reported', ...command });
    }
  };
}
