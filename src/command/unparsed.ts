import { ParseError } from '../core/errors.ts';
import { reasonIn } from '../core/reason.ts';
import type { Command } from './command.ts';

/**
 * The error for an output that the parser of its command rejects; `answer` is the name of the
 * output. Does not show an output that can contain a secret, nor the error of its parser.
 */
export function unparsed(
  { shownOf }: Pick<Command<unknown>, 'shownOf'>,
  of: { readonly answer: string; readonly stdout: string; readonly cause: unknown },
): ParseError {
  const { answer, stdout, cause } = of;
  if (shownOf !== undefined)
    return new ParseError(`${answer} could not be parsed; it is not shown, because it can hold a secret`, {
      remedy:
        'bofh did not use this output; run the command yourself, and report its output without the secrets',
    });
  const start = JSON.stringify(stdout.slice(0, 1000));
  return new ParseError(`${answer} could not be parsed: ${reasonIn(cause)}; it begins ${start}`, {
    cause,
    remedy: 'bofh did not use this output; please report this message to the authors of bofh',
  });
}
