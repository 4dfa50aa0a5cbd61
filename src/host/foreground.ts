import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import type { Tool } from '../command/index.ts';
import { type ProgramOptions, programs } from './program.ts';
import { baseEnvironment } from './setting.ts';

/**
 * Runs a program of this machine on the terminal until it ends. Returns its exit code, or 128 plus the number
 * of the signal that ended it. For interactive programs: bofh reads none of its output, and it must change
 * nothing that has an undo. Ctrl-C ends only the program: bofh ignores it.
 */
export async function inForeground(
  command: { readonly tool: Tool; readonly argv: readonly string[] },
  options: ProgramOptions = {},
): Promise<number> {
  const { file, argv } = await programs(options)(command);
  const env = { ...baseEnvironment, TERM: process.env['TERM'] ?? 'dumb' };
  const ignore = (): void => undefined;
  for (const signal of ['SIGINT', 'SIGQUIT'] as const) process.on(signal, ignore);
  try {
    return await new Promise<number>((resolve, reject) => {
      const child = spawn(file, argv, { stdio: 'inherit', env });
      child.once('error', reject);
      child.once('close', (code, signal) =>
        resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])),
      );
    });
  } finally {
    for (const signal of ['SIGINT', 'SIGQUIT'] as const) process.off(signal, ignore);
  }
}
