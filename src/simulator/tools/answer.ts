import type { Answer } from '../../command/index.ts';
import type { Call } from '../options.ts';
import type { World } from '../world/world.ts';

/** A call of the model of a tool. The model throws for an argv that it does not know. */
export interface ToolCall extends Call {
  readonly world: World;
  readonly stdin?: string;
  readonly secondKey?: string;
}

/** `isLatin1`: stdout has one character for each byte. */
export type ToolModel = (call: ToolCall) => Answer & { readonly isLatin1?: true };

/** Returns the answer of a success. */
export function ok(stdout = '', stderr = ''): Answer {
  return { exitCode: 0, stdout, stderr };
}

/** Returns the answer of a failure, with a line on stderr. */
export function failed(exitCode: number, stderr: string, stdout = ''): Answer {
  return { exitCode, stdout, stderr: stderr === '' ? '' : `${stderr}\n` };
}
