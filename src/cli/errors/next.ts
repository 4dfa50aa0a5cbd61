import {
  CommandError,
  ConnectionError,
  InterruptedError,
  ParseError,
  ToolError,
  UsageError,
} from '../../core/errors.ts';
import type { Circumstances } from './explanation.ts';

export const bugReport = 'report it to the authors of bofh; --log-level debug shows the details';

/** Returns the next command for an error without a remedy of its own. */
export function nextOf(error: unknown, { verb }: Circumstances): string {
  if (error instanceof UsageError)
    return `${['bofh', ...(verb === undefined ? [] : [verb])].join(' ')} --help`;
  if (error instanceof CommandError) return afterCommand(error);
  if (error instanceof ToolError) return 'install it, then give the command again';
  if (error instanceof ParseError) return bugReport;
  if (error instanceof ConnectionError) return `see whether it answers: ssh ${error.host} true`;
  if (error instanceof InterruptedError) return 'give the command again when it suits';
  return 'mend that, then give the command again';
}

function afterCommand({ reason, tool, argv }: CommandError): string {
  const path = argv.at(-1) ?? '';
  if (reason === 'not-found' && tool === 'file') {
    if (path.startsWith('/dev/')) return 'bofh block tree shows the devices that are there';
    return 'name the existing content, then run the command again';
  }
  if (reason === 'busy') return 'end that use, then give the command again';
  if (reason === 'no-space')
    return 'make room (df -h and bofh lvm vg list show what is full), then give the command again';
  return 'mend what it says, then give the command again; --log-level debug shows what was run';
}
