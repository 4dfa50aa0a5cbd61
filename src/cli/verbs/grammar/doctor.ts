import type { Command } from 'commander';
import type { Verb } from './verb.ts';

export function addDoctor(root: Command, verb: Verb): void {
  verb(
    root
      .command('doctor')
      .description(
        'check the host for leftovers, unfinished work and missing programs (exit 6: there is a problem)',
      )
      .option('--settings', 'show the settings instead: the value and where it was set'),
    'reads',
    async (runtime, _args, options) =>
      options.settings === true
        ? (await import('../doctor/settings.ts')).doctorSettings(runtime)
        : (await import('../doctor/doctor.ts')).doctor(runtime),
  );
}
