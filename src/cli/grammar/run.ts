import type { Command } from 'commander';
import type { Verb } from './verb.ts';

export function addRun(root: Command, verb: Verb): void {
  const run = root
    .command('run')
    .description('run a script (.ts, .js, .mjs) that imports bofh; options of bofh stand before SCRIPT')
    .argument('<script>')
    .argument('[args...]', 'what the script finds in process.argv')
    .passThroughOptions();
  verb(run, 'changes', async (runtime, [script = '', ...args]) =>
    (await import('../run.ts')).run(runtime, script, args),
  );
}
