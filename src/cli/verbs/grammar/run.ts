import type { Command } from 'commander';
import type { Verb } from './verb.ts';

export function addRun(root: Command, verb: Verb): void {
  const run = root
    .command('run')
    .description('run a script (.ts, .js or .mjs) that imports bofh; options of bofh go before SCRIPT')
    .argument('<script>')
    .argument('[args...]', 'arguments for the script')
    .passThroughOptions();
  verb(run, 'changes', async (runtime, [script = '', ...args]) =>
    (await import('../run/run.ts')).run(runtime, script, args),
  );
}
