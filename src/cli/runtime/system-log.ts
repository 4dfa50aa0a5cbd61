import { type Command, type Host, nothing } from '../../command/index.ts';
import { thisUser } from '../../host/process.ts';
import { localHost } from '../../host/local.ts';
import { explain } from '../errors/explain.ts';
import type { Runtime } from './runtime.ts';
import { oneLine, textOf, typed } from '../output/text.ts';

/**
 * Runs a change and writes one line to the system log: the user, the command and the result. A failure to
 * write the log is only a warning, because the change is done.
 */
export async function logged<T>(
  runtime: Runtime,
  host: Host,
  change: () => Promise<T>,
  outcome: (value: T) => string = () => 'done',
): Promise<T> {
  try {
    const value = await change();
    // The journal is on this host; administrators of the other host read its own log.
    for (const each of host.name === '' ? [host] : [localHost(), host])
      await tell(runtime, each, outcome(value));
    return value;
  } catch (error) {
    // Open sequences are rolled back before the result is logged.
    await runtime.sequences.unwind();
    const { class: name, failed, exitCode } = explain(error, runtime);
    // The other host may be unreachable, which may be the cause of the failure.
    await tell(
      runtime,
      host.name === '' ? host : localHost(),
      `exit ${String(exitCode)}: ${name}: ${failed}`,
    );
    throw error;
  }
}

async function tell(runtime: Runtime, host: Host, outcome: string): Promise<void> {
  const message = oneLine(`${thisUser().user}: ${typed(runtime.recorded)}: ${outcome}`);
  try {
    // Without a socket there is no journal of systemd, as in a container.
    if ((await host.stat('/run/systemd/journal/socket')) === undefined) await host.run(logger(message));
    else await host.run(journald(fieldsOf(runtime, message)));
  } catch (error) {
    runtime.log.warn('the system log could not be written', { because: textOf(error) });
  }
}

/**
 * systemd.journal-fields(7). The fields of the line for the journal. A field that appears several times has
 * several values.
 */
function fieldsOf({ verb, sequences }: Runtime, message: string): readonly string[] {
  return [
    ...[`MESSAGE=${message}`, 'PRIORITY=5', 'SYSLOG_FACILITY=1', 'SYSLOG_IDENTIFIER=bofh'],
    ...[`SYSLOG_PID=${String(process.pid)}`, `BOFH_VERB=${verb}`, `BOFH_USER=${thisUser().user}`],
    ...sequences.started().map(({ id }) => `BOFH_SEQUENCE=${id}`),
  ];
}

/** For the engine this is a read, because it changes no state of the host. */
const read = { tool: 'logger', access: 'read', parse: nothing, timeoutMs: 5000 } as const;

/**
 * Returns the logger(1) command, which cuts at 1 KiB. The line goes to stdin, because every user
 * can see the arguments of a program.
 */
function logger(message: string): Command<void, 'read'> {
  const words = ['--tag', 'bofh', `--id=${String(process.pid)}`, '--priority', 'user.notice'];
  return { ...read, argv: [...words, '--size', '8KiB'], stdin: `${message}\n` };
}

/** Returns the logger(1) command for fields, one a line: a control character in one must not begin another. */
function journald(fields: readonly string[]): Command<void, 'read'> {
  return { ...read, argv: ['--journald'], stdin: fields.map((field) => `${oneLine(field)}\n`).join('') };
}
