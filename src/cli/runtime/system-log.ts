import { type Command, type Host, nothing } from '../../command/index.ts';
import { thisUser } from '../../host/process.ts';
import { localHost } from '../../host/local.ts';
import { explain } from '../errors/explain.ts';
import type { Runtime } from './runtime.ts';
import { oneLine, textOf, typed } from '../output/text.ts';

/**
 * Runs a change and leaves one line in the system log: who did what, and how it ended. A log that cannot be written
 * is a warning and never an error: the change is done.
 */
export async function logged<T>(
  runtime: Runtime,
  host: Host,
  change: () => Promise<T>,
  outcome: (value: T) => string = () => 'done',
): Promise<T> {
  try {
    const value = await change();
    // Here is the journal; those who look after the other host learn of it there.
    for (const each of host.name === '' ? [host] : [localHost(), host])
      await tell(runtime, each, outcome(value));
    return value;
  } catch (error) {
    // What the failure leaves open is undone before it is told how it ended.
    await runtime.sequences.unwind();
    const { class: name, failed, exitCode } = explain(error, runtime);
    // The other host may be away, which is why.
    await tell(
      runtime,
      host.name === '' ? host : localHost(),
      `exit ${String(exitCode)}: ${name}: ${failed}`,
    );
    throw error;
  }
}

async function tell({ recorded, log }: Runtime, host: Host, outcome: string): Promise<void> {
  const message = oneLine(`${thisUser().user}: ${typed(recorded)}: ${outcome}`);
  try {
    await host.run(logger(message));
  } catch (error) {
    log.warn('the system log could not be written', { because: textOf(error) });
  }
}

/**
 * A line in the system log (logger(1), which cuts at 1 KiB). It comes by standard input: everybody on the host can see the
 * arguments of a program. A read to the engine: nothing of the host's state changes.
 */
function logger(message: string): Command<void, 'read'> {
  return {
    tool: 'logger',
    argv: ['--tag', 'bofh', `--id=${String(process.pid)}`, '--priority', 'user.notice', '--size', '8KiB'],
    stdin: `${message}\n`,
    access: 'read',
    parse: nothing,
    timeoutMs: 5000,
  };
}
