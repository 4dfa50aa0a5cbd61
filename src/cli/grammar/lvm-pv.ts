import type { Command } from 'commander';
import type { Verb } from './verb.ts';

export function addLvmPv(pv: Command, verb: Verb): void {
  verb(
    pv.command('list').description('every physical volume, and the group that it is in'),
    'reads',
    async (runtime) => (await import('../lvm-pv.ts')).list(runtime),
  );
  const create = pv
    .command('create')
    .description('make a blank device a physical volume')
    .argument('<device>')
    .option('--overwrite <UUID|TYPE>', 'exactly what is there and may be lost');
  verb(create, 'changes', async (runtime, [device = ''], { overwrite }) =>
    (await import('../lvm-pv.ts')).create(
      runtime,
      device,
      typeof overwrite === 'string' ? { overwrite } : {},
    ),
  );
  const resize = pv
    .command('resize')
    .description(
      'make a physical volume as large as its device, which has grown; or smaller, before the device shrinks',
    )
    .argument('<device>')
    .option('--size <SIZE>', 'how large (default: all of the device)');
  verb(resize, 'changes', async (runtime, [device = ''], { size }) =>
    (await import('../lvm-pv.ts')).resize(runtime, { device, ...(typeof size === 'string' ? { size } : {}) }),
  );
  const move = pv
    .command('move')
    .description('move what lies on a physical volume to others of its group; it may be in use meanwhile')
    .argument('<device>')
    .option('--to <DEVICE,…>', 'the devices that get it, in this order (default: all others of the group)')
    .option('--volume <VG/NAME>', 'only what belongs to this logical volume');
  verb(move, 'changes', async (runtime, [device = ''], options) =>
    (await import('../lvm-pv-move.ts')).move(runtime, device, options),
  );
  const remove = pv
    .command('remove')
    .description('take the label off a physical volume that is in no group')
    .argument('<device>');
  verb(remove, 'changes', async (runtime, [device = '']) =>
    (await import('../lvm-remove.ts')).removeDevice(runtime, device),
  );
}
