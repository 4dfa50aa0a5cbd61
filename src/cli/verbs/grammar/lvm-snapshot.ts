import { type Command, Option } from 'commander';
import type { Verb } from './verb.ts';

export function addLvmSnapshot(snapshot: Command, verb: Verb): void {
  const create = snapshot
    .command('create')
    .description('create a snapshot (omit --size for a thin snapshot of a thin volume)')
    .argument('<vg/origin>')
    .argument('<name>')
    .addOption(new Option('--size <SIZE>', 'space for changes, for example 2g').conflicts('extents'))
    .option('--extents <N>', 'size in extents, or a share: 20%ORIGIN, 50%FREE, 10%VG')
    .option('--tag <TAG,…>', 'tags to add');
  verb(create, 'changes', async (runtime, [origin = '', name = ''], options) =>
    (await import('../lvm/snapshot.ts')).create(runtime, { origin, name }, options),
  );
  const merge = snapshot
    .command('merge')
    .description('merge a snapshot back into its origin; the snapshot is removed')
    .argument('<vg/name>');
  verb(merge, 'changes', async (runtime, [volume = '']) =>
    (await import('../lvm/snapshot.ts')).merge(runtime, volume),
  );
}

export function addLvmPool(pool: Command, verb: Verb): void {
  const create = pool
    .command('create')
    .description('create a thin pool')
    .argument('<vg/name>')
    .addOption(new Option('--size <SIZE>', 'size of its data, for example 100g').conflicts('extents'))
    .option('--extents <N>', 'size in extents, or a share: 50%FREE, 10%VG')
    .option('--metadata-size <SIZE>', 'size of its metadata (default: chosen by LVM)')
    .option('--chunk-size <SIZE>', 'chunk size, a multiple of 64k')
    .option('--tag <TAG,…>', 'tags to add');
  verb(create, 'changes', async (runtime, [volume = ''], options) =>
    (await import('../lvm/pool.ts')).create(runtime, volume, options),
  );
  const resize = pool
    .command('resize')
    .description('grow a thin pool; cannot be undone, because lvm cannot shrink a pool')
    .argument('<vg/name>')
    .option('--size <SIZE>', 'size of its data: 100g or +10g')
    .option('--metadata-size <SIZE>', 'size of its metadata: 1g or +128m');
  verb(resize, 'changes', async (runtime, [volume = ''], options) =>
    (await import('../lvm/pool.ts')).resize(runtime, volume, options),
  );
}

export function addLvmActivation(lvm: Command, verb: Verb): void {
  const activate = lvm
    .command('activate')
    .description('activate a logical volume, until the next boot')
    .argument('<vg/name>');
  verb(activate, 'changes', async (runtime, [volume = '']) =>
    (await import('../lvm/activation.ts')).change(runtime, volume, 'active'),
  );
  const deactivate = lvm
    .command('deactivate')
    .description('deactivate an unused logical volume, until the next boot')
    .argument('<vg/name>');
  verb(deactivate, 'changes', async (runtime, [volume = '']) =>
    (await import('../lvm/activation.ts')).change(runtime, volume, 'inactive'),
  );
}
