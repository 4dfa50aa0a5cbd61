import type { Command } from 'commander';
import type { Verb } from './verb.ts';

export function addFilesystem(filesystem: Command, verb: Verb): void {
  const show = filesystem
    .command('show')
    .description('show size, use and mounts of the filesystem on a device')
    .argument('<device>');
  verb(show, 'reads', async (runtime, [device = '']) =>
    (await import('../filesystem/filesystem.ts')).show(runtime, device),
  );
  const check = filesystem
    .command('check')
    .description('check an unmounted filesystem, read-only (exit 6: it has errors); or repair it')
    .argument('<device>')
    .option('--repair', 'repair its errors; cannot be undone')
    .option(
      '--may-lose-files',
      'with --repair: also repair what needs a decision; xfs and vfat are repaired only with it',
    );
  verb(
    check,
    ({ repair }) => (repair === true ? 'changes' : 'reads'),
    async (runtime, [device = ''], options) => {
      if (options.repair !== true && options.mayLoseFiles !== true)
        return (await import('../filesystem/filesystem.ts')).check(runtime, device);
      return (await import('../filesystem/repair.ts')).repair(runtime, device, options);
    },
  );
  const create = filesystem
    .command('create')
    .description(
      'create a filesystem or swap area on a device; content that is not named is never overwritten',
    )
    .argument('<device>')
    .requiredOption('--type <TYPE>', 'ext2, ext3, ext4, xfs, btrfs, vfat or swap')
    .option('--label <LABEL>', 'label of the filesystem')
    .option('--uuid <UUID>', 'UUID; for vfat ABCD-1234 (default: random)')
    .option('--overwrite <UUID|TYPE>', 'UUID, or type, of the content to overwrite')
    .option('--block-size <BYTES>', 'block size; ext2, ext3, ext4 and xfs only')
    .option('--bytes-per-inode <BYTES>', 'bytes for each inode; ext2, ext3 and ext4 only')
    .option('--reserved-percent <PERCENT>', 'space reserved for root, in percent; ext2, ext3 and ext4 only')
    .option('--node-size <BYTES>', 'node size; btrfs only')
    .option('--checksum <NAME>', 'crc32c, xxhash, sha256 or blake2; btrfs only')
    .option('--fat-bits <BITS>', '12, 16 or 32; vfat only');
  verb(create, 'changes', async (runtime, [device = ''], options) =>
    (await import('../filesystem/create.ts')).create(runtime, device, options),
  );
  const label = filesystem
    .command('label')
    .description('change the label of a filesystem or swap area, or remove it')
    .argument('<device>')
    .argument('[label]');
  verb(label, 'changes', async (runtime, [device = '', text]) =>
    (await import('../filesystem/filesystem.ts')).label(runtime, device, text),
  );
  const uuid = filesystem
    .command('uuid')
    .description('change the UUID of an unused filesystem or swap area, for example of a clone')
    .argument('<device>')
    .option('--uuid <UUID>', 'UUID; for vfat ABCD-1234 (default: random)')
    .option('--add-seed', 'ext4: enable the feature this needs; GRUB before 2.12 cannot read it');
  verb(uuid, 'changes', async (runtime, [device = ''], options) =>
    (await import('../filesystem/uuid.ts')).uuid(runtime, device, options),
  );
  const resize = filesystem
    .command('resize')
    .description('resize a filesystem without its device; "max" fills the device')
    .argument('<device>')
    .argument('<size|max>');
  verb(resize, 'changes', async (runtime, [device = '', size = '']) =>
    (await import('../filesystem/filesystem.ts')).resize(runtime, device, size),
  );
}
