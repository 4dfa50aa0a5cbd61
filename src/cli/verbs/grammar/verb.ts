import type { Command } from 'commander';
import type { Runtime } from '../../runtime/runtime.ts';
import type { Options } from '../../runtime/options.ts';

/** A verb's own part: given its arguments and options it loads its code and runs. The answer is the exit code. */
type Action = (runtime: Runtime, args: readonly string[], options: Options) => Promise<number>;
type Kind = 'reads' | 'changes';

/** Binds the words of a verb to what it does. */
export type Verb = (
  command: Command,
  /** Of a verb that changes the host by some of its options only: told from them. */
  kind: Kind | ((options: Options) => Kind),
  action: Action,
) => void;
