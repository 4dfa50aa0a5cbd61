import type { Bofh } from '../../../../src/connect.ts';
import { program } from '../../../../src/cli/runtime/program.ts';
import type { Runtime } from '../../../../src/cli/runtime/runtime.ts';
import type { SimulatedHost } from '../../../../src/simulator/index.ts';
import { withoutWaiting } from '../../../../src/simulator/matrix/clock.ts';
import { tryRemedies } from '../../../support/remedies/carry-out.ts';
import { typed } from '../../plan/support.ts';
import { checking } from './answers.ts';
import { testRuntime } from './runtime.ts';

/** Runs `bofh WORDS` with this runtime, whose settings stand for the global options. Resolves to the exit code. */
export async function runVerb(runtime: Runtime<unknown>, words: string | readonly string[]): Promise<number> {
  const args = typeof words === 'string' ? words.split(' ') : [...words];
  let exitCode = -1;
  const root = await program(args, async ({ verb, action }) => {
    exitCode = await action(checking({ ...runtime, verb }, args));
  });
  const host = runtime.bofh?.host;
  const isSimulated = host !== undefined && 'world' in host;
  const parse = async (): Promise<unknown> => await root.parseAsync(args, { from: 'user' });
  try {
    await (isSimulated ? withoutWaiting(parse) : parse());
  } catch (error) {
    if (isSimulated) await tryRemedies({ host: host as SimulatedHost, words: args, error }, typed);
    throw error;
  }
  return exitCode;
}

/** Runs `bofh LINE`. Returns the exit code and what it printed. */
export async function typedOn(bofh: Bofh, line: string, settings: Parameters<typeof testRuntime>[1] = {}) {
  const { runtime, stdout, stderr } = testRuntime(bofh, settings);
  return { code: await runVerb(runtime, line), stdout: stdout(), stderr: stderr() };
}

/** Runs `bofh --json LINE`. Returns the exit code and the answer. */
export async function jsonOn(bofh: Bofh, line: string, settings: Parameters<typeof testRuntime>[1] = {}) {
  const { code, stdout } = await typedOn(bofh, line, { json: true, ...settings });
  return { code, data: JSON.parse(stdout) as unknown };
}

/** Options as they are typed: `{ stripeSize: '64k', zeros: true }` is `--stripe-size 64k --zeros`. */
export function optionWords(
  options: Readonly<Record<string, string | boolean | undefined>>,
): readonly string[] {
  return Object.entries(options).flatMap(([key, value]) => {
    const flag = `--${key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    if (value === true) return [flag];
    return typeof value === 'string' ? [flag, value] : [];
  });
}
