import { closeSync } from 'node:fs';
import type { Answer, Command, StepContext } from '../command/index.ts';
import { CommandError } from '../core/errors.ts';
import { answerOf, type Ran } from './answer.ts';
import { type End, endInWords, type Program } from './program.ts';
import { retryingBusy } from './retry.ts';
import type { OutputFiles, Setting } from './setting.ts';
import { pipelineScript, secondKeyScript, singleScript } from './shell.ts';
import { checkStages, resultsOf, type Stages, throwFailure } from './stages.ts';
import { launch, type Started } from './start.ts';
import { filledDescriptor } from './stdin.ts';
import { following, signalsOf, stopping, type Stopped } from './watch.ts';

/**
 * Runs a change: one command, or several joined by pipes. It outlives this process, and holds the step's lock
 * until its end. `parse` gets the output of the last command, after all have succeeded. If all commands are
 * `stop: 'safe'`, the change may be ended before it completes, with the smallest of their time limits; no
 * other change has a time limit.
 */
export async function runChange<T>(
  stages: Stages,
  parse: (answer: Answer) => T,
  step: StepContext,
  setting: Setting,
): Promise<T> {
  checkStages(stages);
  const last = stages.at(-1) ?? stages[0];
  return await retryingBusy(
    async () => {
      const { rans, close, remove } = await attempt(stages, step, setting);
      try {
        throwFailure(stages, rans);
        return await answerOf(rans.at(-1) ?? rans[0], { ...last.command, parse }, setting);
      } finally {
        // Otherwise the files would stay with the journal until it is closed.
        if (stages.some(({ command }) => command.shownOf !== undefined)) remove();
        close();
      }
    },
    {
      allowed: stages.every(({ command }) => command.repeatable === true),
      between: setting.settle,
      log: ({ tool, argv }) => setting.log({ event: 'program is tried again', tool, argv }),
    },
  );
}

/** The finished programs, one for each stage, and a function that closes their output files. */
export interface Attempt {
  readonly rans: readonly [Ran, ...Ran[]];
  readonly close: () => void;
  readonly remove: () => void;
}

/** Runs the stages once, whatever their exit codes are. The caller closes the outputs. */
export async function attempt(stages: Stages, step: StepContext, setting: Setting): Promise<Attempt> {
  const safe = stages.every(({ command }) => command.stop === 'safe');
  if (safe && signalsOf(stages, step).some(({ aborted }) => aborted)) throw notBegun(stages[0].program);
  const files = setting.openOutputs(step.outputs, stages.length);
  try {
    const { program } = stages[0];
    const begun = performance.now();
    const shell = await start(stages, safe, files, step, setting);
    setting.log({ event: 'program started', ...named(program), pid: shell.pid });
    const { end, stopped } = await watched(shell, stages, safe, files, step, setting);
    const durationMs = Math.round(performance.now() - begun);
    setting.log({
      event: 'program ended',
      ...named(program),
      pid: shell.pid,
      durationMs,
      ending: endInWords(end),
    });
    return {
      rans: resultsOf(stages, { files, shell: end, stopped }),
      close: files.close,
      remove: files.remove,
    };
  } catch (error) {
    files.close();
    throw error;
  }
}

async function start(
  stages: Stages,
  safe: boolean,
  files: OutputFiles,
  step: StepContext,
  setting: Setting,
): Promise<Started> {
  const words = stages.map(({ program }) => [program.file, ...program.argv]);
  const { stdin, secondKey, close } = await inputsOf(stages[0].command, setting);
  try {
    const stdio = [stdin, files.out, files.errs[0], step.lock < 0 ? undefined : step.lock];
    const more = stages.length === 1 ? [secondKey] : [files.status, ...files.errs.slice(1)];
    return await launch({
      script: scriptOf(words, secondKey),
      name: safe ? 'bofh-safe' : 'bofh-wait',
      words: [files.session, ...words.flat()],
      stdio: [...stdio, ...more],
      env: setting.env,
    });
  } finally {
    close();
  }
}

function scriptOf(words: readonly (readonly string[])[], secondKey: number | undefined): string {
  if (words.length > 1) return pipelineScript(words.map((each) => each.length));
  return secondKey === undefined ? singleScript : secondKeyScript;
}

/**
 * The descriptors for stdin and the second key. Both are completely written before the program starts; the
 * caller closes them.
 */
async function inputsOf({ stdin, secondKey }: Command<unknown>, setting: Setting) {
  const contents = [
    stdin === undefined ? undefined : await setting.fetchInput(stdin),
    secondKey === undefined ? undefined : await setting.fetchInput(secondKey),
  ];
  const open: number[] = [];
  const close = (): void => {
    for (const descriptor of open.splice(0)) closeSync(descriptor);
  };
  try {
    const filled = contents.map((content) => {
      if (content === undefined) return undefined;
      const descriptor = filledDescriptor(content);
      open.push(descriptor);
      return descriptor;
    });
    return { stdin: filled[0], secondKey: filled[1], close };
  } catch (error) {
    close();
    throw error;
  }
}

async function watched(
  shell: Started,
  stages: Stages,
  safe: boolean,
  files: OutputFiles,
  step: StepContext,
  setting: Setting,
): Promise<{ readonly end: End; readonly stopped: Stopped | undefined }> {
  const limits = stages.flatMap(({ command }) => command.timeoutMs ?? []);
  const stop = safe
    ? stopping(shell, {
        signals: signalsOf(stages, step),
        timeoutMs: limits.length === 0 ? undefined : Math.min(...limits),
        log: () => setting.log({ event: 'program is being stopped', ...named(stages[0].program) }),
      })
    : undefined;
  const follow = following(stages, files, step, setting.log);
  try {
    return { end: await shell.ended, stopped: stop?.because() };
  } finally {
    stop?.end();
    follow.end();
  }
}

function notBegun(program: Program): CommandError {
  return new CommandError({
    ...program,
    reason: 'killed',
    what: 'not started, because the work was interrupted',
  });
}

function named({ tool, argv }: Program): { readonly tool: string; readonly argv: readonly string[] } {
  return { tool, argv };
}
