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
}
