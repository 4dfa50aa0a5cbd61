import { CommandError, InterruptedError, ParseError, ToolError, UsageError } from '../../core/errors.ts';
import type { Circumstances } from './explanation.ts';

export const bugReport = 'report it to the authors of bofh; for the details, add --log-level debug';

/** Returns the next command for an error without a remedy of its own. */
export function nextOf(error: unknown, { verb }: Circumstances): string {
  if (error instanceof UsageError)
    return `${['bofh', ...(verb === undefined ? [] : [verb])].join(' ')} --help`;
  if (error instanceof CommandError)
    return 'fix the cause that the message names, then run the command again; to see what was run, add --log-level debug';
  if (error instanceof ToolError) return 'install it, then run the command again';
  if (error instanceof ParseError) return bugReport;
  if (error instanceof InterruptedError) return 'nothing; run the command again if you still want it';
  return 'fix that, then run the command again';
}
