import { spawn } from 'node:child_process';
import type { Tool } from '../command/index.ts';
import { CommandError } from '../core/errors.ts';
import { type ProgramOptions, programs } from './program.ts';
import { baseEnvironment } from './setting.ts';

/**
 * Runs a program of this machine that has the terminal until it ends. For programs that people talk
 * to: nothing is read from it, and it must change nothing that has an undo.
 */
export async function inForeground(
  command: { readonly tool: Tool; readonly argv: readonly string[] },
  options: ProgramOptions = {},
): Promise<void> {
  const { file, argv } = await programs(options)(command);
  const env = { ...baseEnvironment, TERM: process.env['TERM'] ?? 'dumb' };
  const what = await new Promise<string | undefined>((resolve, reject) => {
    const child = spawn(file, argv, { stdio: 'inherit', env });
    child.once('error', reject);
    child.once('close', (code, signal) =>
      resolve(code === 0 ? undefined : signal === null ? `exit ${String(code)}` : `ended by ${signal}`),
    );
  });
  if (what !== undefined) throw new CommandError({ ...command, reason: 'unknown', what });
}
