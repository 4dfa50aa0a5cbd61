import type { Command } from 'commander';
import type { Verb } from './verb.ts';

export function addBlock(block: Command, verb: Verb): void {
  const tree = block
    .command('tree')
    .description('show the stack of block devices, from disks to guests, with sizes (read-only)')
    .argument('[device]', 'only this device, what is below it and what is above it');
  verb(tree, 'reads', async (runtime, [device]) => (await import('../block/tree.ts')).tree(runtime, device));
  const resize = block
    .command('resize')
    .description(
      'resize a device together with everything on it: to a size (20g), by a size (+5g, -1g), to min or to max',
    )
    .argument('<device>')
    .argument('<size>')
    .option('--bare', 'resize only the device; do not check its contents')
    .option(
      '--key <KEY>',
      'key of an encrypted device in the stack: file:/PATH, command:/PROGRAM ARG…, credential:NAME, site:NAME or ask',
    )
    .option(
      '--on <HOST,HOST>',
      'the two hosts of a replicated disk in the stack, as ssh or the site file names them',
    )
    // -1g looks like an option; what is none and no size is refused as a size.
    .allowUnknownOption();
  verb(resize, 'changes', async (runtime, args, options) =>
    (await import('../block/resize.ts')).resize(runtime, args, options),
  );
  const wipe = block
    .command('wipe')
    .description(
      'erase the signatures on an unused device, so that it is blank; only those named with --overwrite',
    )
    .argument('<device>')
    .option(
      '--overwrite <UUID|TYPE,…>',
      'everything on the device: the UUID of each content, or its type if it has no UUID',
    );
  verb(wipe, 'changes', async (runtime, [device = ''], options) =>
    (await import('../block/wipe.ts')).wipe(runtime, device, options),
  );
  for (const how of ['discard', 'zero'] as const) {
    const what = how === 'zero' ? 'fill an unused device with zeros' : 'discard all data on an unused device';
    const destroy = block
      .command(how)
      .description(`${what}; its content is lost and must be named with --overwrite`)
      .argument('<device>')
      .option(
        '--overwrite <UUID|TYPE,…>',
        'everything on the device: the UUID of each content, or its type if it has no UUID; blank: data without a signature',
      );
    verb(destroy, 'changes', async (runtime, [device = ''], options) =>
      (await import('../block/wipe.ts')).destroy(runtime, { device, how }, options),
    );
  }
  addPartitions(block, verb);
  const image = block
    .command('image')
    .description('disk image files')
    .command('create')
    .description('create an image file; space is allocated as it is written')
    .argument('<file>')
    .argument('<size>')
    .option('--allocate', 'allocate all of its space now');
  verb(image, 'changes', async (runtime, [file = '', size = ''], options) =>
    (await import('../block/image.ts')).create(runtime, { file, size }, options),
  );
  addLoop(block.command('loop').description('loop devices'), verb);
}

function addLoop(loop: Command, verb: Verb): void {
  verb(loop.command('list').description('list loop devices and their files'), 'reads', async (runtime) =>
    (await import('../block/loop.ts')).list(runtime),
  );
  const attach = loop
    .command('attach')
    .description('attach a file as a block device, until it is detached or the host reboots')
    .argument('<file>')
    .option('--read-only', 'attach it read-only')
    .option('--offset <SIZE>', 'start of the device in the file')
    .option('--size <SIZE>', 'size of the device (default: up to the end of the file)')
    .option('--partitions', 'create devices for its partitions too, such as /dev/loop3p1')
    .option('--adopt', 'use a device that already has this part of the file attached in the same way');
  verb(attach, 'changes', async (runtime, [file = ''], options) =>
    (await import('../block/loop.ts')).attach(runtime, file, options),
  );
  const detach = loop
    .command('detach')
    .description('detach an unused loop device from its file')
    .argument('<device>');
  verb(detach, 'changes', async (runtime, [device = '']) =>
    (await import('../block/loop.ts')).detach(runtime, device),
  );
}

function addPartitions(block: Command, verb: Verb): void {
  const list = block
    .command('partitions')
    .description(
      'show the partition table of a disk, the partitions the kernel knows and the free space (read-only)',
    )
    .argument('<device>');
  verb(list, 'reads', async (runtime, [device = '']) =>
    (await import('../block/partitions.ts')).list(runtime, device),
  );
  const create = block
    .command('partition-table')
    .description('partition tables')
    .command('create')
    .description('write an empty partition table to a blank disk')
    .argument('<device>')
    .option('--type <TYPE>', 'gpt or dos (default: gpt)')
    .option(
      '--id <ID>',
      'identifier of the table: a UUID for gpt, 0x and eight hex digits for dos (default: random)',
    );
  verb(create, 'changes', async (runtime, [device = ''], options) =>
    (await import('../block/partitions.ts')).createTable(runtime, device, options),
  );
  const partition = block.command('partition').description('partitions of a disk');
  const add = partition
    .command('add')
    .description(
      'add a partition in free space, also while other partitions are in use; "max" takes the largest free area',
    )
    .argument('<device>')
    .argument('<size|max>')
    .option(
      '--type <TYPE>',
      'linux, swap, lvm, raid, esp, bios-boot, a GUID, or for dos a number (default: linux)',
    )
    .option('--name <NAME>', 'partition name; gpt only')
    .option('--uuid <UUID>', 'partition UUID; gpt only (default: random)');
  verb(add, 'changes', async (runtime, args, options) =>
    (await import('../block/partitions.ts')).add(runtime, args, options),
  );
  const grow = partition
    .command('grow')
    .description('enlarge a partition in place; its content keeps its size')
    .argument('<device>')
    .argument('<number>')
    .argument('<size|max>');
  verb(grow, 'changes', async (runtime, args) =>
    (await import('../block/partitions.ts')).grow(runtime, args),
  );
}
