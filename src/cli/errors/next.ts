import { CommandError, InterruptedError, ParseError, ToolError, UsageError } from '../../core/errors.ts';
import type { Circumstances } from './explanation.ts';

export const bugReport = 'report it to the authors of bofh; --log-level debug shows the details';

/** Returns the next command for an error without a remedy of its own. */
export function nextOf(error: unknown, { verb }: Circumstances): string {
  if (error instanceof UsageError)
    return `${['bofh', ...(verb === undefined ? [] : [verb])].join(' ')} --help`;
  if (error instanceof CommandError)
    return 'mend what it says, then give the command again; --log-level debug shows what was run';
  if (error instanceof ToolError) return 'install it, then give the command again';
  if (error instanceof ParseError) return bugReport;
  if (error instanceof InterruptedError) return 'give the command again when it suits';
  return 'mend that, then give the command again';
}
