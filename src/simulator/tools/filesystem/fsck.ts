import { readOptions, unmodelled } from '../../options.ts';
import type { Superblock } from '../../world/parts.ts';
import type { World } from '../../world/world.ts';
import { failed, ok, type ToolCall, type ToolModel } from '../answer.ts';
import { type Held, heldBy } from '../blockdevice/held.ts';
import { e2banner, usedOf } from './sizes.ts';

/** Programs that check and repair a filesystem (e2fsprogs 1.47, xfsprogs 6.1, dosfstools 4.2). */
export const fsckTools: Readonly<Record<string, ToolModel>> = {
  e2fsck,
  xfs_repair: xfsRepair,
  'fsck.vfat': fsckVfat,
};

/** Removes the errors. The write stays in the page cache of the device until a sync. */
function mended(world: World, { storage, superblock }: Held): void {
  const content = world.live.get(storage);
  const { errors: _, ...rest } = superblock;
  // e2fsck replays the journal.
  world.live.set(storage, { ...content, superblock: rest, needsRecovery: false });
}

/**
 * e2fsck, whose exit code is a sum (e2fsck(8)): 1 repaired, 4 errors are left, 8 the check failed.
 */
function e2fsck(call: ToolCall): ReturnType<ToolModel> {
  const { flags, words } = readOptions(call, { flags: ['-f', '-p', '-n', '-y'] });
  const [path = '', ...more] = words;
  if (flags.size !== 2 || !flags.has('-f') || more.length > 0)
    throw unmodelled(call, 'it answers `e2fsck -f -p DEVICE`, and with -n or -y');
  const held = heldBy(call.world, path, /^ext[234]$/);
  if (held === undefined)
    return failed(
      8,
      `e2fsck: No such file or directory while trying to open ${path}\nPossibly non-existent device?`,
    );
  if (held.mounts.length > 0)
    return failed(8, 'e2fsck: Cannot continue, aborting.\n\n', `${path} is mounted.\n`);
  if (flags.has('-n')) return checkedExt(call.world, path, held);
  const { errors } = held.superblock;
  if (errors === true && flags.has('-p'))
    return failed(
      4,
      `\n\n${path}: UNEXPECTED INCONSISTENCY; RUN fsck MANUALLY.\n\t(i.e., without -a or -p options)`,
      `${path}: Entry 'a' in / (2) has an incorrect filetype (was 2, should be 1).\n`,
    );
  const sum = countedExt(call.world, path, held);
  if (call.world.live.has(held.storage)) mended(call.world, held);
  if (!isWrong(errors)) return ok(sum);
  return { exitCode: 1, stdout: `${path}: Inode 2 ref count is 4, should be 3.  FIXED.\n${sum}`, stderr: '' };
}

function countedExt(world: World, path: string, held: Held): string {
  return `${path}: 11/16384 files (0.0% non-contiguous), ${usedOf(world, held)}/${held.blocks} blocks\n`;
}

function isWrong(errors: Superblock['errors']): boolean {
  return errors !== undefined && errors !== false;
}

/**
 * `e2fsck -f -n`: ignores a journal that was not replayed, and errors that only the superblock
 * records.
 */
function checkedExt(world: World, path: string, held: Held): ReturnType<ToolModel> {
  const { storage, superblock } = held;
  const unplayed = 'Warning: skipping journal recovery because doing a read-only filesystem check.\n';
  const head = world.live.get(storage)?.needsRecovery === true ? unplayed : '';
  const said = `${head}Pass 1: Checking inodes, blocks, and sizes\n`;
  const sum = countedExt(world, path, held);
  if (!isWrong(superblock.errors) || superblock.errors === 'noted') return ok(said + sum, e2banner('e2fsck'));
  return failed(
    4,
    e2banner('e2fsck'),
    `${said}${path}: ********** WARNING: Filesystem still has errors **********\n${sum}`,
  );
}

/**
 * xfs_repair, which never replays the log (test/fixtures/xfs_repair/dirty@6.1.0.json); with a dirty
 * log and without `-n` it exits with 2 (xfs_repair(8)).
 */
function xfsRepair(call: ToolCall): ReturnType<ToolModel> {
  const { flags, words } = readOptions(call, { flags: ['-n'] });
  const [path = '', ...more] = words;
  if (more.length > 0) throw unmodelled(call, 'it answers `xfs_repair DEVICE`, and with -n');
  const held = heldBy(call.world, path, /^xfs$/);
  if (held === undefined)
    return failed(1, `${path}: No such file or directory\n\nfatal error -- couldn't initialize XFS library`);
  if (held.mounts.length > 0)
    return failed(
      1,
      `xfs_repair: ${path} contains a mounted filesystem\n\nfatal error -- couldn't initialize XFS library`,
    );
  const said =
    'Phase 1 - find and verify superblock...\nPhase 2 - using internal log\n        - zero log...\n';
  const isDirty = call.world.live.get(held.storage)?.needsRecovery === true;
  if (flags.has('-n')) {
    const end = 'No modify flag set, skipping phase 5\n';
    if (isDirty)
      return failed(
        1,
        `${said}ALERT: The filesystem has valuable metadata changes in a log which is being\nignored because the -n option was used.`,
        end,
      );
    const last = `${said}Phase 7 - verify link counts...\nNo modify flag set, skipping filesystem flush and exiting.\n`;
    return isWrong(held.superblock.errors) ? failed(1, last, end) : ok(end, last);
  }
  if (isDirty)
    return failed(
      2,
      `${said}ERROR: The filesystem has valuable metadata changes in a log which needs to\nbe replayed.  Mount the filesystem to replay the log, and unmount it before\nre-running xfs_repair.`,
    );
  mended(call.world, held);
  return ok('', `${said}Phase 7 - verify and correct link counts...\ndone\n`);
}

/**
 * fsck.vfat: `-n -v` also prints the geometry, `-a` repairs; both exit with 1 if they have found
 * something (fsck.fat(8)).
 */
function fsckVfat(call: ToolCall): ReturnType<ToolModel> {
  const { flags, words } = readOptions(call, { flags: ['-n', '-v', '-a'] });
  const [path = '', ...more] = words;
  const how = [...flags].toSorted().join(' ');
  if ((how !== '-n -v' && how !== '-a') || more.length > 0)
    throw unmodelled(call, 'it answers `fsck.vfat -n -v DEVICE`, and `-a`');
  const held = heldBy(call.world, path, /^vfat$/);
  if (held === undefined) return failed(6, `open: No such file or directory`);
  const { blocks, blockSize } = held;
  const clusters = Math.floor(blocks / 4) - 10;
  const wrong = isWrong(held.superblock.errors);
  const found = wrong
    ? ['Dirty bit is set. Fs was not properly unmounted and some data may be corrupt.']
    : [];
  const geometry = [
    `${String(blockSize).padStart(10)} bytes per logical sector`,
    `${String(blockSize * 4).padStart(10)} bytes per cluster`,
    `${String(blocks).padStart(10)} sectors total`,
  ];
  const stdout = [
    'fsck.fat 4.2 (2021-01-31)',
    ...(how === '-a' ? [] : geometry),
    ...found,
    `${path}: 0 files, ${Math.min(clusters, usedOf(call.world, held) - 1024)}/${clusters} clusters`,
    '',
  ].join('\n');
  if (how === '-a' && wrong) mended(call.world, held);
  return { exitCode: wrong ? 1 : 0, stdout, stderr: '' };
}
