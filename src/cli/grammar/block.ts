import type { Command } from 'commander';
import type { Verb } from './verb.ts';

export function addBlock(block: Command, verb: Verb): void {
  const tree = block
    .command('tree')
    .description('what lies on what, from the disks to the guests, with sizes; it changes nothing')
    .argument('[device]', 'only what this one lies on and what lies on it');
  verb(tree, 'reads', async (runtime, [device]) => (await import('../block-tree.ts')).tree(runtime, device));
  const resize = block
    .command('resize')
    .description(
      'resize a device with all that lies on it, to a size (20g), by one (+5g, -1g), to min or to max',
    )
    .argument('<device>')
    .argument('<size>')
    .option('--bare', 'the device alone: nobody looks at what lies on it')
    .option(
      '--key <KEY>',
      'of an encrypted device in it: file:/PATH, command:/PROGRAM ARG…, credential:NAME, site:NAME or ask',
    )
    .option(
      '--on <HOST,HOST>',
      'of a replicated disk in it: its two hosts, as ssh or the site file names them',
    )
    // -1g looks like an option; what is none and no size is refused as a size.
    .allowUnknownOption();
  verb(resize, 'changes', async (runtime, args, options) =>
    (await import('../block-resize.ts')).resize(runtime, args, options),
  );
  const wipe = block
    .command('wipe')
    .description(
      'erase the signatures on a device that nobody uses, so that it is blank; never what is not named',
    )
    .argument('<device>')
    .option(
      '--overwrite <UUID|TYPE,…>',
      'all that is there: the uuid of each content, or its type if it has none',
    );
  verb(wipe, 'changes', async (runtime, [device = ''], options) =>
    (await import('../block-wipe.ts')).wipe(runtime, device, options),
  );
  for (const how of ['discard', 'zero'] as const) {
    const what = how === 'zero' ? 'fill a device with zeros' : 'discard all that is on a device';
    const destroy = block
      .command(how)
      .description(`${what} that nobody uses; what is on it is lost, and must be named`)
      .argument('<device>')
      .option(
        '--overwrite <UUID|TYPE,…>',
        'all that is there: the uuid of each content, or its type if it has none; blank: whatever is on a device without a signature',
      );
    verb(destroy, 'changes', async (runtime, [device = ''], options) =>
      (await import('../block-wipe.ts')).destroy(runtime, { device, how }, options),
    );
  }
  addPartitions(block, verb);
  const image = block
    .command('image')
    .description('files that are to be block devices')
    .command('create')
    .description('make a file of a size; it takes room as it is written to')
    .argument('<file>')
    .argument('<size>')
    .option('--allocate', 'it takes all of its room at once');
  verb(image, 'changes', async (runtime, [file = '', size = ''], options) =>
    (await import('../block-image.ts')).create(runtime, { file, size }, options),
  );
  addLoop(block.command('loop').description('block devices that are files'), verb);
}

function addLoop(loop: Command, verb: Verb): void {
  verb(
    loop.command('list').description('every loop device, and the file behind it'),
    'reads',
    async (runtime) => (await import('../block-loop.ts')).list(runtime),
  );
  const attach = loop
    .command('attach')
    .description('make a block device of a file, until it is detached or the host boots')
    .argument('<file>')
    .option('--read-only', 'nothing can be written to it')
    .option('--offset <SIZE>', 'where in the file it begins')
    .option('--size <SIZE>', 'how much of the file it shows (default: all up to the end)')
    .option('--partitions', 'make devices of its partitions too, /dev/loop3p1')
    .option('--adopt', 'if the very part is attached already, the same way, that device will do');
  verb(attach, 'changes', async (runtime, [file = ''], options) =>
    (await import('../block-loop.ts')).attach(runtime, file, options),
  );
  const detach = loop
    .command('detach')
    .description('take the file away from a loop device that nobody uses')
    .argument('<device>');
  verb(detach, 'changes', async (runtime, [device = '']) =>
    (await import('../block-loop.ts')).detach(runtime, device),
  );
}

function addPartitions(block: Command, verb: Verb): void {
  const list = block
    .command('partitions')
    .description(
      'the partition table of a disk, what the kernel has of it, and what is free; it changes nothing',
    )
    .argument('<device>');
  verb(list, 'reads', async (runtime, [device = '']) =>
    (await import('../block-partitions.ts')).list(runtime, device),
  );
  const create = block
    .command('partition-table')
    .description('partition tables')
    .command('create')
    .description('write an empty partition table on a blank disk')
    .argument('<device>')
    .option('--type <TYPE>', 'gpt (the default) or dos')
    .option('--id <ID>', 'of gpt a UUID, of dos 0x and eight digits; chosen by bofh when it is left out');
  verb(create, 'changes', async (runtime, [device = ''], options) =>
    (await import('../block-partitions.ts')).createTable(runtime, device, options),
  );
  const partition = block.command('partition').description('partitions of a disk');
  const add = partition
    .command('add')
    .description(
      'add a partition where there is room, also while others are in use; "max" takes the largest free run',
    )
    .argument('<device>')
    .argument('<size|max>')
    .option(
      '--type <TYPE>',
      'linux (the default), swap, lvm, raid, esp, bios-boot, a GUID, or of dos a number',
    )
    .option('--name <NAME>', 'of gpt')
    .option('--uuid <UUID>', 'of gpt; chosen by bofh when it is left out');
  verb(add, 'changes', async (runtime, args, options) =>
    (await import('../block-partitions.ts')).add(runtime, args, options),
  );
  const grow = partition
    .command('grow')
    .description('make a partition larger where it is; what lies on it keeps its size')
    .argument('<device>')
    .argument('<number>')
    .argument('<size|max>');
  verb(grow, 'changes', async (runtime, args) =>
    (await import('../block-partitions.ts')).grow(runtime, args),
  );
}
