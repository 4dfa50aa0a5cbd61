import type { Command } from 'commander';
import type { Verb } from './verb.ts';

export function addLvmVg(vg: Command, verb: Verb): void {
  verb(
    vg.command('list').description('list volume groups with their size and free space'),
    'reads',
    async (runtime) => (await import('../lvm/vg.ts')).list(runtime),
  );
  const create = vg
    .command('create')
    .description('create a volume group from unused physical volumes')
    .argument('<name>')
    .argument('<device...>')
    .option('--extent-size <SIZE>', 'extent size', '4m');
  verb(create, 'changes', async (runtime, [name = '', ...devices], { extentSize }) =>
    (await import('../lvm/vg.ts')).create(runtime, {
      ...{ name, devices },
      extentSize: typeof extentSize === 'string' ? extentSize : '4m',
    }),
  );
  const extend = vg
    .command('extend')
    .description('add unused physical volumes to a volume group')
    .argument('<name>')
    .argument('<device...>');
  verb(extend, 'changes', async (runtime, [name = '', ...devices]) =>
    (await import('../lvm/vg.ts')).extend(runtime, { vg: name, devices }),
  );
  const reduce = vg
    .command('reduce')
    .description('remove empty physical volumes from a volume group')
    .argument('<name>')
    .argument('<device...>');
  verb(reduce, 'changes', async (runtime, [name = '', ...devices]) =>
    (await import('../lvm/vg.ts')).reduce(runtime, { vg: name, devices }),
  );
  const rename = vg
    .command('rename')
    .description('rename a volume group whose volumes are unused')
    .argument('<name>')
    .argument('<to>');
  verb(rename, 'changes', async (runtime, [name = '', to = '']) =>
    (await import('../lvm/vg-rename.ts')).rename(runtime, name, to),
  );
  const remove = vg
    .command('remove')
    .description('remove a volume group without volumes; its devices stay physical volumes')
    .argument('<name>')
    .option('--devices', 'also remove the labels of its devices');
  verb(remove, 'changes', async (runtime, [name = ''], { devices }) =>
    (await import('../lvm/group-remove.ts')).removeGroup(
      runtime,
      name,
      devices === true ? 'with its devices' : 'alone',
    ),
  );
  const backup = vg
    .command('backup')
    .description('back up the metadata of a volume group to a new file, for vgcfgrestore')
    .argument('<name>')
    .argument('<file>');
  verb(backup, 'changes', async (runtime, [name = '', file = '']) =>
    (await import('../lvm/vg-backup.ts')).backup(runtime, name, file),
  );
}
