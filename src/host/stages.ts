import type { Command } from '../command/index.ts';
import { UsageError } from '../core/errors.ts';
import { failureOf, isAnswer, type Output, type Ran, text } from './answer.ts';
import { isFull, tail, whole } from './outputs.ts';
import { type End, endInShell, type Program } from './program.ts';
import type { OutputFiles } from './setting.ts';
import { pipelineStatuses, stageLimit } from './shell.ts';
import type { Stopped } from './watch.ts';

/** One command of a change, and the program that runs it. */
export interface Stage {
  readonly command: Command<unknown>;
  readonly program: Program;
}

/** The commands of a change: one, or several joined by pipes. */
export type Stages = readonly [Stage, ...Stage[]];

/** The number of bytes of each output of a failed program that the error keeps. */
const kept = 1024 * 1024;

/** Throws UsageError for a pipeline that cannot be started. */
export function checkStages(stages: Stages): void {
  if (stages.length > stageLimit)
    throw new UsageError(`a pipeline has ${stageLimit} commands at most, not ${stages.length}`);
  if (stages.some(({ command }, i) => i > 0 && command.stdin !== undefined))
    throw new UsageError('only the first command of a pipeline can be given standard input');
  if (stages.length > 1 && stages.some(({ command }) => command.secondKey !== undefined))
    throw new UsageError('a command of a pipeline cannot use a second key');
}

/**
 * How each stage ended and what it wrote. Computed from the exit of the shell that ran them, and
 * from their output files.
 */
export function resultsOf(
  stages: Stages,
  ended: { readonly files: OutputFiles; readonly shell: End; readonly stopped: Stopped | undefined },
): readonly [Ran, ...Ran[]] {
  const { files, stopped } = ended;
  const ends = endsOf(stages, ended);
  const ran = ({ program }: Stage, i: number): Ran => ({
    program,
    end: ends[i] ?? ended.shell,
    stdout: outputIn(i === stages.length - 1 ? files.out : undefined),
    stderr: outputIn(files.errs[i]),
    stopped,
  });
  const [first, ...rest] = stages;
  return [ran(first, 0), ...rest.map((stage, i) => ran(stage, i + 1))];
}

/**
 * Throws the first failure. A stage that ended with SIGPIPE does not count if another one failed, because it
 * only lost its reader.
 */
export function throwFailure(stages: Stages, rans: readonly Ran[]): void {
  const failed = stages.flatMap(({ command }, i) => {
    const ran = rans[i];
    return ran === undefined || isAnswer(ran, command) ? [] : [{ ran, command }];
  });
  const cause = failed.find(({ ran }) => !diedOfPipe(ran.end)) ?? failed[0];
  if (cause !== undefined) throw failureOf(cause.ran, cause.command);
}

function endsOf(
  stages: Stages,
  { files, shell }: { readonly files: OutputFiles; readonly shell: End },
): readonly End[] {
  // If the shell was killed, the result of its tools is unknown.
  if (shell.how !== 'exit') return stages.map(() => shell);
  if (files.status === undefined) return [endInShell(shell.exitCode)];
  const lost: End = { how: 'unknown', why: 'its exit status is unknown (is the state directory full?)' };
  const codes = pipelineStatuses(text(tail(files.status, kept)), stages.length);
  return codes.map((code) => (code === undefined ? lost : endInShell(code)));
}

function diedOfPipe(end: End): boolean {
  return end.how === 'signal' && end.signal === 'SIGPIPE';
}

function outputIn(file: number | undefined): Output {
  const none = new Uint8Array();
  return {
    whole: () => (file === undefined ? none : whole(file)),
    tail: () => (file === undefined ? none : tail(file, kept)),
    isLost: () => file !== undefined && isFull(file),
  };
}
