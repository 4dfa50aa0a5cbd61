import { program } from '../../../../src/cli/runtime/program.ts';
import type { Runtime } from '../../../../src/cli/runtime/runtime.ts';

/** Runs `bofh WORDS` with this runtime, whose settings stand for the global options. Resolves to the exit code. */
export async function runVerb(runtime: Runtime, words: string | readonly string[]): Promise<number> {
  const args = typeof words === 'string' ? words.split(' ') : [...words];
  let exitCode = -1;
  const root = await program(args, async ({ verb, action }) => {
    exitCode = await action({ ...runtime, verb });
  });
  await root.parseAsync(args, { from: 'user' });
  return exitCode;
}
