import type { Answer, Command } from '../../../src/command/index.ts';
import type { Taken } from './situation.ts';

/** How bofh takes an answer: its parser reads it, or does not, or it is a failure for this reason. */
export function taken(command: Command<unknown>, answer: Answer): Taken {
  if (!(command.accepts ?? [0]).includes(answer.exitCode)) return command.classify?.(answer) ?? 'unknown';
  try {
    command.parse(asRead(command, answer));
    return 'parsed';
  } catch {
    return 'not understood';
  }
}

/** An answer as the host hands it to the parser. */
export function asRead({ encoding }: Command<unknown>, answer: Answer): Answer {
  if (encoding !== 'latin1') return answer;
  return { ...answer, stdout: Buffer.from(answer.stdout).toString('latin1') };
}
