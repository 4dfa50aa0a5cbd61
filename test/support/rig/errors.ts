/** Anything that goes wrong with the rig itself, as opposed to a command that a test ran in it. */
export class RigError extends Error {
  override readonly name = 'RigError';
}

/** A command in the machine (or a local tool of the rig) ended with a status that its caller did not expect. */
export class RigCommandError extends RigError {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;

  constructor(
    what: string,
    result: { readonly exitCode: number | null; readonly stdout: string; readonly stderr: string },
  ) {
    super(
      `${what} ended with status ${String(result.exitCode)}: ${lastLines(result.stderr || result.stdout, 20)}`,
    );
    this.exitCode = result.exitCode;
    this.stdout = result.stdout;
    this.stderr = result.stderr;
  }
}

/** The last `count` lines of a text, without the empty end. */
export function lastLines(text: string, count: number): string {
  return text.trimEnd().split(/\r?\n/).slice(-count).join('\n');
}
