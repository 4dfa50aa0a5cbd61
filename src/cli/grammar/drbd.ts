import type { Command } from 'commander';
import type { Verb } from './verb.ts';

export function addDrbd(drbd: Command, verb: Verb): void {
  verb(
    drbd.command('list').description('every resource, configured or up, volume by volume'),
    'reads',
    async (runtime) => (await import('../drbd.ts')).list(runtime),
  );
  verb(
    drbd
      .command('status')
      .description('what is not as it should be, and what helps; of all resources, or of one')
      .argument('[resource]'),
    'reads',
    async (runtime, [name]) => (await import('../drbd.ts')).status(runtime, name),
  );
  verb(
    drbd
      .command('show')
      .description('one resource: hosts, addresses, devices, sizes, and what the kernel has of it')
      .argument('<resource>'),
    'reads',
    async (runtime, [name = '']) => (await import('../drbd.ts')).show(runtime, name),
  );
  verb(
    drbd.command('next').description('the port and the minor number that a new resource can have'),
    'reads',
    async (runtime) => (await import('../drbd.ts')).next(runtime),
  );
  for (const [word, description] of [
    ['up', 'bring a configured resource up: its disks attached, looking for its peers'],
    ['down', 'take a resource down that is secondary and that nobody uses'],
    ['primary', 'make this host the primary, so that the devices can be used'],
    ['secondary', 'make this host a secondary; refused while somebody uses a device, who is named'],
  ] as const)
    verb(
      drbd.command(word).description(description).argument('<resource>'),
      'changes',
      async (runtime, [name = '']) => (await import('../drbd-change.ts')).change(runtime, name, word),
    );
  addDrbdConfig(drbd.command('config').description('the files of resources'), verb);
  verb(
    drbd
      .command('create-md')
      .description('new metadata at the end of the device of a volume; what is there must be named')
      .argument('<resource>')
      .option('--volume <NUMBER>', 'which of its volumes')
      .option('--overwrite <UUID,…>', 'metadata that are there and go; "data": bytes that nobody knows')
      .option('--keep <UUID,…>', 'a filesystem that is there and becomes what the volume holds'),
    'changes',
    async (runtime, [name = ''], options) =>
      (await import('../drbd-config.ts')).createMetadata(runtime, name, options),
  );
}

function addDrbdConfig(config: Command, verb: Verb): void {
  verb(
    config
      .command('create')
      .description('write the file of a new resource, which drbdadm has read beforehand')
      .argument('<resource>')
      .requiredOption(
        '--hosts <NAME=ADDRESS:PORT,…>',
        'its hosts; [::1]:7788 for IPv6, #1 behind it for a node id',
      )
      .requiredOption('--volumes <MINOR:DEVICE,…>', 'its volumes; HOST=MINOR:DEVICE for one host alone')
      .option('--protocol <A|B|C>', 'C unless it is said')
      .option('--set <SECTION.OPTION=VALUE,…>', 'options of net, disk or options, as drbd.conf(5) has them'),
    'changes',
    async (runtime, [name = ''], options) =>
      (await import('../drbd-config.ts')).createConfig(runtime, name, options),
  );
  verb(
    config
      .command('remove')
      .description('remove the file of a resource that is not up; data and metadata stay')
      .argument('<resource>'),
    'changes',
    async (runtime, [name = '']) => (await import('../drbd-config.ts')).removeConfig(runtime, name),
  );
}
