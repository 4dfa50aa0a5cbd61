import { type Command, Option } from 'commander';
import { addCryptHeader } from './crypt-header.ts';
import type { Verb } from './verb.ts';

const keyOption = [
  '--key <KEY>',
  'where its key comes from: file:/PATH, command:/PROGRAM ARG…, credential:NAME, site:NAME or ask (the default)',
] as const;

const headerOption = [
  '--header <FILE>',
  'the file that its header lies in, when that is not on the device',
] as const;

/** How hard it is made to guess a key. */
function costOptions(command: Command): Command {
  return command
    .option('--pbkdf <KDF>', 'argon2id (the default of luks2) or pbkdf2')
    .option(
      '--pbkdf-memory <SIZE>',
      'memory that opening it may take (default: what a small host can spare, 1g at most)',
    )
    .option('--pbkdf-time <MS>', 'milliseconds that opening it may take on this host (default: 2000)');
}

export function addCrypt(crypt: Command, verb: Verb): void {
  verb(
    crypt.command('list').description('every encrypted device, and where it is open'),
    'reads',
    async (runtime) => (await import('../crypt.ts')).list(runtime),
  );
  verb(
    crypt
      .command('dump')
      .description('the header of an encrypted device')
      .argument('<device>', 'or the whole path of a file with a header')
      .option(...headerOption),
    'reads',
    async (runtime, [device = ''], options) => (await import('../crypt.ts')).dump(runtime, device, options),
  );
  verb(
    crypt.command('status').description('what is open under a name').argument('<name>'),
    'reads',
    async (runtime, [name = '']) => (await import('../crypt.ts')).status(runtime, name),
  );
  const format = crypt
    .command('format')
    .description('make an encrypted device of one that is blank')
    .argument('<device>')
    .option(...keyOption)
    .option('--type <TYPE>', 'luks2 (the default) or luks1')
    .option('--label <LABEL>', 'a label, in luks2')
    .option('--uuid <UUID>', 'its uuid; without it bofh draws one')
    .option('--header <FILE>', 'a new file for its header: nothing is written to the device')
    .option('--overwrite <UUID|TYPE>', 'exactly what is on the device and may be lost');
  verb(costOptions(format), 'changes', async (runtime, [device = ''], options) =>
    (await import('../crypt-change.ts')).format(runtime, device, options),
  );
  const open = crypt
    .command('open')
    .description('open an encrypted device; one that is open already is left as it is')
    .argument('<device>')
    .option(...keyOption)
    .option(
      '--name <NAME>',
      'its name below /dev/mapper (default: that of the device, and -luks; site file: luksNaming)',
    )
    .option(...headerOption)
    .option('--read-only', 'for reading alone')
    .addOption(new Option('--readonly', 'the same').hideHelp());
  verb(open, 'changes', async (runtime, [device = ''], options) =>
    (await import('../crypt-change.ts')).open(runtime, device, options),
  );
  verb(
    crypt.command('close').description('close an open device that nobody uses').argument('<name>'),
    'changes',
    async (runtime, [name = '']) => (await import('../crypt-change.ts')).close(runtime, name),
  );
  const resize = crypt
    .command('resize')
    .description(
      'make an open device smaller or larger, and nothing that is on it; it lasts until it is closed',
    )
    .argument('<name>')
    .argument('[size]', 'for example 10g; without it all of the device beneath')
    .option(...keyOption)
    .option(...headerOption);
  verb(resize, 'changes', async (runtime, [name = '', size = ''], options) =>
    (await import('../crypt-resize.ts')).resize(runtime, name, size, options),
  );
  for (const [word, description] of [
    ['add-key', 'let another key open an encrypted device too'],
    ['change-key', 'replace a key by another one'],
  ] as const) {
    const keys = crypt
      .command(word)
      .description(description)
      .argument('<device>')
      .option(...keyOption)
      .option('--new-key <KEY>', 'where the new key comes from, in the same words')
      .option(...headerOption)
      .option('--slot <NUMBER>', 'its key slot (default: the lowest that is free)');
    verb(costOptions(keys), 'changes', async (runtime, [device = ''], options) => {
      const { addKey, changeKey } = await import('../crypt-change.ts');
      return (word === 'add-key' ? addKey : changeKey)(runtime, device, options);
    });
  }
  verb(
    crypt
      .command('remove-key')
      .description('destroy a key of an encrypted device, but never the last one')
      .argument('<device>')
      .argument('<slot>')
      .option(...headerOption),
    'changes',
    async (runtime, [device = '', slot = ''], options) =>
      (await import('../crypt-change.ts')).removeKey(runtime, device, slot, options),
  );
  verb(
    crypt
      .command('erase')
      .description('destroy every key of an encrypted device that is closed: what is on it is lost')
      .argument('<device>')
      .argument('<uuid>', 'its uuid, so that no other one is meant')
      .option(...headerOption),
    'changes',
    async (runtime, [device = '', uuid = ''], options) =>
      (await import('../crypt-change.ts')).erase(runtime, device, uuid, options),
  );
  addReencrypt(crypt, verb);
  addCryptHeader(crypt, verb);
}

function addReencrypt(crypt: Command, verb: Verb): void {
  const reencrypt = crypt
    .command('reencrypt')
    .description('encrypt all data of a closed device anew; it may take hours, and goes on after a crash')
    .argument('<device>')
    .option(...keyOption)
    .option('--cipher <CIPHER>', 'for example aes-xts-plain64, with --key-size (default: as now)')
    .option('--key-size <BITS>', 'of the volume key (default: as now)')
    .option(
      '--resilience <HOW>',
      'how the part at work is kept safe from a crash: checksum (the default) or journal',
    )
    .option('--resume', 'only go on with what was begun before');
  verb(reencrypt, 'changes', async (runtime, [device = ''], options) =>
    (await import('../crypt-reencrypt.ts')).reencrypt(runtime, device, options),
  );
}
