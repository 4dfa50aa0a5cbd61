import type { Command } from 'commander';
import { addReplica } from './replica.ts';
import type { Verb } from './verb.ts';

export function addDrbd(drbd: Command, verb: Verb): void {
  verb(
    drbd.command('list').description('list resources that are configured or up, with their volumes'),
    'reads',
    async (runtime) => (await import('../drbd/drbd.ts')).list(runtime),
  );
  verb(
    drbd
      .command('status')
      .description('show problems and how to fix them, for all resources or one')
      .argument('[resource]')
      .option('--watch', 'show the state of each resource and every change, until Ctrl-C')
      .option('--every <DURATION>', 'with --watch: time between two looks (default: 1s)'),
    'reads',
    async (runtime, [name], options) =>
      options.watch === true
        ? (await import('../drbd/watch.ts')).watch(runtime, name, options)
        : (await import('../drbd/drbd.ts')).status(runtime, name, options),
  );
  verb(
    drbd
      .command('show')
      .description('show one resource: hosts, addresses, devices, sizes and its state in the kernel')
      .argument('<resource>'),
    'reads',
    async (runtime, [name = '']) => (await import('../drbd/drbd.ts')).show(runtime, name),
  );
  verb(
    drbd
      .command('next')
      .description('show a free port and a free minor number for a new resource')
      .option('--on <HOST,HOST>', 'hosts on which they must be free (default: this host)'),
    'reads',
    async (runtime, _, options) => (await import('../drbd/drbd.ts')).next(runtime, options),
  );
  for (const [word, description] of [
    ['up', 'bring up a resource: attach its disks and connect to its peers'],
    ['down', 'bring down an unused, secondary resource'],
    ['primary', 'make this host primary, so that the devices can be used'],
    ['secondary', 'make this host secondary; refused while a device is in use, with its holders named'],
    ['attach', 'attach the disks of a resource that is up'],
    ['detach', 'detach the disks of a resource; refused if no peer has the data'],
    ['disconnect', 'disconnect a resource from its peers'],
    ['pause-sync', 'pause the resync from this host'],
    ['resume-sync', 'continue a paused resync'],
    ['adjust', 'apply the configuration of a resource'],
    ['resize', 'grow a resource to the size of its disks, after they were enlarged on every host'],
    ['new-current-uuid', 'skip the initial resync of a new resource whose disks are identical on both hosts'],
    ['invalidate', 'discard the data of this host and resync from the peer'],
    ['invalidate-remote', 'discard the data of the peer and resync it from this host'],
  ] as const)
    verb(
      drbd.command(word).description(description).argument('<resource>'),
      'changes',
      async (runtime, [name = '']) => (await import('../drbd/change.ts')).change(runtime, name, word),
    );
  verb(
    drbd
      .command('connect')
      .description('connect a StandAlone resource to its peers')
      .argument('<resource>')
      .option('--discard-my-data', 'after a split brain: discard what was written on this host'),
    'changes',
    async (runtime, [name = ''], options) =>
      (await import('../drbd/change.ts')).change(runtime, name, 'connect', options),
  );
  verb(
    drbd
      .command('verify')
      .description(
        'compare a resource with its peer block by block and wait until it is done (exit 6: they differ)',
      )
      .argument('<resource>')
      .option('--time <DURATION>', 'longest time to wait (default: 12h)'),
    'changes',
    async (runtime, [name = ''], options) => (await import('../drbd/wait.ts')).verify(runtime, name, options),
  );
  for (const [word, what, description] of [
    ['wait-connect', 'connection', 'wait until a resource is connected to every peer'],
    ['wait-sync', 'sync', 'wait until a resource is up to date on all hosts, and show the progress'],
  ] as const)
    verb(
      drbd
        .command(word)
        .description(description)
        .argument('<resource>')
        .option('--time <DURATION>', 'longest time to wait (default: 5m)'),
      'reads',
      async (runtime, [name = ''], options) =>
        (await import('../drbd/wait.ts')).wait(runtime, { name, what }, options),
    );
  addReplica(drbd, verb);
  addDrbdConfig(drbd.command('config').description('configuration files of resources'), verb);
  verb(
    drbd
      .command('create-md')
      .description('write new metadata to the end of the device of a volume; existing content must be named')
      .argument('<resource>')
      .option('--volume <NUMBER>', 'number of the volume')
      .option('--overwrite <UUID,…>', 'existing metadata to overwrite; "data": data of unknown type')
      .option('--keep <UUID,…>', 'existing filesystem that becomes the content of the volume'),
    'changes',
    async (runtime, [name = ''], options) =>
      (await import('../drbd/config.ts')).createMetadata(runtime, name, options),
  );
  verb(
    drbd
      .command('wipe-md')
      .description('remove the metadata of a volume from its device; the data stays')
      .argument('<resource>')
      .requiredOption('--overwrite <UUID>', 'UUID of the metadata to remove')
      .option('--volume <NUMBER>', 'number of the volume'),
    'changes',
    async (runtime, [name = ''], options) =>
      (await import('../drbd/config.ts')).removeMetadata(runtime, name, options),
  );
}

function addDrbdConfig(config: Command, verb: Verb): void {
  verb(
    config
      .command('create')
      .description('write the configuration file of a new resource, after a check by drbdadm')
      .argument('<resource>')
      .requiredOption(
        '--hosts <NAME=ADDRESS:PORT,…>',
        'hosts; IPv6 as [::1]:7788; append #1 to set a node id',
      )
      .requiredOption('--volumes <MINOR:DEVICE,…>', 'volumes; HOST=MINOR:DEVICE for one host only')
      .option('--protocol <A|B|C>', 'protocol (default: C)')
      .option(
        '--set <SECTION.OPTION=VALUE,…>',
        'options of the sections net, disk or options, see drbd.conf(5)',
      ),
    'changes',
    async (runtime, [name = ''], options) =>
      (await import('../drbd/config.ts')).createConfig(runtime, name, options),
  );
  verb(
    config
      .command('remove')
      .description('remove the configuration file of a resource that is down; data and metadata stay')
      .argument('<resource>'),
    'changes',
    async (runtime, [name = '']) => (await import('../drbd/config.ts')).removeConfig(runtime, name),
  );
}
