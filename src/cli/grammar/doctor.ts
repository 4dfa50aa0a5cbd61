import type { Command } from 'commander';
import type { Verb } from './verb.ts';

export function addDoctor(root: Command, verb: Verb): void {
  verb(
    root
      .command('doctor')
      .description(
        'what is left over or unfinished, and what this host lacks; exit 6 when there is a problem',
      )
      .option('--settings', 'in place of that, every setting: what it is, and who has said so'),
    'reads',
    async (runtime, _args, options) =>
      options.settings === true
        ? (await import('../doctor-settings.ts')).doctorSettings(runtime)
        : (await import('../doctor.ts')).doctor(runtime),
  );
}
