import type { Command } from 'commander';
import type { Verb } from './verb.ts';

/** Words for the devices of a filesystem. */
export function addDevices(btrfs: Command, verb: Verb): void {
  const device = btrfs.command('device').description('the devices of a filesystem');
  verb(
    device
      .command('list')
      .description('list the devices of a filesystem, with the space allocated on each')
      .argument('<path>'),
    'reads',
    async (runtime, [path = '']) => (await import('../btrfs/device.ts')).list(runtime, path),
  );
  verb(
    device
      .command('add')
      .description('add a device; a device that is not blank needs --overwrite')
      .argument('<path>')
      .argument('<device>')
      .option('--overwrite <UUID|TYPE>', 'UUID, or type, of the content to overwrite'),
    'changes',
    async (runtime, [path = '', name = ''], { overwrite }) =>
      (await import('../btrfs/device.ts')).add(runtime, {
        ...{ path, device: name },
        ...(overwrite === undefined ? {} : { overwrite: String(overwrite) }),
      }),
  );
  verb(
    device
      .command('replace')
      .description('replace a failing or missing device by another one, and wait until it is done')
      .argument('<path>')
      .argument('<device|number>', 'the device, or the number of a missing one')
      .argument('<by>')
      .option('--overwrite <UUID|TYPE>', 'UUID, or type, of the content of the new device to overwrite'),
    'changes',
    async (runtime, [path = '', name = '', by = ''], { overwrite }) =>
      (await import('../btrfs/device.ts')).replace(runtime, {
        ...{ path, device: name, by },
        ...(overwrite === undefined ? {} : { overwrite: String(overwrite) }),
      }),
  );
  verb(
    device
      .command('remove')
      .description('move the data of a device to the others and remove it; waits until it is done')
      .argument('<path>')
      .argument('<device>'),
    'changes',
    async (runtime, [path = '', name = '']) =>
      (await import('../btrfs/device.ts')).remove(runtime, { path, device: name }),
  );
}
