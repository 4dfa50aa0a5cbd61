import { type StartedSequence, asText, type Explanation } from './explanation.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { Terminal } from '../runtime/terminal.ts';
import { messageOf, oneLine, printable } from '../output/text.ts';

/** State of a run, for the report of its end. */
export interface Run {
  readonly args: readonly string[];
  terminal: Terminal;
  readonly sequences: Runtime['sequences'];
  /** The verb changes the host. */
  changes: boolean;
  runtime: Runtime | undefined;
  /** The end of the run was reported, or is being reported. */
  isReported: boolean;
}

/** Explains an error without loading another module, if the usual explanation failed with `why`. */
export function plainly(error: unknown, why: unknown, started: readonly StartedSequence[]): Explanation {
  const open = started.some(({ end }) => end === 'open');
  return {
    class: 'Error',
    failed: oneLine(messageOf(error)),
    host: started.length === 0 ? 'unchanged as far as bofh knows' : 'as the lines above say',
    next: open ? 'bofh journal list; bofh recover' : 'see what was done: bofh journal list',
    details: [
      oneLine(`it cannot be explained: ${messageOf(why)}`),
      ...started.map(({ id, name, end }) => printable(`${end}: "${printable(name)}" (${id})`)),
    ],
    exitCode: open ? 3 : 70,
  };
}

/**
 * Reports an exit of the process before its end was reported: an empty event loop, or a foreign
 * process.exit(). Such an exit is a failure, whatever its exit code. `run` handles the exit of a script.
 */
export function watchExit(run: Run): void {
  process.on('exit', () => {
    const { isReported, runtime, sequences, terminal, args } = run;
    if (isReported || runtime?.script !== undefined) return;
    const explanation = early(runtime, sequences.count() > 0);
    terminal.draw(undefined);
    terminal.line(asText(explanation, terminal.paint));
    if (args.includes('--json')) terminal.answer(`${JSON.stringify({ error: explanation }, null, 2)}\n`);
    process.exitCode = explanation.exitCode;
  });
}

function early(runtime: Runtime | undefined, open: boolean): Explanation {
  const base = { class: 'Error', details: [] };
  if (runtime?.site !== undefined)
    return {
      ...base,
      failed: printable(`the site file ${runtime.site} ended the process`),
      host: 'unchanged',
      next: 'take process.exit() out of the site file',
      exitCode: 2,
    };
  const failed = `"${runtime?.verb ?? 'bofh'}" ended too early, for an unknown reason`;
  if (!open)
    return {
      ...base,
      failed,
      host: 'not known',
      next: 'see what was done: bofh journal list',
      exitCode: 70,
    };
  return { ...base, failed, host: 'changed: a sequence was open', next: 'bofh recover', exitCode: 3 };
}

/** Rejects at the first unhandled error. */
export function crash(): Promise<never> {
  return new Promise((_resolve, reject) => {
    process.on('unhandledRejection', reject);
    process.on('uncaughtException', reject);
  });
}
