import type { Command } from 'commander';
import type { Verb } from './verb.ts';

export function addBoot(boot: Command, verb: Verb): void {
  verb(
    boot.command('install').description('write the units for this bofh; systemctl enables them'),
    'changes',
    async (runtime) => (await import('../boot.ts')).install(runtime),
  );
  verb(
    boot.command('remove').description('remove the units; systemctl has disabled them'),
    'changes',
    async (runtime) => (await import('../boot.ts')).remove(runtime),
  );
  verb(
    boot.command('status').description('which units are there, and whether they are enabled'),
    'reads',
    async (runtime) => (await import('../boot.ts')).status(runtime),
  );
}
