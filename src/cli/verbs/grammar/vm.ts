import { type Command, Option } from 'commander';
import type { Verb } from './verb.ts';

export function addVm(vm: Command, verb: Verb): void {
  const create = vm
    .command('create')
    .description('create a guest, completely or not at all')
    .argument('<name>')
    .requiredOption('--source <tar:FILE>', 'content of its root filesystem')
    .requiredOption('--size <SIZE>', 'size of its root filesystem, for example 2g')
    .option('--swap <SIZE>', 'size of its swap (default: no swap)')
    .option('--memory <SIZE>', 'memory', '256m')
    .option('--vcpus <NUMBER>', 'virtual CPUs', '1')
    .option('--vg <VG>', 'volume group for its disks (default: volumeGroup of the site file)')
    .option('--bridge <BRIDGE>', 'bridge for its network interface (default: bridge of the site file)')
    .option('--mac <MAC>', 'MAC address of its network interface (default: random)')
    .option('--kernel <FILE>', 'kernel; needs --ramdisk (default: guestKernel of the site file)')
    .option('--ramdisk <FILE>', 'ramdisk (default: guestRamdisk of the site file)')
    .option('--drbd <HOST>', 'replicate its disks to this host, so that the guest can move there')
    .option(
      '--address <HOST=IP,…>',
      'with --drbd: addresses for the replication (default: the one network both hosts are in)',
    )
    .option('--start', 'start the guest');
  verb(create, 'changes', async (runtime, [name = ''], options) =>
    (await import('../vm/create.ts')).create(runtime, name, options),
  );
  const remove = vm
    .command('remove')
    .description('remove a guest: its configuration and its disks, including disks replicated to a peer')
    .argument('<name>')
    .option('--stop', 'shut it down first if it is running')
    .option('--time <DURATION>', 'longest time for its shutdown (default: 2m)')
    .addOption(new Option('--force-off', 'power it off hard first if it is running').conflicts('stop'))
    .option('--keep-replicas', 'keep replicated disks on both hosts')
    .option(
      '--on <HOST,HOST>',
      'the two hosts of its replicated disks, if ssh knows them by other names than the configuration',
    );
  verb(remove, 'changes', async (runtime, [name = ''], options) =>
    (await import('../vm/remove.ts')).remove(runtime, name, options),
  );
  const move = vm
    .command('move')
    .description('move a guest with replicated disks to the peer: shut it down here, start it there')
    .argument('<name>')
    .argument('<host>')
    .option('--time <DURATION>', 'longest time for its shutdown (default: 5m)');
  verb(move, 'changes', async (runtime, [name = '', host = ''], options) =>
    (await import('../vm/move.ts')).move(runtime, [name, host], options),
  );
}
