import { InterruptedError, RefusedError } from '../../core/errors.ts';
import type { Runtime } from './runtime.ts';
import { printable, typed } from '../output/text.ts';

/**
 * Asks for confirmation of a destructive change on a terminal; elsewhere `--yes` is required.
 * Throws RefusedError unless the answer is yes, InterruptedError at a signal.
 */
export async function confirm(runtime: Runtime, what: readonly string[]): Promise<void> {
  const { settings, terminal, verb, commandLine } = runtime;
  if (settings.consent === 'given') return;
  const where = settings.host === undefined ? '' : ` on ${settings.host}`;
  if (!terminal.interactive)
    throw new RefusedError(`"${verb}" needs confirmation${where}, but there is no terminal`, {
      remedy: typed(withYes(commandLine)),
    });
  if (await agrees(runtime, what)) return;
  throw notConfirmed(runtime);
}

/** A word after `--` is no option. */
function withYes(commandLine: readonly string[]): readonly string[] {
  const end = commandLine.indexOf('--');
  return end < 0 ? [...commandLine, '--yes'] : commandLine.toSpliced(end, 0, '--yes');
}

export function notConfirmed({ verb, signals }: Runtime): InterruptedError | RefusedError {
  if (signals.stop.aborted)
    return new InterruptedError(`"${verb}" was interrupted before it changed anything`);
  return new RefusedError(`"${verb}" was not confirmed`, {
    remedy: 'nothing was done; run the command again and answer y, or pass --yes',
  });
}

/** Asks for confirmation; call it only on a terminal. A signal means no. */
export async function agrees(
  { terminal, settings, signals }: Runtime,
  what: readonly string[],
): Promise<boolean> {
  if (settings.host !== undefined) terminal.line(printable(`On ${settings.host}:`));
  for (const line of what) terminal.line(line);
  return /^y(?:es)?$/i.test((await terminal.ask('Go on? [y/N] ', signals.stop))?.trim() ?? '');
}
