import { type Command, Option } from 'commander';
import type { Verb } from './verb.ts';

export function addLvmSnapshot(snapshot: Command, verb: Verb): void {
  const create = snapshot
    .command('create')
    .description('make a snapshot of a logical volume; of a thin one without a size a thin one')
    .argument('<vg/origin>')
    .argument('<name>')
    .addOption(new Option('--size <SIZE>', 'its room for what changes, for example 2g').conflicts('extents'))
    .option('--extents <N>', 'so many extents, or a share: 20%ORIGIN, 50%FREE, 10%VG')
    .option('--tag <TAG,…>', 'tags to put on it');
  verb(create, 'changes', async (runtime, [origin = '', name = ''], options) =>
    (await import('../lvm-snapshot.ts')).create(runtime, { origin, name }, options),
  );
  const merge = snapshot
    .command('merge')
    .description('put the content of a snapshot back into its origin; the snapshot is gone then')
    .argument('<vg/name>');
  verb(merge, 'changes', async (runtime, [volume = '']) =>
    (await import('../lvm-snapshot.ts')).merge(runtime, volume),
  );
}

export function addLvmPool(pool: Command, verb: Verb): void {
  const create = pool
    .command('create')
    .description('make a thin pool')
    .argument('<vg/name>')
    .addOption(new Option('--size <SIZE>', 'of its data, for example 100g').conflicts('extents'))
    .option('--extents <N>', 'so many extents, or a share: 50%FREE, 10%VG')
    .option('--metadata-size <SIZE>', 'of its metadata; left out: what lvm reckons with')
    .option('--chunk-size <SIZE>', 'what is given out at a time: a multiple of 64k')
    .option('--tag <TAG,…>', 'tags to put on it');
  verb(create, 'changes', async (runtime, [volume = ''], options) =>
    (await import('../lvm-pool.ts')).create(runtime, volume, options),
  );
  const resize = pool
    .command('resize')
    .description('make a thin pool larger, which cannot be undone: lvm makes none smaller')
    .argument('<vg/name>')
    .option('--size <SIZE>', 'of its data: 100g or +10g')
    .option('--metadata-size <SIZE>', 'of its metadata: 1g or +128m');
  verb(resize, 'changes', async (runtime, [volume = ''], options) =>
    (await import('../lvm-pool.ts')).resize(runtime, volume, options),
  );
}

export function addLvmActivation(lvm: Command, verb: Verb): void {
  const activate = lvm
    .command('activate')
    .description('put a logical volume into the kernel, until the next boot')
    .argument('<vg/name>');
  verb(activate, 'changes', async (runtime, [volume = '']) =>
    (await import('../lvm-activation.ts')).change(runtime, volume, 'active'),
  );
  const deactivate = lvm
    .command('deactivate')
    .description('take a logical volume that nobody uses out of the kernel, until the next boot')
    .argument('<vg/name>');
  verb(deactivate, 'changes', async (runtime, [volume = '']) =>
    (await import('../lvm-activation.ts')).change(runtime, volume, 'inactive'),
  );
}
