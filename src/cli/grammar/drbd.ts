import type { Command } from 'commander';
import { addReplica } from './replica.ts';
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
      .argument('[resource]')
      .option('--watch', 'show how each stands, and whatever changes, until Ctrl-C')
      .option('--every <DURATION>', 'with --watch: how often to look; 1s unless it is said'),
    'reads',
    async (runtime, [name], options) =>
      options.watch === true
        ? (await import('../drbd-watch.ts')).watch(runtime, name, options)
        : (await import('../drbd.ts')).status(runtime, name, options),
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
    drbd
      .command('next')
      .description('the port and the minor number that a new resource can have')
      .option('--on <HOST,HOST>', 'free on every one of these; on this host alone unless it is said'),
    'reads',
    async (runtime, _, options) => (await import('../drbd.ts')).next(runtime, options),
  );
  for (const [word, description] of [
    ['up', 'bring a configured resource up: its disks attached, looking for its peers'],
    ['down', 'take a resource down that is secondary and that nobody uses'],
    ['primary', 'make this host the primary, so that the devices can be used'],
    ['secondary', 'make this host a secondary; refused while somebody uses a device, who is named'],
    ['attach', 'attach the disks of a resource that is up'],
    ['detach', 'take its disks away from it; refused where nobody else has the data'],
    ['disconnect', 'end its connections, until it is connected again'],
    ['pause-sync', 'hold up its resync from this host'],
    ['resume-sync', 'let its resync go on'],
    ['adjust', 'have it follow its configuration'],
    ['resize', 'have it grow to its disks, once they are larger on every host'],
    ['new-current-uuid', 'skip the first resync of one that is new, and alike, on both hosts'],
    ['invalidate', 'take the data of this host for bad, and fetch all of them from the peer'],
    ['invalidate-remote', 'take the data of the peer for bad, and send all of them to it'],
  ] as const)
    verb(
      drbd.command(word).description(description).argument('<resource>'),
      'changes',
      async (runtime, [name = '']) => (await import('../drbd-change.ts')).change(runtime, name, word),
    );
  verb(
    drbd
      .command('connect')
      .description('have a resource that is StandAlone look for its peers')
      .argument('<resource>')
      .option('--discard-my-data', 'after a split brain: what was written on this host is lost'),
    'changes',
    async (runtime, [name = ''], options) =>
      (await import('../drbd-change.ts')).change(runtime, name, 'connect', options),
  );
  verb(
    drbd
      .command('verify')
      .description(
        'compare a resource with its peer, block by block, and wait for the end; exit 6 when they differ',
      )
      .argument('<resource>')
      .option('--time <DURATION>', 'how long to wait at most; 12h unless it is said'),
    'changes',
    async (runtime, [name = ''], options) => (await import('../drbd-wait.ts')).verify(runtime, name, options),
  );
  for (const [word, what, description] of [
    ['wait-connect', 'connection', 'wait until a resource is connected to every peer'],
    ['wait-sync', 'sync', 'wait until a resource is up to date on every side, and show how far it is'],
  ] as const)
    verb(
      drbd
        .command(word)
        .description(description)
        .argument('<resource>')
        .option('--time <DURATION>', 'how long at most; 5m unless it is said'),
      'reads',
      async (runtime, [name = ''], options) =>
        (await import('../drbd-wait.ts')).wait(runtime, { name, what }, options),
    );
  addReplica(drbd, verb);
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
  verb(
    drbd
      .command('wipe-md')
      .description('take the metadata of a volume off its device, which holds its data alone from then on')
      .argument('<resource>')
      .requiredOption('--overwrite <UUID>', 'of the metadata that are there and go')
      .option('--volume <NUMBER>', 'which of its volumes'),
    'changes',
    async (runtime, [name = ''], options) =>
      (await import('../drbd-config.ts')).removeMetadata(runtime, name, options),
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
