import { type Command, Option } from 'commander';
import { addLvmPv } from './lvm-pv.ts';
import { addLvmActivation, addLvmPool, addLvmSnapshot } from './lvm-snapshot.ts';
import { addLvmVg } from './lvm-vg.ts';
import type { Verb } from './verb.ts';

export function addLvm(lvm: Command, verb: Verb): void {
  const list = lvm
    .command('list')
    .description('every logical volume, and how full pools and snapshots are')
    .option('--near <PERCENT>', 'from where on one is said to be near its limit (80)');
  verb(list, 'reads', async (runtime, _, { near }) =>
    (await import('../lvm.ts')).list(runtime, typeof near === 'string' ? { near } : {}),
  );
  const rename = lvm
    .command('rename')
    .description('give a logical volume that nobody uses another name')
    .argument('<vg/name>')
    .argument('<to>');
  verb(rename, 'changes', async (runtime, [volume = '', to = '']) =>
    (await import('../lvm-rename.ts')).rename(runtime, volume, to),
  );
  addLvmPv(
    lvm.command('pv').description('physical volumes: the devices that volume groups are made of'),
    verb,
  );
  addLvmVg(lvm.command('vg').description('volume groups'), verb);
  const create = lvm
    .command('create')
    .description('make a logical volume')
    .argument('<vg/name>')
    .addOption(new Option('--size <SIZE>', 'its size, for example 10g').conflicts('extents'))
    .option('--extents <N>', 'so many extents, or a share: 50%FREE, 10%VG')
    .option('--type <TYPE>', 'linear (the default), striped or raid1')
    .option('--stripes <N>', 'of a striped one: over how many devices (2)')
    .option('--stripe-size <SIZE>', 'of a striped one, for example 64k')
    .option('--mirrors <N>', 'of a raid1: how many copies beside the first (1)')
    .option('--pool <NAME>', 'the thin pool that it is to lie in: its size is virtual then')
    .option('--zeros', 'write all of it with zeros; without it what lay there before is left')
    .option('--tag <TAG,…>', 'tags to put on it');
  verb(create, 'changes', async (runtime, [volume = ''], options) =>
    (await import('../lvm-volumes.ts')).create(runtime, volume, options),
  );
  const resize = lvm
    .command('resize')
    .description('give a logical volume another size, and not what lies on it: see bofh block resize')
    .argument('<vg/name>')
    .argument('<size>', '20g, +5g or -5g')
    // "-5g" looks like an option; whatever else does is no size.
    .allowUnknownOption();
  verb(resize, 'changes', async (runtime, [volume = '', size = '']) =>
    (await import('../lvm-resize.ts')).resize(runtime, volume, size),
  );
  const convert = lvm
    .command('convert')
    .description(
      'give a logical volume a second copy on another device (raid1), or take one of two away (linear)',
    )
    .argument('<vg/name>')
    .argument('<raid1|linear>')
    .option('--device <DEVICE>', 'the device that gets a copy, or whose copy goes')
    .option('--at-once', 'do not wait until the new copy is filled');
  verb(convert, 'changes', async (runtime, [volume = '', to = ''], options) =>
    (await import('../lvm-convert.ts')).convert(runtime, { volume, to }, options),
  );
  addLvmSnapshot(lvm.command('snapshot').description('snapshots of logical volumes'), verb);
  addLvmActivation(lvm, verb);
  addLvmPool(lvm.command('pool').description('thin pools'), verb);
  const tag = lvm
    .command('tag')
    .description('put tags on a logical volume, or take them off')
    .argument('<vg/name>')
    .option('--add <TAG,…>', 'tags that it is to have')
    .option('--remove <TAG,…>', 'tags that it is not to have');
  verb(tag, 'changes', async (runtime, [volume = ''], options) =>
    (await import('../lvm-volumes.ts')).tag(runtime, volume, options),
  );
  const remove = lvm.command('remove').description('remove a logical volume').argument('<vg/name>');
  verb(remove, 'changes', async (runtime, [volume = '']) =>
    (await import('../lvm-volumes.ts')).remove(runtime, volume),
  );
}
