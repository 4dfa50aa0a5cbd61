import { CommandError, RefusedError } from '../core/errors.ts';

/** Returns the non-empty lines of an output. */
export const outputLines = (output: string): readonly string[] =>
  output
    .split(/[\r\n]+/)
    .map((line) => line.trimEnd())
    .filter((line) => line !== '');

/**
 * The error for a failed script: it has the last lines of the output instead of the text of the
 * script. Returns any other error unchanged.
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
  // For a description that is applied in a root, bofh sees the files of this host below
  // /run/bofh-host, but the administrator does not.
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
