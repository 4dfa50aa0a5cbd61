import type { Answer, Command, StepContext } from '../../command/index.ts';
import { CommandError } from '../../core/errors.ts';
import { present } from '../../core/present.ts';
import { answerOf, type Output, type Ran } from '../answer.ts';
import type { FetchInput } from '../keys.ts';
import { endInShell } from '../program.ts';
import { retryingBusy } from '../retry.ts';
import type { Setting } from '../setting.ts';
import { pipelineScript, pipelineStatuses, secondKeyScript, singleScript } from '../shell.ts';
import { checkStages, type Stages, throwFailure } from '../stages.ts';
import { signalsOf, stopping } from '../watch.ts';
import { type ErrandThere, type RanThere, runThere, type There } from './run-there.ts';

/** The parts that all changes of another host share. */
export interface Changing extends There {
  readonly fetchInput: FetchInput;
  readonly version: Setting['version'];
  readonly log: Setting['log'];
  readonly settle: () => Promise<void>;
}

/**
 * Runs a command, or several joined by pipes, like `runChange` for this host, but reports only the
 * start of the program as progress.
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
      return await answerOf(rans.at(-1) ?? rans[0], { ...last.command, parse }, at);
    },
    {
      allowed: stages.every(({ command }) => command.repeatable === true),
      between: at.settle,
      log: ({ tool, argv }) => at.log({ event: 'program is tried again', tool, argv }),
    },
  );

  async function attempt(
    changing: Changing,
    of: Stages,
    context: StepContext,
  ): Promise<readonly [Ran, ...Ran[]]> {
    const safe = of.every(({ command }) => command.stop === 'safe');
    if (safe && signalsOf(of, context).some(({ aborted }) => aborted))
      throw new CommandError({
        ...program,
        reason: 'killed',
        what: 'not started, because the work was interrupted',
      });
    const watch: { of?: ReturnType<typeof stopping> } = {};
    const limits = of.flatMap(({ command }) => command.timeoutMs ?? []);
    const { tool, argv } = program;
    changing.log({ event: 'program started', tool, argv });
    context.onProgress?.({ command: { tool, argv, ...present({ title: of[0].command.title }) } });
    try {
      const ran = await runThere(changing, context, {
        program,
        name: safe ? 'bofh-safe' : 'bofh-wait',
        ...(await inputsOf(changing, of[0].command)),
        ...scriptOf(of),
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
      return resultsOf(of, ran, watch.of?.because());
    } finally {
      watch.of?.end();
    }
  }
}

async function inputsOf({ fetchInput }: Changing, { stdin, secondKey }: Command<unknown>) {
  return {
    stdin: stdin === undefined ? undefined : await fetchInput(stdin),
    secondKey: secondKey === undefined ? undefined : await fetchInput(secondKey),
  };
}

function scriptOf(stages: Stages): Pick<ErrandThere, 'inner' | 'words' | 'stages'> {
  const words = stages.map(({ program }) => [program.file, ...program.argv]);
  const all = { words: words.flat(), stages: stages.length };
  if (stages.length > 1) return { ...all, inner: pipelineScript(words.map((each) => each.length)) };
  return { ...all, inner: stages[0].command.secondKey === undefined ? singleScript : secondKeyScript };
}

function resultsOf(stages: Stages, ran: RanThere, stopped: Ran['stopped']): readonly [Ran, ...Ran[]] {
  const none: Output = { whole: () => new Uint8Array(), tail: () => new Uint8Array() };
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
  const [first, ...rest] = stages;
  return [one(first, 0), ...rest.map((stage, i) => one(stage, i + 1))];
}
