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
}
