import type { Command } from 'commander';
import type { Verb } from './verb.ts';

/** `bofh crypt header` */
export function addCryptHeader(crypt: Command, verb: Verb): void {
  const header = crypt.command('header').description('the header of an encrypted device, with its key slots');
  verb(
    header
      .command('backup')
      .description('save it in a new file, which must be kept as a key is kept')
      .argument('<device>')
      .argument('<file>', 'a file that is not there yet'),
    'changes',
    async (runtime, [device = '', file = '']) =>
      (await import('../crypt-header.ts')).backup(runtime, device, file),
  );
  verb(
    header
      .command('restore')
      .description('replace that of a closed device, and all its keys, by a backup')
      .argument('<device>')
      .argument('<file>', 'the backup')
      .option(
        '--overwrite <UUID>',
        'the uuid that the device has now, if the backup is of another one or of another volume key',
      ),
    'changes',
    async (runtime, [device = '', file = ''], options) =>
      (await import('../crypt-header.ts')).restore(runtime, device, file, options),
  );
}
