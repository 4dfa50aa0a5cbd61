import { type Command, Option } from 'commander';
import type { Verb } from './verb.ts';

/** The verbs of a resource on all its hosts. */
export function addReplica(drbd: Command, verb: Verb): void {
  verb(
    drbd
      .command('create')
      .description('create a resource on two hosts: volumes, configuration and metadata; up and connected')
      .argument('<resource>')
      .requiredOption('--on <HOST,HOST>', 'the two hosts, as ssh or the site file names them')
      .requiredOption('--size <SIZE>', 'size of the device; the volumes below are larger by the metadata')
      .option('--vg <NAME>', 'volume group on both hosts (default: volumeGroup of the site file)')
      .option(
        '--address <HOST=IP,…>',
        'addresses for the replication (default: the one network both hosts are in)',
      )
      .option('--port <N>', 'TCP port (default: the lowest free on both hosts, from 7788)')
      .option('--minor <N>', 'minor number (default: the lowest free on both hosts)')
      .option('--protocol <A|B|C>', 'protocol (default: C)')
      .addOption(
        new Option(
          '--initial-sync <HOW>',
          'skip: no resync, because both sides are zeros; full: send all data',
        )
          .choices(['skip', 'full'])
          .default('skip'),
      )
      .option('--primary <HOST>', 'host that becomes primary'),
    'changes',
    async (runtime, [name = ''], options) =>
      (await import('../drbd/create.ts')).create(runtime, name, options),
  );
  verb(
    drbd
      .command('convert')
      .description('replicate an existing logical volume, with its data, to a second host')
      .argument('<vg/lv>', 'unused volume of this host')
      .requiredOption('--to <HOST>', 'peer, as ssh or the site file names it')
      .option('--name <NAME>', 'name of the resource (default: name of the volume)')
      .option('--vg <NAME>', 'volume group on the peer (default: the same as here)')
      .option(
        '--address <HOST=IP,…>',
        'addresses for the replication (default: the one network both hosts are in)',
      )
      .option('--port <N>', 'TCP port (default: the lowest free on both hosts, from 7788)')
      .option('--minor <N>', 'minor number (default: the lowest free on both hosts)')
      .option('--protocol <A|B|C>', 'protocol (default: C)'),
    'changes',
    async (runtime, [volume = ''], options) =>
      (await import('../drbd/convert.ts')).convert(runtime, volume, options),
  );
  verb(
    drbd
      .command('replace-peer')
      .description(
        'replace the peer of a resource by another host; it gets the data of this host, which may stay in use',
      )
      .argument('<resource>', 'resource that is up to date on this host')
      .requiredOption('--to <HOST>', 'new peer, as ssh or the site file names it')
      .option('--from <HOST>', 'old peer, if ssh knows it by another name than the configuration')
      .option('--lost', 'the old peer is lost and is not contacted; it may be the new peer, reinstalled')
      .option('--keep-volumes', 'keep the logical volume of the old peer, with its metadata')
      .addOption(new Option('--keep-volume', 'the same').hideHelp())
      .option('--vg <NAME>', 'volume group on the new peer (default: the same as here)')
      .option(
        '--address <HOST=IP,…>',
        'addresses for the replication (default: the one network both hosts are in)',
      )
      .option(
        '--port <N>',
        'TCP port (default: the current one, or the lowest free on both hosts, from 7788)',
      ),
    'changes',
    async (runtime, [name = ''], options) =>
      (await import('../drbd/replace-peer.ts')).replacePeer(runtime, name, options),
  );
  const on = [
    '--on <HOST,HOST>',
    'the two hosts, if ssh knows them by other names than the configuration',
  ] as const;
  verb(
    drbd
      .command('remove')
      .description(
        'remove a resource on both hosts: bring it down, remove its configuration and its logical volumes',
      )
      .argument('<resource>')
      .option(...on)
      .option('--keep-volumes', 'keep its logical volumes, with their metadata')
      .addOption(new Option('--keep-volume', 'the same').hideHelp())
      .option('--keep-on <HOST>', 'keep the data on this host, in a plain volume without metadata')
      .option('--here', 'only on this host, for example when the peer is lost'),
    'changes',
    async (runtime, [name = ''], options) =>
      (await import('../drbd/known.ts')).remove(runtime, name, options),
  );
  verb(
    drbd
      .command('promote')
      .description('make one host primary and the other secondary; refused while the device is in use')
      .argument('<resource>')
      .option('--to <HOST>', 'the host to make primary (default: this host)')
      .option('--time <DURATION>', 'longest time to wait for a resync (default: 5m)')
      .option(...on),
    'changes',
    async (runtime, [name = ''], options) =>
      (await import('../drbd/known.ts')).promote(runtime, name, options),
  );
  verb(
    drbd
      .command('demote')
      .description('make a resource secondary on the host where it is primary')
      .argument('<resource>')
      .option(...on),
    'changes',
    async (runtime, [name = ''], options) =>
      (await import('../drbd/known.ts')).demote(runtime, name, options),
  );
  verb(
    drbd
      .command('grow')
      .description('grow a resource: its logical volumes on both hosts, then its device')
      .argument('<resource>')
      .argument('<size>', '20g, +5g, or max')
      .option(...on),
    'changes',
    async (runtime, [name = '', size = ''], options) =>
      (await import('../drbd/known.ts')).grow(runtime, { name, size }, options),
  );
}
