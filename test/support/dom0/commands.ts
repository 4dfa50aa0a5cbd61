import { expect } from 'vitest';
import type { Machine } from '../rig/index.ts';

/** Runs commands on a machine, which is booted when the first one is given. */
export function commandsOn(
  machine: () => Machine,
  { timeoutMs, textMs = 60_000 }: { readonly timeoutMs: number; readonly textMs?: number },
) {
  return {
    /** Output of `bofh WORDS`, which must end with this exit code. */
    bofh: async (words: string, code = 0): Promise<string> => {
      const done = await machine().run(`bofh ${words} 2>&1`, { check: 'return', timeoutMs });
      expect([words, done.exitCode, done.stdout]).toEqual([words, code, done.stdout]);
      return done.stdout;
    },
    /** Output of another command, without blanks around it. */
    text: async (command: string, limitMs = textMs): Promise<string> =>
      (await machine().run(command, { timeoutMs: limitMs })).stdout.trim(),
  };
}
