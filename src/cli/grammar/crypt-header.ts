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
}
