import { type Command, Option } from 'commander';
import type { Verb } from './verb.ts';

export function addVm(vm: Command, verb: Verb): void {
  const create = vm
    .command('create')
    .description('make a guest: all of it, or nothing')
    .argument('<name>')
    .requiredOption('--source <tar:FILE>', 'what its root filesystem is filled with')
    .requiredOption('--size <SIZE>', 'size of its root, for example 2g')
    .option('--swap <SIZE>', 'size of its swap; without it the guest has none')
    .option('--memory <SIZE>', 'its memory', '256m')
    .option('--vcpus <NUMBER>', 'its virtual processors', '1')
    .option('--vg <VG>', 'volume group of its disks (site file: volumeGroup)')
    .option('--bridge <BRIDGE>', 'bridge of its network interface (site file: bridge)')
    .option('--mac <MAC>', 'address of its network interface')
    .option('--kernel <FILE>', 'its kernel, with --ramdisk (site file: guestKernel)')
    .option('--ramdisk <FILE>', 'its ramdisk (site file: guestRamdisk)')
    .option('--drbd <HOST>', 'another host, which has its disks as well, so that it can move there')
    .option(
      '--address <HOST=IP,…>',
      'with --drbd: where the two reach one another; the one network that both are in',
    )
    .option('--start', 'start it');
  verb(create, 'changes', async (runtime, [name = ''], options) =>
    (await import('../vm.ts')).create(runtime, name, options),
  );
  const destroy = vm
    .command('destroy')
    .description(
      'remove a guest: its domain, its configuration, its disks, also those that another host has as well',
    )
    .argument('<name>')
    .option('--stop', 'shut it down first if it runs')
    .addOption(new Option('--force-off', 'destroy its domain first if it runs').conflicts('stop'))
    .option('--keep-replicas', 'leave disks that another host has as well, on both')
    .option(
      '--on <HOST,HOST>',
      'the two hosts of these, where their configuration does not name them as ssh does',
    );
  verb(destroy, 'changes', async (runtime, [name = ''], options) =>
    (await import('../vm-destroy.ts')).destroy(runtime, name, options),
  );
  const move = vm
    .command('move')
    .description(
      'have a guest whose disks are replicated go to the other host: shut down here, started there',
    )
    .argument('<name>')
    .argument('<host>')
    .option('--time <DURATION>', 'how long its shutdown may take; 5m unless it is said');
  verb(move, 'changes', async (runtime, [name = '', host = ''], options) =>
    (await import('../vm-move.ts')).move(runtime, [name, host], options),
  );
}
