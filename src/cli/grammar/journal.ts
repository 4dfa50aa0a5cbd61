import type { Command } from 'commander';
import type { Verb } from './verb.ts';

export function addJournal(journal: Command, verb: Verb): void {
  verb(
    journal.command('list').description('unfinished sequences, and those that have ended'),
    'reads',
    async (runtime) => (await import('../journal.ts')).list(runtime),
  );
  verb(
    journal.command('show').description('what a sequence did, and what recovery would do').argument('<id>'),
    'reads',
    async (runtime, [id = '']) => (await import('../journal.ts')).show(runtime, id),
  );
  const prune = journal
    .command('prune')
    .description('remove the journals of sequences that ended long ago')
    .option(
      '--keep <AGE>',
      'nothing that is older is kept, for example 400d (the default, but always the newest hundred)',
    )
    .option('--keep-count <NUMBER>', 'no more than so many are kept (default: 5000)');
  verb(prune, 'changes', async (runtime, _args, options) =>
    (await import('../prune.ts')).prune(runtime, options),
  );
}
