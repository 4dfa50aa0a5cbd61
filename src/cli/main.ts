import { CommanderError } from 'commander';
import { openLog } from './log.ts';
import { program, type Invocation } from './program.ts';
import { openSequences, type Runtime } from './runtime.ts';
import { settingsOf } from './settings.ts';
import { openTerminal, type Terminal } from './terminal.ts';

/** Everything of a run that the one who explains its end needs. */
interface Run {
  readonly args: readonly string[];
  readonly terminal: Terminal;
  readonly sequences: Runtime['sequences'];
  /** The verb may change the host, and is meant to. */
  changes: boolean;
  runtime: Runtime | undefined;
}

/** Runs the command line and ends the process with its exit code. */
export async function main(args: readonly string[]): Promise<void> {
  const terminal = openTerminal();
  const run: Run = {
    args,
    terminal,
    sequences: openSequences(),
    changes: false,
    runtime: undefined,
  };
  let exitCode: number;
  // What ends before its time, with nothing left to wait for, is no success.
  process.exitCode = 70;
  try {
    exitCode = await Promise.race([parse(run), crash()]);
  } catch (error) {
    // An error that nobody waited for must not cut off a sequence that runs beside it, nor hide that it is stuck.
    await run.sequences.unwind();
    exitCode = await fail(run, error);
  }
  terminal.draw(undefined);
  await run.runtime?.log.flush();
  exitCode = await checkAnswer(run, exitCode);
  // A tool that runs on after a second signal, or a timer of a script, does not keep us.
  process.exit(exitCode);
}

/** The exit code. Throws what the command throws. */
async function parse(run: Run): Promise<number> {
  let exitCode = 0;
  const commands = program(async (invocation) => {
    exitCode = await invoke(run, invocation);
  });
  try {
    await commands.parseAsync([...run.args], { from: 'user' });
  } catch (error) {
    // Help and version are no failures, and commander has written them.
    if (error instanceof CommanderError && error.exitCode === 0) return 0;
    throw error;
  }
  return exitCode;
}

async function invoke(run: Run, { verb, changes, options, action }: Invocation): Promise<number> {
  const settings = settingsOf(options, process.env);
  const { processSignals } = await import('../host/process.ts');
  // A read has nothing to undo: a signal simply ends it.
  const heard = changes ? processSignals().signals : idleSignals();
  const runtime: Runtime = {
    terminal: run.terminal,
    log: openLog(settings.logLevel, run.terminal),
    settings,
    commandLine: ['bofh', ...run.args],
    verb,
    root: process.getuid?.() === 0,
    signals: { ...heard, stop: AbortSignal.any([heard.stop, run.sequences.stop]) },
    sequences: run.sequences,
    script: undefined,
  };
  run.runtime = runtime;
  run.changes = changes && settings.mode === 'act';
  return await action(runtime);
}

function idleSignals() {
  return { stop: new AbortController().signal, abandon: new AbortController().signal };
}

async function fail({ args, runtime, sequences, terminal }: Run, error: unknown): Promise<number> {
  const { asText, explain } = await import('./explain.ts');
  const explanation = explain(error, {
    root: process.getuid?.() === 0,
    sequences,
    ...(runtime?.script === undefined ? {} : { script: runtime.script }),
  });
  terminal.draw(undefined);
  terminal.line(asText(explanation));
  runtime?.log.debug('the command failed', { stack: stackOf(error) });
  const json = runtime === undefined ? args.includes('--json') : runtime.settings.answer === 'json';
  if (json) terminal.answer(`${JSON.stringify({ error: explanation }, null, 2)}\n`);
  return explanation.exitCode;
}

/** The stacks of an error and of everything that it was caused by. */
function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const inner: readonly unknown[] = error instanceof AggregateError ? error.errors : [];
  const causes = [...(error.cause === undefined ? [] : [error.cause]), ...inner];
  return [error.stack ?? error.message, ...causes.map((each) => `caused by ${stackOf(each)}`)].join('\n');
}

/** Rejects at the first error that nobody waits for. */
function crash(): Promise<never> {
  return new Promise((_resolve, reject) => {
    process.on('unhandledRejection', reject);
    process.on('uncaughtException', reject);
  });
}

/** sysexits.h: EX_IOERR. */
const answerLost = 74;

/**
 * An answer that could not be written (a full disk behind stdout) is no success, and no failure of the change either. A
 * reader that went away is neither: `| head` has had enough.
 */
async function checkAnswer(run: Run, exitCode: number): Promise<number> {
  const { terminal, runtime, sequences } = run;
  const broken = await terminal.flush();
  if (broken === undefined) return exitCode;
  const failed = `could not be written: ${broken.message}`;
  if (exitCode !== 0 || !run.changes) {
    terminal.line(`bofh: the answer ${failed}`);
    return exitCode === 0 ? answerLost : exitCode;
  }
  const committed = sequences.begun().filter(({ end }) => end === 'committed');
  const made =
    committed.length > 0 ? 'the change was made' : `"${runtime?.verb ?? ''}" did what it had to do`;
  terminal.line(`bofh: ${made}; only its answer ${failed}`);
  const { printable } = await import('./text.ts');
  for (const { id, name } of committed) terminal.line(printable(`  committed: "${name}" (${id})`));
  return answerLost;
}
