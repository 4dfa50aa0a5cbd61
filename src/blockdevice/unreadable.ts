import { BofhError, CommandError, ParseError } from '../core/errors.ts';
import { lastLine } from '../core/last-line.ts';

/** Returns why something is unknown, in a few words. Throws errors again that are bugs of bofh. */
export function whyUnreadable(error: unknown): string {
  if (!(error instanceof BofhError)) throw error;
  if (error instanceof CommandError) {
    if (error.reason === 'denied') return 'permission denied';
    return `${error.tool}: ${lastLine(error.stderr) || error.reason}`;
  }
  if (/permission denied/i.test(error.message)) return 'permission denied';
  const { cause } = error;
  // The message of a schema error is a whole list, as JSON.
  if (error instanceof ParseError && cause instanceof Error)
    return /^\s*\[/.test(cause.message) ? 'its output could not be parsed' : lastLine(cause.message);
  return error.message.split('\n')[0] ?? '';
}
