import type { Command } from 'commander';
import type { Verb } from './verb.ts';

export function addLvmVg(vg: Command, verb: Verb): void {
  verb(
    vg.command('list').description('every volume group: its size, and what is free'),
    'reads',
    async (runtime) => (await import('../lvm-vg.ts')).list(runtime),
  );
  const create = vg
    .command('create')
    .description('make a volume group of free physical volumes')
    .argument('<name>')
    .argument('<device...>')
    .option('--extent-size <SIZE>', 'what its volumes are sized in multiples of', '4m');
  verb(create, 'changes', async (runtime, [name = '', ...devices], { extentSize }) =>
    (await import('../lvm-vg.ts')).create(runtime, {
      ...{ name, devices },
      extentSize: typeof extentSize === 'string' ? extentSize : '4m',
    }),
  );
  const extend = vg
    .command('extend')
    .description('put free physical volumes into a volume group')
    .argument('<name>')
    .argument('<device...>');
  verb(extend, 'changes', async (runtime, [name = '', ...devices]) =>
    (await import('../lvm-vg.ts')).extend(runtime, { vg: name, devices }),
  );
  const reduce = vg
    .command('reduce')
    .description('take physical volumes on which no volume lies out of a volume group')
    .argument('<name>')
    .argument('<device...>');
  verb(reduce, 'changes', async (runtime, [name = '', ...devices]) =>
    (await import('../lvm-vg.ts')).reduce(runtime, { vg: name, devices }),
  );
  const rename = vg
    .command('rename')
    .description('give a volume group whose volumes nobody uses another name')
    .argument('<name>')
    .argument('<to>');
  verb(rename, 'changes', async (runtime, [name = '', to = '']) =>
    (await import('../lvm-vg-rename.ts')).rename(runtime, name, to),
  );
  const remove = vg
    .command('remove')
    .description('remove a volume group that has no volume; its devices stay physical volumes')
    .argument('<name>')
    .option('--devices', 'take the labels off its devices, too');
  verb(remove, 'changes', async (runtime, [name = ''], { devices }) =>
    (await import('../lvm-remove.ts')).removeGroup(
      runtime,
      name,
      devices === true ? 'with its devices' : 'alone',
    ),
  );
  const backup = vg
    .command('backup')
    .description('write the metadata of a volume group into a new file, as vgcfgrestore takes it')
    .argument('<name>')
    .argument('<file>');
  verb(backup, 'changes', async (runtime, [name = '', file = '']) =>
    (await import('../lvm-backup.ts')).backup(runtime, name, file),
  );
}
