import type { Command } from 'commander';
import type { Verb } from './verb.ts';

export function addDoctor(root: Command, verb: Verb): void {
  verb(
    root
      .command('doctor')
      .description(
        'what is left over or unfinished, and what this host lacks; exit 6 when there is a problem',
      ),
    'reads',
    async (runtime) => (await import('../doctor.ts')).doctor(runtime),
  );
}
