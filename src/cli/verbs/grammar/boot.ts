import type { Command } from 'commander';
import type { Verb } from './verb.ts';

export function addBoot(boot: Command, verb: Verb): void {
  verb(
    boot.command('install').description('write the systemd units; enable them with systemctl'),
    'changes',
    async (runtime) => (await import('../boot/boot.ts')).install(runtime),
  );
  verb(
    boot.command('remove').description('remove the systemd units after systemctl disable'),
    'changes',
    async (runtime) => (await import('../boot/boot.ts')).remove(runtime),
  );
  verb(
    boot.command('status').description('show which units are installed and enabled'),
    'reads',
    async (runtime) => (await import('../boot/boot.ts')).status(runtime),
  );
}
