import { CommanderError } from 'commander';
import { atConsole } from '../../core/option.ts';
import { UsageError } from '../../core/errors.ts';
import { asText, type Explanation } from '../errors/explanation.ts';
import { answerHelp } from './help.ts';
import { crash, plainly, type Run, watchExit } from '../errors/unexpected-exit.ts';
import { openLog } from './log.ts';
import { program, type Invocation } from './program.ts';
import { openSequences, type Runtime } from './runtime.ts';
import { earlySettings, settingsOf } from './settings.ts';
import { looksOf, openTerminal, type Terminal } from './terminal.ts';
import { paging } from '../output/paging.ts';
import { printable, stackTextOf, textOf } from '../output/text.ts';
import { isUtf8 } from 'node:buffer';
import { readFileSync } from 'node:fs';

/**
 * Runs the command line and ends the process with its exit code. `changed` is called at the end with the
 * verb, if it succeeded and may have changed the host.
 */
export async function main(args: readonly string[], changed: (verb: string) => void): Promise<void> {
  const early = earlySettings(args, process.env);
  const terminal = openTerminal(process, early.color);
  const run: Run = {
    args,
    terminal,
    sequences: openSequences(),
    changes: false,
    runtime: undefined,
    isReported: false,
  };
  watchExit(run);
  let exitCode: number;
  try {
    exitCode = await Promise.race([parse(run, early.pager), crash()]);
  } catch (error) {
    // An unhandled error must neither interrupt a running sequence nor hide that it is stuck.
    await run.sequences.unwind();
    exitCode = tell(run, error, await explained(run, error));
    run.isReported = true;
  }
  // A process that ends before its answer is written has failed.
  process.exitCode = exitCode === 0 ? 70 : exitCode;
  terminal.draw(undefined);
  await run.runtime?.log.flush();
  exitCode = await checkAnswer(run, exitCode);
  run.runtime?.events?.info({ command: run.runtime.recorded, exitCode }, 'command ended');
  run.isReported = true;
  if (exitCode === 0 && run.changes && run.runtime !== undefined) changed(run.runtime.verb);
  // A tool that still runs after a second signal, or a timer of a script, must not keep the process
  // alive.
  process.exit(exitCode);
}

/** Returns the exit code. Throws what the command throws. */
async function parse(run: Run, pager: string | undefined): Promise<number> {
  let exitCode = 0;
  refuseOtherBytes(run.args);
  const help: string[] = [];
  const invoked = async (invocation: Invocation): Promise<void> => {
    exitCode = await invoke(run, invocation);
  };
  const commands = await program(run.args, invoked, { writeOut: (text) => help.push(text) });
  try {
    answerHelp(commands, run.args);
    await commands.parseAsync([...run.args], { from: 'user' });
  } catch (error) {
    // Help and version are not failures.
    if (!(error instanceof CommanderError && error.exitCode === 0)) throw error;
    await showHelp(run.terminal, help.join(''), pager);
    return 0;
  }
  return exitCode;
}

async function showHelp(terminal: Terminal, help: string, pager: string | undefined): Promise<void> {
  const text = help.replaceAll(/^[A-Z][a-zA-Z ]*:/gm, (title) => terminal.look.paint('heading', title));
  const pages = paging(terminal, pager);
  if (pages === undefined) terminal.answer(text);
  else pages.page(text);
  await pages?.show();
}

async function invoke(run: Run, invocation: Invocation): Promise<number> {
  const { verb, changes, table, options, unrecorded, action } = invocation;
  const settings = settingsOf(options, process.env);
  if (settings.format !== undefined && !table)
    throw new UsageError(`--format selects columns of a table, but "${verb}" prints no table`);
  const { processSignals } = await import('../../host/process.ts');
  // A command that only reads has nothing to undo: a signal ends it.
  const heard = changes ? processSignals().signals : idleSignals();
  const isQuiet = settings.quiet && changes && settings.mode === 'act' && settings.answer === 'text';
  run.terminal = { ...run.terminal, ...looksOf(settings.color) };
  const pages = changes ? undefined : paging(run.terminal, settings.pager);
  const { terminal, release } = isQuiet
    ? holding(run.terminal)
    : { terminal: pages?.terminal ?? run.terminal, release: () => undefined };
  const runtime: Runtime<unknown> = {
    terminal,
    page: pages?.page,
    log: openLog(settings.logLevel, run.terminal),
    settings,
    commandLine: ['bofh', ...run.args],
    recorded: ['bofh', ...withoutLast(run.args, unrecorded)],
    verb,
    commands: (words) => program(words, () => Promise.resolve()),
    root: process.getuid?.() === 0,
    signals: {
      ...heard,
      stop: AbortSignal.any([heard.stop, run.sequences.stop]),
      undoNow: run.sequences.undoNow,
    },
    sequences: run.sequences,
    script: undefined,
  };
  run.runtime = runtime;
  await checkSite(run, runtime);
  // A dry run writes nothing.
  if (settings.logFile !== undefined && settings.mode === 'act')
    runtime.events = await (await import('./log-file.ts')).openLogFile(settings.logFile, runtime);
  run.changes = changes && settings.mode === 'act';
  // Loaded before the first change: an upgrade during the run may remove files that are not loaded
  // yet.
  if (run.changes) await import('../errors/explain.ts');
  let exitCode: number | undefined;
  try {
    exitCode = await action(runtime);
    return exitCode;
  } finally {
    if (exitCode !== 0) release();
    await pages?.show();
  }
}

/** With `--quiet`, holds the answer back until it is known whether it contains a failure. */
function holding(terminal: Terminal): { readonly terminal: Terminal; readonly release: () => void } {
  const held: string[] = [];
  return {
    terminal: { ...terminal, answer: (text) => void held.push(text) },
    release: () => terminal.answer(held.join('')),
  };
}

/**
 * For every verb, refuses a named site file that is missing or that others can write. Recovery at boot needs
 * no site file and runs anyway. The check is loaded only if a file is named.
 */
async function checkSite({ args }: Run, { settings, verb, log }: Runtime): Promise<void> {
  if (settings.site === undefined) return;
  const { siteFileHere } = await import('../../site.ts');
  try {
    atConsole(() => siteFileHere(settings.site));
  } catch (error) {
    if (verb !== 'recover' || !args.includes('--boot')) throw error;
    log.error('the site file is not used', { because: textOf(error) });
  }
}

function withoutLast(args: readonly string[], count: number): readonly string[] {
  return count === 0 ? args : [...args.slice(0, -count), '…'];
}

function idleSignals() {
  return { stop: new AbortController().signal, abandon: new AbortController().signal };
}

/** Explains the error, also if it is odd, or after an upgrade during the run. */
async function explained({ runtime, sequences, changes }: Run, error: unknown): Promise<Explanation> {
  try {
    const { explain } = await import('../errors/explain.ts');
    return explain(error, {
      root: process.getuid?.() === 0,
      sequences,
      changes,
      verb: runtime?.verb,
      on: runtime?.settings.host,
      ...(runtime?.script === undefined ? {} : { script: runtime.script }),
    });
  } catch (why) {
    return plainly(error, why, sequences.started());
  }
}

function tell({ args, runtime, terminal }: Run, error: unknown, explanation: Explanation): number {
  terminal.draw(undefined);
  terminal.line(asText(explanation, terminal.paint));
  runtime?.log.debug('the command failed', { stack: stackOf(error) });
  runtime?.events?.error({ error: explanation }, explanation.failed);
  const json = runtime === undefined ? args.includes('--json') : runtime.settings.answer === 'json';
  if (json) terminal.answer(`${JSON.stringify({ error: explanation }, null, 2)}\n`);
  return explanation.exitCode;
}

/** Returns the stacks of an error and all its causes. */
function stackOf(error: unknown, seen = new Set<unknown>()): string {
  if (!(error instanceof Error)) return textOf(error);
  seen.add(error);
  const inner: readonly unknown[] = error instanceof AggregateError ? error.errors : [];
  const causes = [...(error.cause === undefined ? [] : [error.cause]), ...inner].filter(
    (each) => !seen.has(each),
  );
  return [stackTextOf(error), ...causes.map((each) => `caused by ${stackOf(each, seen)}`)].join('\n');
}

/** sysexits.h: EX_IOERR. */
const answerLost = 74;

/**
 * The exit code if the answer could not be written, for example because stdout is on a full disk. A closed
 * pipe is not an error: `| head` has read enough.
 */
async function checkAnswer(run: Run, exitCode: number): Promise<number> {
  const { terminal, runtime, sequences, changes, isReported } = run;
  const broken = await terminal.flush();
  if (broken === undefined) return exitCode;
  if (!changes && !isReported) {
    const host = 'unchanged (this command only reads)';
    terminal.line(lost(broken, { failed: 'the answer', host, next: 'run the command again' }));
    return exitCode === 0 ? answerLost : exitCode;
  }
  if (exitCode !== 0) {
    const isDone = exitCode === 6 && !isReported;
    const host = isDone ? 'changed, but the answer reports a failure or a problem' : 'as the lines above say';
    terminal.line(lost(broken, { failed: 'the answer', host, next: seeJournals }));
    return exitCode;
  }
  const committed = sequences.started().filter(({ end }) => end === 'committed');
  const made = committed.length > 0 ? 'the change was made' : `"${runtime?.verb ?? ''}" completed`;
  const details = committed.map(({ id, name }) => printable(`committed: "${name}" (${id})`));
  const host = committed.length > 0 ? 'changed as requested' : 'as requested';
  terminal.line(lost(broken, { failed: `${made}; only its answer`, host, next: seeJournals, details }));
  return answerLost;
}

const seeJournals = 'see what was done: bofh journal list';

function lost(
  broken: Error,
  of: Pick<Explanation, 'failed' | 'host' | 'next'> & { readonly details?: readonly string[] },
): string {
  const isFull = 'code' in broken && (broken.code === 'ENOSPC' || broken.code === 'EDQUOT');
  return asText({
    ...{ class: 'Error', host: of.host, details: of.details ?? [], exitCode: answerLost },
    failed: `${of.failed} could not be written: ${broken.message}`,
    next: `${isFull ? 'free space on the disk where the answer is written; then ' : ''}${of.next}`,
  });
}

/**
 * Refuses an argument that is not UTF-8: Node.js replaces the invalid bytes, so that it would name another
 * file. Throws UsageError. `words` are the arguments, each with a NUL at the end, as in proc_pid_cmdline(5).
 */
export function refuseOtherBytes(
  args: readonly string[],
  words: () => Buffer = () => readFileSync('/proc/self/cmdline'),
): void {
  if (!args.some((arg) => arg.includes('\ufffd'))) return;
  const odd = wordsOf(words()).find((word) => !isUtf8(word));
  if (odd === undefined) return;
  throw new UsageError(`the argument ${inOctal(odd)} is not UTF-8`, {
    remedy: `if it is the name of a file, rename the file: mv ${inOctal(odd)} NEW`,
  });
}

function wordsOf(bytes: Buffer): readonly Buffer[] {
  const words: Buffer[] = [];
  for (let from = 0; from < bytes.length; ) {
    const end = bytes.indexOf(0, from);
    words.push(bytes.subarray(from, end < 0 ? bytes.length : end));
    from = end < 0 ? bytes.length : end + 1;
  }
  return words;
}

/** Quotes bytes for a shell: $'a\377.img'. */
function inOctal(bytes: Buffer): string {
  const letters = [...bytes].map((byte) => {
    if (byte === 0x27 || byte === 0x5c) return `\\${String.fromCharCode(byte)}`;
    return byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : `\\${byte.toString(8).padStart(3, '0')}`;
  });
  return `$'${letters.join('')}'`;
}
