import { type Command, Option } from 'commander';
import type { Verb } from './verb.ts';

export function addMount(mount: Command, verb: Verb): void {
  const list = mount
    .command('list')
    .description('what is mounted: filesystems on devices, shares and what is bound')
    .option('--all', "the kernel's own too");
  verb(list, 'reads', async (runtime, _args, options) =>
    (await import('../mount.ts')).list(runtime, options),
  );
  const add = mount
    .command('add')
    .description('mount a device, or with --bind show a directory at another place too')
    .argument('<device>', 'a device, UUID=…, LABEL=…; with --bind a directory')
    .argument('[path]', 'an empty directory; without it one is made under /run/bofh/mnt')
    .option('--bind', 'show a directory')
    .option('--read-only', 'for reading alone')
    .addOption(new Option('--type <TYPE>', 'its filesystem; without it mount finds out').conflicts('bind'))
    .option('-o, --options <LIST>', 'as mount takes them: nodev,noatime,subvol=@web');
  verb(add, 'changes', async (runtime, [device = '', path], options) =>
    (await import('../mount.ts')).add(runtime, { device, path }, options),
  );
  const remove = mount
    .command('remove')
    .description('unmount what nobody uses, never lazily')
    .argument('<path>')
    .option('--mount-id <NUMBER>', 'only if it is this one, as bofh mount list numbers them');
  verb(remove, 'changes', async (runtime, [path = ''], options) =>
    (await import('../mount.ts')).remove(runtime, path, options),
  );
  addFstab(
    mount.command('fstab').description('what is mounted at every boot: the lines of /etc/fstab'),
    verb,
  );
  addCrypttab(
    mount.command('crypttab').description('what is opened at every boot: the lines of /etc/crypttab'),
    verb,
  );
}

function addFstab(fstab: Command, verb: Verb): void {
  verb(fstab.command('list').description('every line'), 'reads', async (runtime) =>
    (await import('../mount-tables.ts')).listFstab(runtime),
  );
  const add = fstab
    .command('add')
    .description('add a line, verified by findmnt')
    .argument('<device>', 'a device, UUID=…, a share, a word such as tmpfs')
    .argument('<path>', 'an existing directory; none for swap')
    .requiredOption('--type <TYPE>', 'its filesystem')
    .option('-o, --options <LIST>', 'as mount takes them (default: defaults)')
    .option('--dump <NUMBER>', 'for dump', '0')
    .option('--pass <NUMBER>', 'in which order it is checked at boot; 0: not at all', '0');
  verb(add, 'changes', async (runtime, [device = '', path = ''], options) =>
    (await import('../mount-tables.ts')).addFstab(runtime, { device, path }, options),
  );
  const change = fstab
    .command('change')
    .description('change fields of the line of a path, or of a swap device')
    .argument('<path>')
    .option('--device <DEVICE>')
    .option('--path <PATH>')
    .option('--type <TYPE>')
    .option('-o, --options <LIST>')
    .option('--dump <NUMBER>')
    .option('--pass <NUMBER>');
  verb(change, 'changes', async (runtime, [path = ''], options) =>
    (await import('../mount-tables.ts')).changeFstab(runtime, path, options),
  );
  const remove = fstab
    .command('remove')
    .description('take the line of a path, or of a swap device, out')
    .argument('<path>');
  verb(remove, 'changes', async (runtime, [path = '']) =>
    (await import('../mount-tables.ts')).removeFstab(runtime, path),
  );
}

function addCrypttab(crypttab: Command, verb: Verb): void {
  verb(crypttab.command('list').description('every line'), 'reads', async (runtime) =>
    (await import('../mount-tables.ts')).listCrypttab(runtime),
  );
  const add = crypttab
    .command('add')
    .description('add a line')
    .argument('<name>', 'of the mapping')
    .argument('<device>', 'a device, or UUID=…')
    .option('--key-file <FILE>', 'a file with the key; without it the key is asked for at boot')
    .option('-o, --options <LIST>', 'as crypttab(5) has them');
  verb(add, 'changes', async (runtime, [name = '', device = ''], options) =>
    (await import('../mount-tables.ts')).addCrypttab(runtime, { name, device }, options),
  );
  const change = crypttab
    .command('change')
    .description('change fields of the line of a mapping')
    .argument('<name>')
    .option('--name <NAME>')
    .option('--device <DEVICE>')
    .option('--key-file <FILE>', 'none: the key is asked for at boot')
    .option('-o, --options <LIST>');
  verb(change, 'changes', async (runtime, [name = ''], options) =>
    (await import('../mount-tables.ts')).changeCrypttab(runtime, name, options),
  );
  const remove = crypttab.command('remove').description('take the line of a mapping out').argument('<name>');
  verb(remove, 'changes', async (runtime, [name = '']) =>
    (await import('../mount-tables.ts')).removeCrypttab(runtime, name),
  );
}
