import type { Command } from 'commander';
import type { Verb } from './verb.ts';

/** Verbs that work on a whole filesystem. */
export function addMaintenance(btrfs: Command, verb: Verb): void {
  const scrub = btrfs.command('scrub').description('verify the checksums of all data');
  verb(
    scrub
      .command('start')
      .description('scrub a filesystem and wait until it is done; fails if it finds errors')
      .argument('<path>'),
    'changes',
    async (runtime, [path = '']) => (await import('../btrfs/maintenance.ts')).scrub(runtime, path),
  );
  verb(
    scrub
      .command('status')
      .description('show the progress of the scrub, or the result of the last one')
      .argument('<path>'),
    'reads',
    async (runtime, [path = '']) => (await import('../btrfs/maintenance.ts')).scrubStatus(runtime, path),
  );
  const balance = btrfs.command('balance').description('rewrite block groups so that they use less space');
  verb(
    balance
      .command('start')
      .description('balance a filesystem and wait until it is done')
      .argument('<path>')
      .option('--data-usage <PERCENT>', 'only data block groups used up to this percentage')
      .option('--metadata-usage <PERCENT>', 'only metadata block groups used up to this percentage'),
    'changes',
    async (runtime, [path = ''], { dataUsage, metadataUsage }) =>
      (await import('../btrfs/maintenance.ts')).balance(runtime, {
        path,
        ...(dataUsage === undefined ? {} : { dataUsage: String(dataUsage) }),
        ...(metadataUsage === undefined ? {} : { metadataUsage: String(metadataUsage) }),
      }),
  );
  verb(
    balance.command('status').description('how far the balance is').argument('<path>'),
    'reads',
    async (runtime, [path = '']) => (await import('../btrfs/maintenance.ts')).balanceStatus(runtime, path),
  );
}
