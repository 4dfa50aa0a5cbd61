import type { Command } from 'commander';
import type { Verb } from './verb.ts';

export function addFilesystem(filesystem: Command, verb: Verb): void {
  const info = filesystem
    .command('info')
    .description('size, use and mounts of the filesystem on a device')
    .argument('<device>');
  verb(info, 'reads', async (runtime, [device = '']) =>
    (await import('../filesystem.ts')).info(runtime, device),
  );
  const check = filesystem
    .command('check')
    .description(
      'read a filesystem that is not mounted through, and change nothing (exit 6: it has errors); or repair it',
    )
    .argument('<device>')
    .option('--repair', 'mend its errors, after which there is no way back')
    .option(
      '--may-lose-files',
      'with --repair: mend also what a person would be asked about; of xfs and vfat nothing else is mended',
    );
  verb(
    check,
    ({ repair }) => (repair === true ? 'changes' : 'reads'),
    async (runtime, [device = ''], options) => {
      if (options.repair !== true && options.mayLoseFiles !== true)
        return (await import('../filesystem.ts')).check(runtime, device);
      return (await import('../filesystem-repair.ts')).repair(runtime, device, options);
    },
  );
  const create = filesystem
    .command('create')
    .description('make a filesystem or swap area on a device; never over what is not named')
    .argument('<device>')
    .requiredOption('--type <TYPE>', 'ext2, ext3, ext4, xfs, btrfs, vfat or swap')
    .option('--label <LABEL>', 'its name')
    .option('--uuid <UUID>', 'chosen by bofh when it is left out; of vfat ABCD-1234')
    .option('--overwrite <UUID|TYPE>', 'exactly what is there and may be lost')
    .option('--block-size <BYTES>', 'of ext2/3/4 and xfs')
    .option('--bytes-per-inode <BYTES>', 'of ext2/3/4')
    .option('--reserved-percent <PERCENT>', 'of ext2/3/4: for root alone')
    .option('--node-size <BYTES>', 'of btrfs')
    .option('--checksum <NAME>', 'of btrfs: crc32c, xxhash, sha256 or blake2')
    .option('--fat-bits <BITS>', 'of vfat: 12, 16 or 32');
  verb(create, 'changes', async (runtime, [device = ''], options) =>
    (await import('../filesystem-create.ts')).create(runtime, device, options),
  );
  const label = filesystem
    .command('label')
    .description('give a filesystem or swap area another label; without one it has none any more')
    .argument('<device>')
    .argument('[label]');
  verb(label, 'changes', async (runtime, [device = '', text]) =>
    (await import('../filesystem.ts')).label(runtime, device, text),
  );
  const uuid = filesystem
    .command('uuid')
    .description('give a filesystem or swap area that nobody uses another uuid, as a clone needs it')
    .argument('<device>')
    .option('--uuid <UUID>', 'chosen by bofh when it is left out; of vfat ABCD-1234')
    .option(
      '--add-seed',
      'give an ext4 the feature that it needs for it, which a GRUB before 2.12 cannot read',
    );
  verb(uuid, 'changes', async (runtime, [device = ''], options) =>
    (await import('../filesystem-uuid.ts')).uuid(runtime, device, options),
  );
  const resize = filesystem
    .command('resize')
    .description('set the size of a filesystem alone; "max" fills its device')
    .argument('<device>')
    .argument('<size|max>');
  verb(resize, 'changes', async (runtime, [device = '', size = '']) =>
    (await import('../filesystem.ts')).resize(runtime, device, size),
  );
}
