import { type Command, Option } from 'commander';
import { addLvmPv } from './lvm-pv.ts';
import { addLvmActivation, addLvmPool, addLvmSnapshot } from './lvm-snapshot.ts';
import { addLvmVg } from './lvm-vg.ts';
import type { Verb } from './verb.ts';

export function addLvm(lvm: Command, verb: Verb): void {
  const list = lvm
    .command('list')
    .description('list logical volumes, and how full pools and snapshots are')
    .option('--near <PERCENT>', 'warn above this usage, in percent (default: 80)');
  verb(list, 'reads', async (runtime, _, { near }) =>
    (await import('../lvm/list.ts')).list(runtime, typeof near === 'string' ? { near } : {}),
  );
  const rename = lvm
    .command('rename')
    .description('rename an unused logical volume')
    .argument('<vg/name>')
    .argument('<to>');
  verb(rename, 'changes', async (runtime, [volume = '', to = '']) =>
    (await import('../lvm/rename.ts')).rename(runtime, volume, to),
  );
  addLvmPv(lvm.command('pv').description('physical volumes, the devices of volume groups'), verb);
  addLvmVg(lvm.command('vg').description('volume groups'), verb);
  const create = lvm
    .command('create')
    .description('create a logical volume')
    .argument('<vg/name>')
    .addOption(new Option('--size <SIZE>', 'size, for example 10g').conflicts('extents'))
    .option('--extents <N>', 'size in extents, or a share: 50%FREE, 10%VG')
    .option('--type <TYPE>', 'linear, striped or raid1 (default: linear)')
    .option('--stripes <N>', 'number of stripes; with --type striped (default: 2)')
    .option('--stripe-size <SIZE>', 'stripe size, for example 64k; with --type striped')
    .option('--mirrors <N>', 'number of additional copies; with --type raid1 (default: 1)')
    .option('--pool <NAME>', 'create a thin volume in this pool; --size is then its virtual size')
    .option('--zeros', 'fill the volume with zeros; without it old data remains readable')
    .option('--tag <TAG,…>', 'tags to add');
  verb(create, 'changes', async (runtime, [volume = ''], options) =>
    (await import('../lvm/volumes.ts')).create(runtime, volume, options),
  );
  const resize = lvm
    .command('resize')
    .description('resize a logical volume without its content; see bofh block resize')
    .argument('<vg/name>')
    .argument('<size>', '20g, +5g or -5g')
    // "-5g" looks like an option; whatever else does is no size.
    .allowUnknownOption();
  verb(resize, 'changes', async (runtime, [volume = '', size = '']) =>
    (await import('../lvm/resize.ts')).resize(runtime, volume, size),
  );
  const convert = lvm
    .command('convert')
    .description('add a second copy on another device (raid1), or remove one of two copies (linear)')
    .argument('<vg/name>')
    .argument('<raid1|linear>')
    .option('--device <DEVICE>', 'device that gets the copy, or loses it')
    .option('--at-once', 'do not wait until the new copy is in sync');
  verb(convert, 'changes', async (runtime, [volume = '', to = ''], options) =>
    (await import('../lvm/convert.ts')).convert(runtime, { volume, to }, options),
  );
  addLvmSnapshot(lvm.command('snapshot').description('snapshots of logical volumes'), verb);
  addLvmActivation(lvm, verb);
  addLvmPool(lvm.command('pool').description('thin pools'), verb);
  const tag = lvm
    .command('tag')
    .description('add or remove tags of a logical volume')
    .argument('<vg/name>')
    .option('--add <TAG,…>', 'tags to add')
    .option('--remove <TAG,…>', 'tags to remove');
  verb(tag, 'changes', async (runtime, [volume = ''], options) =>
    (await import('../lvm/volumes.ts')).tag(runtime, volume, options),
  );
  const remove = lvm
    .command('remove')
    .description('remove a logical volume')
    .argument('<vg/name>')
    .option('--disk-of <GUEST,…>', 'remove it although it is a disk of this guest');
  verb(remove, 'changes', async (runtime, [volume = ''], options) =>
    (await import('../lvm/volumes.ts')).remove(runtime, volume, options),
  );
}
