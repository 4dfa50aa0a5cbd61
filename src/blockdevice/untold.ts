import { BofhError, CommandError, ParseError } from '../core/errors.ts';

/** Why something could not be told, in a few words. What is no failure of ours to understand is thrown on. */
export function whyUntold(error: unknown): string {
  if (!(error instanceof BofhError)) throw error;
  if (error instanceof CommandError) {
    if (error.reason === 'denied') return 'needs root';
    return `${error.tool}: ${lastLine(error.stderr) || error.reason}`;
  }
  if (/permission denied/i.test(error.message)) return 'needs root';
  const { cause } = error;
  // That of a schema is a whole list, as JSON.
  if (error instanceof ParseError && cause instanceof Error)
    return /^\s*\[/.test(cause.message) ? 'the answer was not understood' : lastLine(cause.message);
  return error.message.split('\n')[0] ?? '';
}

function lastLine(text: string): string {
  return text.trimEnd().split('\n').at(-1)?.trim() ?? '';
}
