import type { Command } from 'commander';
import type { Verb } from './verb.ts';

/** `bofh crypt header` */
export function addCryptHeader(crypt: Command, verb: Verb): void {
  const header = crypt.command('header').description('the header of an encrypted device, with its key slots');
  verb(
    header
      .command('backup')
      .description('save the header to a new file; protect this file like a key')
      .argument('<device>')
      .argument('<file>', 'new file; it must not exist'),
    'changes',
    async (runtime, [device = '', file = '']) =>
      (await import('../crypt/header.ts')).backup(runtime, device, file),
  );
  verb(
    header
      .command('restore')
      .description('replace the header of a closed device, with all its keys, by a backup')
      .argument('<device>')
      .argument('<file>', 'the backup file')
      .option(
        '--overwrite <UUID>',
        'current UUID of the device, if the backup has another UUID or another volume key',
      ),
    'changes',
    async (runtime, [device = '', file = ''], options) =>
      (await import('../crypt/header.ts')).restore(runtime, device, file, options),
  );
}
