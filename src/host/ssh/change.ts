import type { Answer, Command, StepContext } from '../../command/index.ts';
import { CommandError, UsageError } from '../../core/errors.ts';
import { present } from '../../core/present.ts';
import { answerOf, type Output, type Ran } from '../answer.ts';
import { attempt as attemptHere } from '../change.ts';
import type { FetchInput } from '../keys.ts';
import type { LocalPrograms } from '../local.ts';
import { endInShell, type Program } from '../program.ts';
import { retryingBusy } from '../retry.ts';
import type { Setting } from '../setting.ts';
import { pipelineScript, pipelineStatuses, secondKeyScript, singleScript } from '../shell.ts';
import { checkStages, type Stage, type Stages, throwFailure } from '../stages.ts';
import { type Collected, tooLong } from '../start.ts';
import { signalsOf, stopping } from '../watch.ts';
import { type RemoteProgram, type RanThere, runThere, type There } from './run-there.ts';

/** The parts that all changes of another host share. */
export interface Changing extends There {
  readonly fetchInput: FetchInput;
  readonly version: Setting['version'];
  readonly log: Setting['log'];
  readonly settle: () => Promise<void>;
  /** How programs run on this host. */
  readonly near: LocalPrograms;
}

/**
 * Runs a command, or several joined by pipes, like `runChange` for this host, but reports only the
 * start of the program as progress. The first commands may run on this host (`here`): ssh is then the last command
 * of their pipeline.
 */
export async function changeThere<T>(
  at: Changing,
  stages: Stages,
  parse: (answer: Answer) => T,
  step: StepContext,
): Promise<T> {
  checkStages(stages);
  const last = stages.at(-1) ?? stages[0];
  const { program } = stages[0];
  return await retryingBusy(
    async () => {
      const rans = await attempt(at, stages, step);
      throwFailure(stages, rans);
      const ran = rans.at(-1);
      if (ran === undefined) throw new TypeError('no command ran');
      return await answerOf(ran, { ...last.command, parse }, at);
    },
    {
      allowed: stages.every(({ command }) => command.repeatable === true),
      between: at.settle,
      log: ({ tool, argv }) => at.log({ event: 'program is tried again', tool, argv }),
    },
  );

  async function attempt(changing: Changing, of: Stages, context: StepContext): Promise<readonly Ran[]> {
    const safe = of.every(({ command }) => command.stop === 'safe');
    if (safe && signalsOf(of, context).some(({ aborted }) => aborted))
      throw new CommandError({
        ...program,
        reason: 'killed',
        what: 'not started, because the work was interrupted',
      });
    const near = of.filter(({ command }) => command.here === true);
    const [first, ...rest] = of.slice(near.length);
    if (first === undefined || [first, ...rest].some(({ command }) => command.here === true))
      throw new UsageError('only the first commands of a pipeline may have `here`');
    const there: Stages = [first, ...rest];
    const nearby = streaming(changing, near, context);
    const watch: { of?: ReturnType<typeof stopping> } = {};
    const limits = of.flatMap(({ command }) => command.timeoutMs ?? []);
    const { tool, argv } = program;
    changing.log({ event: 'program started', tool, argv });
    context.onProgress?.({ command: { tool, argv, ...present({ title: of[0].command.title }) } });
    try {
      const ran = await runThere(changing, context, {
        program,
        name: safe ? 'bofh-safe' : 'bofh-wait',
        ...(await inputsOf(changing, first.command)),
        ...scriptOf(there),
        ...(near.length === 0 ? {} : { through: nearby.through }),
        ...(safe
          ? {
              begins: (signal) => {
                watch.of = stopping(
                  { signal },
                  {
                    signals: signalsOf(of, context),
                    timeoutMs: limits.length === 0 ? undefined : Math.min(...limits),
                    log: () => changing.log({ event: 'program is being stopped', tool, argv }),
                  },
                );
              },
            }
          : {}),
      });
      changing.log({ event: 'program ended', tool, argv, ending: `exit ${String(ran.exitCode)}` });
      const stopped = watch.of?.because();
      return [...nearby.rans(), ...resultsOf(there, ran, stopped)];
    } finally {
      watch.of?.end();
    }
  }
}

/** Runs the commands of this host, with ssh as the last command. `rans`: how they ended. */
function streaming({ near: { setting } }: Changing, near: readonly Stage[], step: StepContext) {
  let ended: readonly Ran[] = [];
  // Only the commands on the other host are stopped: these here then lose their reader.
  const stages = near.map(({ command: { signal: _, ...command }, program }) => ({ command, program }));
  const { signal: _, ...context } = step;
  return {
    rans: () => ended,
    through: async (ssh: Program): Promise<Collected> => {
      const [first, ...rest] = stages;
      if (first === undefined) throw new TypeError('no command runs on this host');
      const { rans, close, remove } = await attemptHere(
        [first, ...rest, { command: first.command, program: ssh }],
        context,
        setting,
      );
      try {
        const last = rans.at(-1) ?? rans[0];
        const [stdout, stderr] = [last.stdout.whole(), last.stderr.whole()];
        if (stdout === undefined || stderr === undefined) throw tooLong(ssh);
        ended = rans.slice(0, -1).map((ran) => ({ ...ran, stderr: read(ran.stderr.tail()) }));
        return { end: last.end, stdout, stderr };
      } finally {
        remove();
        close();
      }
    },
  };
}

/** Output that was read, and whose file is closed. */
function read(bytes: Uint8Array): Output {
  return { whole: () => bytes, tail: () => bytes };
}

async function inputsOf({ fetchInput }: Changing, { stdin, secondKey }: Command<unknown>) {
  return {
    stdin: stdin === undefined ? undefined : await fetchInput(stdin),
    secondKey: secondKey === undefined ? undefined : await fetchInput(secondKey),
  };
}

function scriptOf(stages: Stages): Pick<RemoteProgram, 'inner' | 'words' | 'stages'> {
  const words = stages.map(({ program }) => [program.file, ...program.argv]);
  const all = { words: words.flat(), stages: stages.length };
  if (stages.length > 1) return { ...all, inner: pipelineScript(words.map((each) => each.length)) };
  return { ...all, inner: stages[0].command.secondKey === undefined ? singleScript : secondKeyScript };
}

function resultsOf(stages: Stages, ran: RanThere, stopped: Ran['stopped']): readonly Ran[] {
  const none = read(new Uint8Array());
  const codes = stages.length === 1 ? [ran.exitCode] : pipelineStatuses(ran.statuses, stages.length);
  const one = ({ program }: Stages[number], i: number): Ran => {
    const code = codes[i];
    return {
      program,
      end:
        code === undefined
          ? { how: 'unknown', why: 'its exit status is unknown (is /run full there?)' }
          : endInShell(code),
      stdout: i === stages.length - 1 ? ran.stdout : none,
      stderr: ran.errs[i] ?? none,
      stopped,
    };
  };
  return stages.map(one);
}
