import { type Command, Option } from 'commander';
import type { Verb } from './verb.ts';

/** The verbs of a resource on all its hosts. */
export function addReplica(drbd: Command, verb: Verb): void {
  verb(
    drbd
      .command('create')
      .description('make a resource on two hosts: volumes, configuration, metadata, up and connected')
      .argument('<resource>')
      .requiredOption('--on <HOST,HOST>', 'its two hosts, as ssh or the site file names them')
      .requiredOption('--size <SIZE>', 'of the device; the volumes beneath are larger by the metadata')
      .option('--vg <NAME>', 'the volume group on each host; volumeGroup of the site file')
      .option('--address <HOST=IP,…>', 'where they reach one another; the one network that both are in')
      .option('--port <N>', 'the lowest, from 7788, that is free on both')
      .option('--minor <N>', 'the lowest that is free on both')
      .option('--protocol <A|B|C>', 'C unless it is said')
      .addOption(
        new Option(
          '--initial-sync <HOW>',
          'skip: both are all zeros, and alike; full: all is sent all the same',
        )
          .choices(['skip', 'full'])
          .default('skip'),
      )
      .option('--primary <HOST>', 'which of the two is the primary in the end'),
    'changes',
    async (runtime, [name = ''], options) => (await import('../replica.ts')).create(runtime, name, options),
  );
  verb(
    drbd
      .command('convert')
      .description('have another host replicate a logical volume that is there, with all that is on it')
      .argument('<vg/lv>', 'a volume of this host that nobody uses')
      .requiredOption('--to <HOST>', 'the other host, as ssh or the site file names it')
      .option('--name <NAME>', 'of the resource; that of the volume')
      .option('--vg <NAME>', 'the volume group on the other host; the same as here')
      .option('--address <HOST=IP,…>', 'where they reach one another; the one network that both are in')
      .option('--port <N>', 'the lowest, from 7788, that is free on both')
      .option('--minor <N>', 'the lowest that is free on both')
      .option('--protocol <A|B|C>', 'C unless it is said'),
    'changes',
    async (runtime, [volume = ''], options) =>
      (await import('../replica-convert.ts')).convert(runtime, volume, options),
  );
  verb(
    drbd
      .command('replace-peer')
      .description(
        'have another host replicate a resource in the place of its peer; the data are those of this host, and may be in use',
      )
      .argument('<resource>', 'one that is up to date on this host')
      .requiredOption('--to <HOST>', 'the new peer, as ssh or the site file names it')
      .option('--from <HOST>', 'the old peer, where the configuration does not name it as ssh does')
      .option(
        '--lost',
        'the old peer is gone for ever: it is not asked, and may be the new one, installed anew',
      )
      .option('--keep-volumes', 'leave the logical volume of the old peer, with the metadata on it')
      .addOption(new Option('--keep-volume', 'the same').hideHelp())
      .option('--vg <NAME>', 'the volume group on the new peer; the same as here')
      .option('--address <HOST=IP,…>', 'where the two reach one another; the one network that both are in')
      .option('--port <N>', 'the one that it has, or the lowest, from 7788, that is free on both'),
    'changes',
    async (runtime, [name = ''], options) =>
      (await import('../replica-replace.ts')).replacePeer(runtime, name, options),
  );
  const on = [
    '--on <HOST,HOST>',
    'its two hosts, where its configuration does not name them as ssh does',
  ] as const;
  verb(
    drbd
      .command('remove')
      .description('take a resource apart on both its hosts: down, its configuration, its logical volumes')
      .argument('<resource>')
      .option(...on)
      .option('--keep-volumes', 'leave its logical volumes, with the metadata on them')
      .addOption(new Option('--keep-volume', 'the same').hideHelp())
      .option('--keep-on <HOST>', 'on this host its data live on, in a plain volume without metadata')
      .option('--here', 'what this host has of it alone, as when the other one is gone'),
    'changes',
    async (runtime, [name = ''], options) =>
      (await import('../replica-known.ts')).remove(runtime, name, options),
  );
  verb(
    drbd
      .command('promote')
      .description(
        'make one host the primary of a resource, and the other one a secondary; never while that is used',
      )
      .argument('<resource>')
      .option('--to <HOST>', 'which one; this one unless it is said')
      .option('--time <DURATION>', 'how long to wait at most for a resync; 5m unless it is said')
      .option(...on),
    'changes',
    async (runtime, [name = ''], options) =>
      (await import('../replica-known.ts')).promote(runtime, name, options),
  );
  verb(
    drbd
      .command('demote')
      .description('make a resource secondary, on whichever of its hosts it is primary')
      .argument('<resource>')
      .option(...on),
    'changes',
    async (runtime, [name = ''], options) =>
      (await import('../replica-known.ts')).demote(runtime, name, options),
  );
  verb(
    drbd
      .command('grow')
      .description('make a resource larger: its logical volumes on both hosts, then its device')
      .argument('<resource>')
      .argument('<size>', '20g, +5g, or max')
      .option(...on),
    'changes',
    async (runtime, [name = '', size = ''], options) =>
      (await import('../replica-known.ts')).grow(runtime, { name, size }, options),
  );
}
