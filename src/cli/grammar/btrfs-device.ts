import type { Command } from 'commander';
import type { Verb } from './verb.ts';

/** Words for the devices of a filesystem. */
export function addDevices(btrfs: Command, verb: Verb): void {
  const device = btrfs.command('device').description('the devices of a filesystem');
  verb(
    device
      .command('list')
      .description('the devices of a filesystem; one that is being removed has less and less allocated')
      .argument('<path>'),
    'reads',
    async (runtime, [path = '']) => (await import('../btrfs-device.ts')).list(runtime, path),
  );
  verb(
    device
      .command('add')
      .description('put a device more into a filesystem; never one that holds what is not named')
      .argument('<path>')
      .argument('<device>')
      .option('--overwrite <UUID|TYPE>', 'exactly what is there and may be lost'),
    'changes',
    async (runtime, [path = '', name = ''], { overwrite }) =>
      (await import('../btrfs-device.ts')).add(runtime, {
        ...{ path, device: name },
        ...(overwrite === undefined ? {} : { overwrite: String(overwrite) }),
      }),
  );
  verb(
    device
      .command('replace')
      .description('put a blank device in the place of one that is failing, or missing; waits for the end')
      .argument('<path>')
      .argument('<device|number>', 'one that is missing by its number')
      .argument('<by>')
      .option('--overwrite <UUID|TYPE>', 'exactly what the new one holds and may be lost'),
    'changes',
    async (runtime, [path = '', name = '', by = ''], { overwrite }) =>
      (await import('../btrfs-device.ts')).replace(runtime, {
        ...{ path, device: name, by },
        ...(overwrite === undefined ? {} : { overwrite: String(overwrite) }),
      }),
  );
  verb(
    device
      .command('remove')
      .description('move what lies on a device to the others, and take it out; waits for the end')
      .argument('<path>')
      .argument('<device>'),
    'changes',
    async (runtime, [path = '', name = '']) =>
      (await import('../btrfs-device.ts')).remove(runtime, { path, device: name }),
  );
}
