import { CommandError, RefusedError } from '../core/errors.ts';

/** The lines of an output that are not empty. */
export const outputLines = (output: string): readonly string[] =>
  output
    .split(/[\r\n]+/)
    .map((line) => line.trimEnd())
    .filter((line) => line !== '');

/**
 * The error for a script that failed: the last lines that it said, instead of its whole text. Any other
 * error is returned as it is.
 */
export function scriptFailure(what: string, error: unknown, timeoutMs = 0): unknown {
  if (!(error instanceof CommandError)) return error;
  const { reason, exitCode, stdout, stderr } = error;
  const how =
    reason === 'timeout'
      ? `did not end within ${String(timeoutMs / 1000)} s`
      : reason === 'killed' || exitCode === undefined
        ? 'was ended by a signal'
        : `failed: exit ${String(exitCode)}`;
  // The host of a description in a root is the root, and bofh sees the files of this host elsewhere.
  const said = outputLines((stdout + stderr).replaceAll('/run/bofh-host', ''))
    .filter((line) => !line.startsWith('  host: '))
    .slice(-5);
  return new RefusedError(
    [`${what} ${how}`, ...(said.length === 0 ? [] : [said.join(' / ')])].join('; it said last: '),
    {
      cause: error,
      remedy:
        reason === 'timeout' ? 'give it more time, or correct it' : 'correct it, then run the command again',
    },
  );
}
