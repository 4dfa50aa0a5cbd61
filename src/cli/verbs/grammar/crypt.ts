import { type Command, Option } from 'commander';
import { addCryptHeader } from './crypt-header.ts';
import type { Verb } from './verb.ts';

const keyOption = [
  '--key <KEY>',
  'source of the key: file:/PATH, command:/PROGRAM ARG…, credential:NAME, site:NAME or ask (default: ask)',
] as const;

const headerOption = ['--header <FILE>', 'file with the header, if the header is not on the device'] as const;

/** How hard it is made to guess a key. */
function costOptions(command: Command): Command {
  return command
    .option('--pbkdf <KDF>', 'key derivation: argon2id or pbkdf2 (default for luks2: argon2id)')
    .option(
      '--pbkdf-memory <SIZE>',
      'memory needed to open the device (default: what a small host can spare, at most 1g)',
    )
    .option(
      '--pbkdf-time <MS>',
      'time needed to open the device on this host, in milliseconds (default: 2000)',
    );
}

export function addCrypt(crypt: Command, verb: Verb): void {
  verb(
    crypt.command('list').description('list encrypted devices and their open names'),
    'reads',
    async (runtime) => (await import('../crypt/crypt.ts')).list(runtime),
  );
  verb(
    crypt
      .command('show')
      .description('show the header of an encrypted device')
      .argument('<device>', 'device, or absolute path of a file with a header')
      .option(...headerOption),
    'reads',
    async (runtime, [device = ''], options) =>
      (await import('../crypt/crypt.ts')).show(runtime, device, options),
  );
  verb(
    crypt.command('status').description('show the open device of a name').argument('<name>'),
    'reads',
    async (runtime, [name = '']) => (await import('../crypt/crypt.ts')).status(runtime, name),
  );
  const format = crypt
    .command('format')
    .description('create an encrypted device (LUKS) on a blank device')
    .argument('<device>')
    .option(...keyOption)
    .option('--type <TYPE>', 'luks2 or luks1 (default: luks2)')
    .option('--label <LABEL>', 'label; luks2 only')
    .option('--uuid <UUID>', 'UUID (default: random)')
    .option('--header <FILE>', 'write the header to this new file and nothing to the device')
    .option('--overwrite <UUID|TYPE>', 'UUID, or type, of the content to overwrite');
  verb(costOptions(format), 'changes', async (runtime, [device = ''], options) =>
    (await import('../crypt/change.ts')).format(runtime, device, options),
  );
  const open = crypt
    .command('open')
    .description('open an encrypted device; does nothing if it is open')
    .argument('<device>')
    .option(...keyOption)
    .option(
      '--name <NAME>',
      'name below /dev/mapper (default: name of the device and -luks; site file: luksNaming)',
    )
    .option(...headerOption)
    .option('--read-only', 'read-only')
    .addOption(new Option('--readonly', 'the same').hideHelp());
  verb(open, 'changes', async (runtime, [device = ''], options) =>
    (await import('../crypt/change.ts')).open(runtime, device, options),
  );
  verb(
    crypt.command('close').description('close an unused open device').argument('<name>'),
    'changes',
    async (runtime, [name = '']) => (await import('../crypt/change.ts')).close(runtime, name),
  );
  const resize = crypt
    .command('resize')
    .description('resize an open device without its content, until it is closed')
    .argument('<name>')
    .argument('[size]', 'new size, for example 10g (default: all of the device below)')
    .option(...keyOption)
    .option(...headerOption);
  verb(resize, 'changes', async (runtime, [name = '', size = ''], options) =>
    (await import('../crypt/resize.ts')).resize(runtime, name, size, options),
  );
  for (const [word, description] of [
    ['add-key', 'add a key to an encrypted device'],
    ['change-key', 'replace a key of an encrypted device'],
  ] as const) {
    const keys = crypt
      .command(word)
      .description(description)
      .argument('<device>')
      .option(...keyOption)
      .option('--new-key <KEY>', 'source of the new key, in the same form as --key')
      .option(...headerOption)
      .option('--slot <NUMBER>', 'key slot (default: the lowest free one)');
    verb(costOptions(keys), 'changes', async (runtime, [device = ''], options) => {
      const { addKey, changeKey } = await import('../crypt/change.ts');
      return (word === 'add-key' ? addKey : changeKey)(runtime, device, options);
    });
  }
  verb(
    crypt
      .command('remove-key')
      .description('destroy a key of an encrypted device; refused for the last one')
      .argument('<device>')
      .argument('<slot>')
      .option(...headerOption),
    'changes',
    async (runtime, [device = '', slot = ''], options) =>
      (await import('../crypt/change.ts')).removeKey(runtime, device, slot, options),
  );
  verb(
    crypt
      .command('erase')
      .description('destroy all keys of a closed encrypted device: its data is lost')
      .argument('<device>')
      .argument('<uuid>', 'UUID of the device, as confirmation')
      .option(...headerOption),
    'changes',
    async (runtime, [device = '', uuid = ''], options) =>
      (await import('../crypt/change.ts')).erase(runtime, device, uuid, options),
  );
  addReencrypt(crypt, verb);
  addCryptHeader(crypt, verb);
}

function addReencrypt(crypt: Command, verb: Verb): void {
  const reencrypt = crypt
    .command('reencrypt')
    .description('re-encrypt all data of a closed device; may take hours, and is resumed after a crash')
    .argument('<device>')
    .option(...keyOption)
    .option('--cipher <CIPHER>', 'cipher, for example aes-xts-plain64; needs --key-size (default: unchanged)')
    .option('--key-size <BITS>', 'size of the volume key in bits (default: unchanged)')
    .option(
      '--resilience <HOW>',
      'how the area in work is protected from a crash: checksum or journal (default: checksum)',
    )
    .option('--resume', 'only resume a re-encryption that was started before');
  verb(reencrypt, 'changes', async (runtime, [device = ''], options) =>
    (await import('../crypt/reencrypt.ts')).reencrypt(runtime, device, options),
  );
}
