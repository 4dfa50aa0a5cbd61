import type { Command } from 'commander';
import { addLvmPv } from './lvm-pv.ts';
import { addLvmVg } from './lvm-vg.ts';
import type { Verb } from './verb.ts';

export function addLvm(lvm: Command, verb: Verb): void {
  verb(lvm.command('list').description('every logical volume'), 'reads', async (runtime) =>
    (await import('../lvm.ts')).list(runtime),
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
}
