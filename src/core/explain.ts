import { BofhError, messageOf, RolledBackError, StuckError } from './errors.ts';

/**
 * Returns an error as lines of text, in the form that the command line uses: what failed, the state of the
 * host, and, if known, the next command.
 */
export function explain(error: unknown): string {
  const isOurs = error instanceof BofhError;
  return [
    `bofh: ${oneLine(messageOf(error))}`,
    `  host: ${isOurs ? error.hostState() : 'unknown: this error does not come from bofh'}`,
    ...leftUntouched(error).map((found) => `  left untouched: ${oneLine(found)}`),
    ...(isOurs && error.remedy !== undefined ? [`  next: ${oneLine(error.remedy)}`] : []),
  ].join('\n');
}

/** The objects of others that an error lists as left untouched. */
function leftUntouched(error: unknown): readonly string[] {
  return error instanceof RolledBackError || error instanceof StuckError ? error.leftUntouched : [];
}

function oneLine(text: string): string {
  return text.trim().replaceAll(/\s*\n\s*/g, '; ');
}
