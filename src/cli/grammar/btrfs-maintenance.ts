import type { Command } from 'commander';
import type { Verb } from './verb.ts';

/** Words for what goes over a whole filesystem. */
export function addMaintenance(btrfs: Command, verb: Verb): void {
  const scrub = btrfs.command('scrub').description('read everything, and compare it with its checksums');
  verb(
    scrub
      .command('start')
      .description('scrub a filesystem, and wait for the end; errors fail it')
      .argument('<path>'),
    'changes',
    async (runtime, [path = '']) => (await import('../btrfs-maintenance.ts')).scrub(runtime, path),
  );
  verb(
    scrub
      .command('status')
      .description('how far the scrub is, or what the last one found')
      .argument('<path>'),
    'reads',
    async (runtime, [path = '']) => (await import('../btrfs-maintenance.ts')).scrubStatus(runtime, path),
  );
  const balance = btrfs
    .command('balance')
    .description('write block groups anew, so that they take less room');
  verb(
    balance
      .command('start')
      .description('balance a filesystem, and wait for the end')
      .argument('<path>')
      .option('--data-usage <PERCENT>', 'block groups of data that are at most so full')
      .option('--metadata-usage <PERCENT>', 'block groups of metadata that are at most so full'),
    'changes',
    async (runtime, [path = ''], { dataUsage, metadataUsage }) =>
      (await import('../btrfs-maintenance.ts')).balance(runtime, {
        path,
        ...(dataUsage === undefined ? {} : { dataUsage: String(dataUsage) }),
        ...(metadataUsage === undefined ? {} : { metadataUsage: String(metadataUsage) }),
      }),
  );
  verb(
    balance.command('status').description('how far the balance is').argument('<path>'),
    'reads',
    async (runtime, [path = '']) => (await import('../btrfs-maintenance.ts')).balanceStatus(runtime, path),
  );
}
