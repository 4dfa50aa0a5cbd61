import type { Command } from 'commander';
import type { Verb } from './verb.ts';

export function addJournal(journal: Command, verb: Verb): void {
  verb(
    journal.command('list').description('list unfinished and finished sequences'),
    'reads',
    async (runtime) => (await import('../journal/journal.ts')).list(runtime),
  );
  verb(
    journal
      .command('show')
      .description('show what a sequence did and what recovery would do')
      .argument('<id>'),
    'reads',
    async (runtime, [id = '']) => (await import('../journal/journal.ts')).show(runtime, id),
  );
  const prune = journal
    .command('prune')
    .description('remove old journals from the history')
    .option('--keep <AGE>', 'remove journals older than this (default: 400d; the newest 100 are always kept)')
    .option('--keep-count <NUMBER>', 'largest number of journals to keep (default: 5000)');
  verb(prune, 'changes', async (runtime, _args, options) =>
    (await import('../journal/prune.ts')).prune(runtime, options),
  );
}
