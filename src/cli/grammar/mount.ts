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
}
