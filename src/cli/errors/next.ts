import { CommandError, InterruptedError, ParseError, ToolError, UsageError } from '../../core/errors.ts';
import type { Circumstances } from './explanation.ts';

export const bugReport = 'report it to the authors of bofh; for the details, add --log-level debug';

/** Returns the next command for an error without a remedy of its own. */
export function nextOf(error: unknown, { verb }: Circumstances): string {
  if (error instanceof UsageError)
    return `${['bofh', ...(verb === undefined ? [] : [verb])].join(' ')} --help`;
  if (error instanceof CommandError)
    return 'correct what it says, then run the command again; to see what was run, add --log-level debug';
  if (error instanceof ToolError) return 'install it, then run the command again';
  if (error instanceof ParseError) return bugReport;
  if (error instanceof InterruptedError) return 'run the command again when you want';
  return 'correct that, then run the command again';
}
