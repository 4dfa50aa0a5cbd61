import type { Answer } from '../../command/index.ts';
import type { Call } from '../options.ts';
import type { World } from '../world/world.ts';

/** How the model of a tool is called. It throws for an argv that it does not know. */
export interface ToolCall extends Call {
  readonly world: World;
  readonly stdin?: string;
  readonly secondKey?: string;
}

/** `isLatin1`: stdout is bytes, a character for each. */
export type ToolModel = (call: ToolCall) => Answer & { readonly isLatin1?: true };

/** Success. */
export function ok(stdout = '', stderr = ''): Answer {
  return { exitCode: 0, stdout, stderr };
}

/** Failure, with a line on stderr. */
export function failed(exitCode: number, stderr: string, stdout = ''): Answer {
  return { exitCode, stdout, stderr: stderr === '' ? '' : `${stderr}\n` };
}
