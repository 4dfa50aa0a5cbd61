import { posix } from 'node:path';
import { storageOf } from '../../world/files.ts';
import { resolve } from '../../world/resolve.ts';
import { type Device, openers } from '../../world/devices.ts';
import { one, readOptions, unmodelled } from '../../options.ts';
import { addInode, directory, emptyTree } from '../../world/tree.ts';
import type { World } from '../../world/world.ts';
import { failed, ok, type ToolCall, type ToolModel } from '../answer.ts';
import { deviceAt } from '../blockdevice/device-at.ts';
import { present } from '../../../core/present.ts';

/**
 * Programs that create a filesystem or swap (util-linux 2.38, e2fsprogs 1.47, btrfs-progs 6.2,
 * dosfstools 4.2, xfsprogs 6.1).
 */
export const mkfsTools: Readonly<Record<string, ToolModel>> = {
  'mkfs.btrfs': mkfsBtrfs,
  'mkfs.ext2': mkfsExt,
  'mkfs.ext3': mkfsExt,
  'mkfs.ext4': mkfsExt,
  'mkfs.vfat': mkfsVfat,
  'mkfs.xfs': mkfsXfs,
  mkswap,
};

/** Without a terminal, mkfs.ext* overwrites existing content and does not ask. */
function mkfsExt(call: ToolCall): ReturnType<ToolModel> {
  const options = readOptions(call, { values: ['-U', '-L', '-b', '-i', '-m'] });
  const target = targetOf(call, options.words);
  if ('exitCode' in target) return target;
  const { path, device } = target;
  if (call.world.mounts.some(({ storage }) => storage === device.storage))
    return failed(1, `mke2fs 1.47.0 (5-Feb-2023)\n${path} is mounted; will not make a filesystem here!`);
  if (openers(call.world, device.number).length > 0)
    return failed(
      1,
      `mke2fs 1.47.0 (5-Feb-2023)\n${path} is apparently in use by the system; will not make a filesystem here!`,
    );
  const blockSize = Number(one(options, '-b') ?? (device.size < 512 * 1024 ** 2 ? 1024 : 4096));
  const superblock = {
    type: call.tool.slice('mkfs.'.length),
    usage: 'filesystem',
    version: '1.0',
    blockSize,
    ...identity(call, options),
  } as const;
  const tree = emptyTree();
  addInode(tree, tree.root, 'lost+found', directory(0o700));
  const blocks = Math.floor(device.size / blockSize);
  write(call.world, device, { superblock: { ...superblock, blocks }, tree });
  return ok(
    `Creating filesystem with ${blocks} ${blockSize / 1024}k blocks\nFilesystem UUID: ${superblock.uuid}\n\nAllocating group tables: done\nWriting inode tables: done\nCreating journal: done\nWriting superblocks and filesystem accounting information: done\n\n`,
    'mke2fs 1.47.0 (5-Feb-2023)\n',
  );
}

function mkfsXfs(call: ToolCall): ReturnType<ToolModel> {
  const options = readOptions(call, { values: ['-m', '-L', '-b'] });
  const target = targetOf(call, options.words);
  if ('exitCode' in target) return target;
  const { path, device } = target;
  if (openers(call.world, device.number).length > 0)
    return failed(1, `mkfs.xfs: ${path} contains a mounted filesystem`);
  const old = call.world.live.get(device.storage)?.superblock;
  if (old !== undefined)
    return failed(
      1,
      `mkfs.xfs: ${path} appears to contain an existing filesystem (${old.type}).\nmkfs.xfs: Use the -f option to force overwrite.`,
    );
  if (device.size < 300 * 1024 ** 2) return failed(1, 'Filesystem must be larger than 300MB.');
  const bytes = Number(one(options, '-b')?.replace('size=', '') ?? 4096);
  // blkid reports the sector size of xfs as its block size (util-linux 2.38), so `blockSize` is not set.
  const blocks = Math.floor(device.size / 4096);
  if (bytes !== 4096) throw unmodelled(call, 'it makes blocks of 4096 bytes');
  const superblock = { type: 'xfs', usage: 'filesystem', blocks, ...identity(call, options) } as const;
  write(call.world, device, { superblock, tree: emptyTree() });
  return ok(`meta-data=${path}\nDiscarding blocks...Done.\n`);
}

function mkfsBtrfs(call: ToolCall): ReturnType<ToolModel> {
  const options = readOptions(call, { values: ['-U', '-L', '--nodesize', '--csum'] });
  const target = targetOf(call, options.words);
  if ('exitCode' in target) return target;
  const { path, device } = target;
  const head = 'btrfs-progs v6.2\nSee http://btrfs.wiki.kernel.org for more information.\n\n';
  const made = identity(call, options);
  if ([...call.world.live.values()].some(({ superblock }) => superblock?.uuid === made.uuid))
    return failed(1, `ERROR: non-unique UUID: ${made.uuid}`, head);
  const old = call.world.live.get(device.storage)?.superblock;
  if (old !== undefined)
    return failed(
      1,
      `ERROR: ${path} appears to contain an existing filesystem (${old.type})\nERROR: use the -f option to force overwrite of ${path}`,
      head,
    );
  if (openers(call.world, device.number).length > 0)
    return failed(1, `ERROR: unable to open ${path}: Device or resource busy`, head);
  if (device.size < 114_294_784)
    return failed(
      1,
      `ERROR: '${path}' is too small to make a usable filesystem\nERROR: minimum size for each btrfs device is 114294784`,
      head,
    );
  const blocks = Math.floor(device.size / 4096);
  const superblock = { type: 'btrfs', usage: 'filesystem', blockSize: 4096, blocks, ...made } as const;
  write(call.world, device, { superblock, tree: emptyTree() });
  return ok(head);
}

function mkfsVfat(call: ToolCall): ReturnType<ToolModel> {
  const options = readOptions(call, { values: ['-i', '-n', '-F'] });
  const target = targetOf(call, options.words);
  if ('exitCode' in target) return target;
  const { path, device } = target;
  const banner = 'mkfs.fat 4.2 (2021-01-31)\n';
  if (openers(call.world, device.number).length > 0)
    return failed(1, `mkfs.vfat: ${path} contains a mounted filesystem.`, banner);
  const number = one(options, '-i');
  if (number === undefined) throw unmodelled(call, 'it needs -i: bofh always chooses the volume number');
  const uuid = number.toUpperCase().replace(/^.{4}/, '$&-');
  const label = one(options, '-n');
  const superblock = {
    ...({ type: 'vfat', usage: 'filesystem', version: 'FAT16', blockSize: 512, uuid } as const),
    ...present({ label }),
    blocks: Math.floor(device.size / 512),
  };
  write(call.world, device, { superblock, tree: emptyTree() });
  return ok(banner);
}

const notThere: Readonly<Record<string, (path: string) => string>> = {
  'mkfs.xfs': (path) => `Error accessing specified device ${path}: No such file or directory`,
  'mkfs.btrfs': (path) => `ERROR: probe of ${path} failed, cannot detect existing filesystem`,
  'mkfs.vfat': (path) => `mkfs.vfat: unable to open ${path}: No such file or directory`,
};

function mkswap(call: ToolCall): ReturnType<ToolModel> {
  const options = readOptions(call, { values: ['-U', '-L'] });
  const target = targetOf(call, options.words);
  if ('exitCode' in target) return target;
  const { path, device } = target;
  if (openers(call.world, device.number).length > 0)
    return failed(1, `mkswap: error: ${path} is mounted; will not make swapspace`);
  const old = call.world.live.get(device.storage)?.superblock;
  const superblock = { type: 'swap', usage: 'other', version: '1', ...identity(call, options) } as const;
  const blocks = Math.floor(device.size / 4096);
  write(call.world, device, { superblock: { ...superblock, blocks } });
  const said = `Setting up swapspace version 1, size = ${Math.floor(device.size / 1024 ** 2)} MiB (${device.size - 4096} bytes)\nno label, UUID=${superblock.uuid}\n`;
  return ok(said, old === undefined ? '' : `mkswap: ${path}: warning: wiping old ${old.type} signature.\n`);
}

function identity(
  call: ToolCall,
  options: ReturnType<typeof readOptions>,
): { readonly uuid: string; readonly label?: string } {
  const uuid = one(options, '-U') ?? one(options, '-m')?.replace('uuid=', '');
  const label = one(options, '-L');
  if (uuid === undefined) throw unmodelled(call, 'it needs -U: bofh always chooses the uuid');
  return label === undefined ? { uuid } : { uuid, label };
}

function targetOf(call: ToolCall, words: readonly string[]) {
  const [path = '', ...more] = words;
  if (more.length > 0) throw unmodelled(call, 'it takes one device');
  const device = deviceAt(call.world, path) ?? blankImage(call.world, path);
  if (device !== undefined) return { path, device };
  const failure = notThere[call.tool];
  if (failure !== undefined) return failed(1, failure(path));
  return call.tool === 'mkswap'
    ? failed(1, `mkswap: cannot open ${path}: No such file or directory`)
    : failed(1, `mke2fs 1.47.0 (5-Feb-2023)\nThe file ${path} does not exist and no size was specified.`);
}

/** Returns the device of an image file that truncate(1) created and nothing wrote to. */
function blankImage(world: World, path: string): Device | undefined {
  const there = resolve(world, path, 'follow');
  if (!there.found || there.inode.kind !== 'file' || there.inode.length === undefined) return undefined;
  return {
    number: '',
    name: posix.basename(there.path),
    size: there.inode.length,
    storage: storageOf(world, there),
  };
}

/** Writes to a device. The write stays in the page cache until a sync. */
function write(world: World, device: Device, content: Parameters<World['live']['set']>[1]): void {
  world.live.set(device.storage, content);
}
