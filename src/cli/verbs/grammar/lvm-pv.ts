import type { Command } from 'commander';
import type { Verb } from './verb.ts';

export function addLvmPv(pv: Command, verb: Verb): void {
  verb(
    pv.command('list').description('list physical volumes and their volume groups'),
    'reads',
    async (runtime) => (await import('../lvm/pv.ts')).list(runtime),
  );
  const create = pv
    .command('create')
    .description('create a physical volume on a blank device')
    .argument('<device>')
    .option('--overwrite <UUID|TYPE>', 'UUID, or type, of the content to overwrite');
  verb(create, 'changes', async (runtime, [device = ''], { overwrite }) =>
    (await import('../lvm/pv.ts')).create(
      runtime,
      device,
      typeof overwrite === 'string' ? { overwrite } : {},
    ),
  );
  const resize = pv
    .command('resize')
    .description('grow a physical volume to the size of its device, or shrink it before the device shrinks')
    .argument('<device>')
    .option('--size <SIZE>', 'new size (default: all of the device)');
  verb(resize, 'changes', async (runtime, [device = ''], { size }) =>
    (await import('../lvm/pv.ts')).resize(runtime, { device, ...(typeof size === 'string' ? { size } : {}) }),
  );
  const move = pv
    .command('move')
    .description('move the extents of a physical volume to others of its group; volumes may be in use')
    .argument('<device>')
    .option('--to <DEVICE,…>', 'target devices, in this order (default: all others of the group)')
    .option('--volume <VG/NAME>', 'move only this logical volume');
  verb(move, 'changes', async (runtime, [device = ''], options) =>
    (await import('../lvm/pv-move.ts')).move(runtime, device, options),
  );
  const remove = pv
    .command('remove')
    .description('remove the label of a physical volume that is in no volume group')
    .argument('<device>');
  verb(remove, 'changes', async (runtime, [device = '']) =>
    (await import('../lvm/group-remove.ts')).removeDevice(runtime, device),
  );
}
