import { type Command, Option } from 'commander';
import type { Verb } from './verb.ts';

export function addMount(mount: Command, verb: Verb): void {
  const list = mount
    .command('list')
    .description('list mounts: filesystems on devices, network shares and bind mounts')
    .option('--all', 'include those of the kernel itself');
  verb(list, 'reads', async (runtime, _args, options) =>
    (await import('../mount/mount.ts')).list(runtime, options),
  );
  const add = mount
    .command('add')
    .description('mount a device, or with --bind a directory')
    .argument('<device>', 'device, UUID=…, LABEL=…; with --bind a directory')
    .argument('[path]', 'empty directory (default: a new one below /run/bofh/mnt)')
    .option('--bind', 'bind-mount a directory')
    .option('--read-only', 'read-only')
    .addOption(new Option('--type <TYPE>', 'filesystem type (default: detected by mount)').conflicts('bind'))
    .option('-o, --options <LIST>', 'mount options: nodev,noatime,subvol=@web');
  verb(add, 'changes', async (runtime, [device = '', path], options) =>
    (await import('../mount/mount.ts')).add(runtime, { device, path }, options),
  );
  const remove = mount
    .command('remove')
    .description('unmount an unused filesystem, never lazily')
    .argument('<path>')
    .option('--mount-id <NUMBER>', 'only if the mount has this number in bofh mount list');
  verb(remove, 'changes', async (runtime, [path = ''], options) =>
    (await import('../mount/mount.ts')).remove(runtime, path, options),
  );
  addFstab(mount.command('fstab').description('mounts at boot: the lines of /etc/fstab'), verb);
  addCrypttab(
    mount.command('crypttab').description('encrypted devices opened at boot: the lines of /etc/crypttab'),
    verb,
  );
}

function addFstab(fstab: Command, verb: Verb): void {
  verb(fstab.command('list').description('list the lines'), 'reads', async (runtime) =>
    (await import('../mount/tables.ts')).listFstab(runtime),
  );
  const add = fstab
    .command('add')
    .description('add a line, verified by findmnt')
    .argument('<device>', 'device, UUID=…, network share, or a word such as tmpfs')
    .argument('<path>', 'existing directory; none for swap')
    .requiredOption('--type <TYPE>', 'filesystem type')
    .option('-o, --options <LIST>', 'mount options (default: defaults)')
    .option('--dump <NUMBER>', 'field for dump(8)', '0')
    .option('--pass <NUMBER>', 'order of the check at boot; 0: no check', '0');
  verb(add, 'changes', async (runtime, [device = '', path = ''], options) =>
    (await import('../mount/tables.ts')).addFstab(runtime, { device, path }, options),
  );
  const set = fstab
    .command('set')
    .description('change fields of the line of a path or a swap device')
    .argument('<path>')
    .option('--device <DEVICE>')
    .option('--path <PATH>')
    .option('--type <TYPE>')
    .option('-o, --options <LIST>')
    .option('--dump <NUMBER>')
    .option('--pass <NUMBER>');
  verb(set, 'changes', async (runtime, [path = ''], options) =>
    (await import('../mount/tables.ts')).changeFstab(runtime, path, options),
  );
  const remove = fstab
    .command('remove')
    .description('remove the line of a path or a swap device')
    .argument('<path>');
  verb(remove, 'changes', async (runtime, [path = '']) =>
    (await import('../mount/tables.ts')).removeFstab(runtime, path),
  );
}

function addCrypttab(crypttab: Command, verb: Verb): void {
  verb(crypttab.command('list').description('list the lines'), 'reads', async (runtime) =>
    (await import('../mount/tables.ts')).listCrypttab(runtime),
  );
  const add = crypttab
    .command('add')
    .description('add a line')
    .argument('<name>', 'name of the mapping')
    .argument('<device>', 'device, or UUID=…')
    .option('--key-file <FILE>', 'key file (default: ask at boot)')
    .option('-o, --options <LIST>', 'options, see crypttab(5)');
  verb(add, 'changes', async (runtime, [name = '', device = ''], options) =>
    (await import('../mount/tables.ts')).addCrypttab(runtime, { name, device }, options),
  );
  const set = crypttab
    .command('set')
    .description('change fields of the line of a mapping')
    .argument('<name>')
    .option('--name <NAME>')
    .option('--device <DEVICE>')
    .option('--key-file <FILE>', 'key file; none: ask at boot')
    .option('-o, --options <LIST>');
  verb(set, 'changes', async (runtime, [name = ''], options) =>
    (await import('../mount/tables.ts')).changeCrypttab(runtime, name, options),
  );
  const remove = crypttab.command('remove').description('remove the line of a mapping').argument('<name>');
  verb(remove, 'changes', async (runtime, [name = '']) =>
    (await import('../mount/tables.ts')).removeCrypttab(runtime, name),
  );
}
