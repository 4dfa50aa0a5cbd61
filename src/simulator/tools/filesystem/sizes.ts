import { resolve } from '../../world/resolve.ts';
import type { Superblock } from '../../world/parts.ts';
import type { World } from '../../world/world.ts';
import { failed, ok, type ToolCall, type ToolModel } from '../answer.ts';
import { deviceAt } from '../blockdevice/device-at.ts';
import { superblockBytes } from '../blockdevice/superblock-bytes.ts';
import { devicesOf, memberOf } from '../btrfs/devices.ts';
import { type Held, heldBy, mountedAt, xfsBlocksOnDevice } from '../blockdevice/held.ts';
import { btrfsLabel, xfsLabel } from './labels.ts';
import { xfsUuid } from './uuids.ts';
import { one, readOptions, unmodelled } from '../../options.ts';

/**
 * Programs that print and change the size of a filesystem (e2fsprogs 1.47, xfsprogs 6.1,
 * btrfs-progs 6.2).
 */
export const sizeTools: Readonly<Record<string, ToolModel>> = {
  dumpe2fs,
  resize2fs,
  xfs_db: xfsDb,
  xfs_growfs: xfsGrowfs,
  btrfs,
  stat,
  od,
};

/**
 * Sets the size. The superblock stays in the page cache of the device until a sync; a mounted
 * filesystem writes it itself.
 */
function setBlocks(
  world: World,
  { storage, mounts }: Held,
  blocks: number,
  more?: Pick<Superblock, 'outOfDate'>,
): void {
  for (const contents of mounts.length > 0 ? [world.live, world.durable] : [world.live]) {
    const content = contents.get(storage);
    if (content?.superblock !== undefined)
      contents.set(storage, { ...content, superblock: { ...content.superblock, blocks, ...more } });
  }
}

/** Returns the used bytes: its own tables, and what a test wrote into it. */
export function usedOf(world: World, { storage, blockSize }: Held): number {
  const { tree } = world.live.get(storage) ?? {};
  const files = [...(tree?.inodes.values() ?? [])].map(({ content }) => content?.length ?? 0);
  return 1024 + files.reduce((sum, length) => sum + Math.ceil(length / blockSize), 0);
}

const ext = /^ext[234]$/;
export const e2banner = (tool: string): string => `${tool} 1.47.0 (5-Feb-2023)\n`;

function dumpe2fs(call: ToolCall): ReturnType<ToolModel> {
  const { flags, words } = readOptions(call, { flags: ['-h'] });
  const [path = '', ...more] = words;
  if (!flags.has('-h') || more.length > 0) throw unmodelled(call, 'it answers `dumpe2fs -h DEVICE`');
  if (deviceAt(call.world, path) === undefined)
    return failed(
      2,
      `${e2banner('dumpe2fs')}dumpe2fs: No such file or directory while trying to open ${path}`,
      "Couldn't find valid filesystem superblock.\n",
    );
  const held = heldBy(call.world, path, ext);
  if (held === undefined)
    return failed(
      1,
      `${e2banner('dumpe2fs')}dumpe2fs: Bad magic number in super-block while trying to open ${path}`,
      "Couldn't find valid filesystem superblock.\n",
    );
  const { superblock, blocks, blockSize } = held;
  const state = superblock.errors === true || superblock.errors === 'noted' ? 'clean with errors' : 'clean';
  const rows: readonly (readonly [string, string | number])[] = [
    ['Filesystem volume name', superblock.label ?? '<none>'],
    ['Filesystem UUID', superblock.uuid ?? '<none>'],
    [
      'Filesystem features',
      [
        'has_journal ext_attr resize_inode dir_index filetype extent 64bit flex_bg sparse_super',
        ...(superblock.features ?? []),
        ...(call.world.live.get(held.storage)?.needsRecovery === true ? ['needs_recovery'] : []),
      ].join(' '),
    ],
    ['Filesystem state', state],
    ['Block count', blocks],
    ['Free blocks', blocks - usedOf(call.world, held)],
    ['First block', blockSize === 1024 ? 1 : 0],
    ['Block size', blockSize],
    ['Group descriptor size', 64],
    ['Reserved GDT blocks', 7],
    ['Blocks per group', blockSize * 8],
    ['Inode blocks per group', 512],
  ];
  return ok(
    `${rows.map(([key, value]) => `${`${key}:`.padEnd(26)}${value}\n`).join('')}\n`,
    e2banner('dumpe2fs'),
  );
}

function resize2fs(call: ToolCall): ReturnType<ToolModel> {
  const { world } = call;
  const { flags, words } = readOptions(call, { flags: ['-P'] });
  const [path = '', asked, ...more] = words;
  const banner = e2banner('resize2fs');
  if (more.length > 0 || flags.has('-P') === (asked !== undefined))
    throw unmodelled(call, 'it takes -P, or a size');
  const held = heldBy(world, path, ext);
  if (held === undefined) return failed(1, `${banner}open: No such file or directory while opening ${path}`);
  const fewest = usedOf(world, held);
  if (asked === undefined) return ok(`Estimated minimum size of the filesystem: ${fewest}\n`, banner);
  if (!/^\d+$/.test(asked)) throw unmodelled(call, 'it takes a number of blocks');
  const blocks = Number(asked);
  const { blockSize, room, mounts } = held;
  const unit = `(${blockSize / 1024}k) blocks`;
  if (blocks > room)
    return failed(
      1,
      `${banner}The containing partition (or device) is only ${room} ${unit}.\nYou requested a new size of ${blocks} blocks.\n`,
    );
  if (blocks === held.blocks)
    return ok('', `${banner}The filesystem is already ${blocks} ${unit} long.  Nothing to do!\n\n`);
  const mounted = mounts[0];
  const on = `Filesystem at ${path} is mounted on ${mounted?.path ?? ''}; on-line resizing required\n`;
  if (mounted !== undefined && blocks < held.blocks)
    return failed(1, `${banner}resize2fs: On-line shrinking not supported`, on);
  if (mounted === undefined && blocks < fewest)
    return failed(1, `${banner}resize2fs: New size smaller than minimum (${fewest})\n`);
  setBlocks(world, held, blocks);
  const said = mounted === undefined ? `Resizing the filesystem on ${path} to ${blocks} ${unit}.\n` : on;
  return ok(`${said}The filesystem on ${path} is now ${blocks} ${unit} long.\n\n`, banner);
}

const groupBlocks = 4096;

function xfsDb(call: ToolCall): ReturnType<ToolModel> {
  const { world, argv } = call;
  if (argv.some((word) => /^label/.test(word))) return xfsLabel(call);
  if (argv.some((word) => /^(?:uuid|daddr)/.test(word))) return xfsUuid(call);
  const path = argv.at(-1) ?? '';
  const known = ['-r', '-c', 'sb 0', '-c', 'print blocksize dblocks agblocks fdblocks'];
  if (argv.slice(0, -1).join('\0') !== known.join('\0')) throw unmodelled(call, 'it prints four sizes');
  const held = heldBy(world, path, /^xfs$/);
  if (held === undefined)
    return deviceAt(world, path) === undefined
      ? failed(1, `${path}: No such file or directory\n\nfatal error -- couldn't initialize XFS library`)
      : failed(
          1,
          `xfs_db: ${path} is not a valid XFS filesystem (unexpected SB magic number 0x00000000)\nUse -F to force a read attempt.`,
        );
  const { blockSize } = held;
  const blocks = xfsBlocksOnDevice(held);
  const free = blocks - usedOf(world, held);
  return ok(`blocksize = ${blockSize}\ndblocks = ${blocks}\nagblocks = ${groupBlocks}\nfdblocks = ${free}\n`);
}

function xfsGrowfs(call: ToolCall): ReturnType<ToolModel> {
  const { world } = call;
  const options = readOptions(call, { flags: ['-n'], values: ['-D'] });
  const [path = '', ...more] = options.words;
  const asked = one(options, '-D');
  if (more.length > 0 || options.flags.has('-n') === (asked !== undefined))
    throw unmodelled(call, 'it takes -n or -D');
  const held = mountedAt(world, path, /^xfs$/);
  if (held === undefined) return failed(1, `xfs_growfs: ${path} is not a mounted XFS filesystem`);
  const { blockSize, blocks, room, superblock } = held;
  const said = [
    `meta-data=${`/dev/${superblock.uuid ?? ''}`.padEnd(22)} isize=512    agcount=${Math.ceil(blocks / groupBlocks)}, agsize=${groupBlocks} blks`,
    '         =                       sectsz=512   attr=2, projid32bit=1',
    `data     =                       bsize=${String(blockSize).padEnd(6)} blocks=${blocks}, imaxpct=25`,
    'log      =internal log           bsize=4096   blocks=16384, version=2',
    '',
  ].join('\n');
  if (asked === undefined) return ok(said);
  const wanted = Number(asked);
  if (wanted > room) return failed(1, `data size ${wanted} too large, maximum is ${room}`, said);
  if (wanted === blocks) return ok(`${said}data size unchanged, skipping\n`);
  if (wanted < blocks) throw unmodelled(call, 'bofh never asks it to shrink one');
  const [mount] = held.mounts;
  setBlocks(world, held, wanted, {
    ...(mount === undefined ? {} : { outOfDate: { blocks: xfsBlocksOnDevice(held), mountId: mount.id } }),
  });
  return ok(`${said}data blocks changed from ${blocks} to ${wanted}\n`);
}

function btrfs(call: ToolCall): ReturnType<ToolModel> {
  const [group, verb, ...rest] = call.argv;
  const path = rest.at(-1) ?? '';
  switch (`${group ?? ''} ${verb ?? ''} ${rest.slice(0, -1).join(' ')}`) {
    case 'inspect-internal dump-super ':
      return dumpSuper(call.world, path);
    case 'inspect-internal min-dev-size --id 1':
      return onBtrfs(call.world, path, (held) =>
        ok(`${usedOf(call.world, held) * held.blockSize} bytes (1.00MiB)\n`),
      );
    default:
      if (group === 'filesystem' && verb === 'label') return btrfsLabel(call);
      return btrfsResize(call, path, `${group ?? ''} ${verb ?? ''}`);
  }
}

function btrfsResize(call: ToolCall, path: string, verb: string): ReturnType<ToolModel> {
  const bytes = /^1:(?<bytes>\d+)$/.exec(call.argv[2] ?? '')?.groups?.bytes;
  if (verb !== 'filesystem resize' || bytes === undefined)
    throw unmodelled(call, 'the model does not know the verb');
  return onBtrfs(call.world, path, (held) => {
    const blocks = Math.floor(Number(bytes) / held.blockSize);
    const said = 'Resize device id 1 (/dev/x) from 1.00MiB to 1.00MiB\n';
    if (blocks > held.room) return failed(1, `ERROR: unable to resize '${path}': no enough free space`, said);
    if (blocks < held.blocks && Number(bytes) < 256 * 1024 ** 2)
      return failed(1, `ERROR: unable to resize '${path}': Invalid argument`, said);
    setBlocks(call.world, held, blocks);
    return ok(said);
  });
}

function onBtrfs(
  world: World,
  path: string,
  act: (held: Held) => ReturnType<ToolModel>,
): ReturnType<ToolModel> {
  const held = mountedAt(world, path, /^btrfs$/);
  return held === undefined ? failed(1, `ERROR: not a btrfs filesystem: ${path}`) : act(held);
}

function dumpSuper(world: World, path: string): ReturnType<ToolModel> {
  if (deviceAt(world, path) === undefined)
    return failed(1, `ERROR: cannot open ${path}: No such file or directory`);
  const head = `superblock: bytenr=65536, device=${path}\n---------------------------------------------------------\n`;
  const held = heldBy(world, path, /^btrfs$/);
  if (held === undefined)
    return failed(
      1,
      `ERROR: bad magic on superblock on ${path} at 65536 (use --force to dump it anyway)`,
      head,
    );
  const { superblock, blocks, blockSize } = held;
  const own = memberOf(superblock);
  const rows: readonly (readonly [string, string | number])[] = [
    ['flags', superblock.changing === undefined ? '0x1' : '0x800000001'],
    ['magic', '_BHRfS_M [match]'],
    ['fsid', superblock.uuid ?? ''],
    ['label', superblock.label ?? ''],
    ['total_bytes', blocks * blockSize],
    ['bytes_used', usedOf(world, held) * blockSize],
    ['sectorsize', blockSize],
    ['num_devices', devicesOf(world, held.storage)],
    ['dev_item.uuid', own.uuid],
    ['dev_item.total_bytes', blocks * blockSize],
    ['dev_item.devid', own.devid],
  ];
  return ok(`${head}${rows.map(([key, value]) => `${key}\t\t${value}\n`).join('')}\n`);
}

/** `stat --file-system --format=%S %f PATH` */
function stat(call: ToolCall): ReturnType<ToolModel> {
  const [first, format, path = '', ...more] = call.argv;
  if (first !== '--file-system' || format !== '--format=%S %f' || more.length > 0)
    throw unmodelled(call, 'it prints only the free space of a filesystem');
  if (!resolve(call.world, path, 'follow').found)
    return failed(1, `stat: cannot read file system information for '${path}': No such file or directory`);
  const held = mountedAt(call.world, path, /./);
  if (held === undefined) throw unmodelled(call, 'it knows only filesystems on devices');
  return ok(`${held.blockSize} ${held.blocks - usedOf(call.world, held)}\n`);
}

/** Prints the last page of a swap area, or the bytes of a superblock. */
function od(call: ToolCall): ReturnType<ToolModel> {
  const path = call.argv.at(-1) ?? '';
  const known = ['--address-radix=n', '--format=u4', '--skip-bytes=1028', '--read-bytes=4'];
  if (call.argv.slice(0, -1).join() !== known.join()) return superblockBytes(call);
  const held = heldBy(call.world, path, /^swap$/);
  if (held === undefined)
    return deviceAt(call.world, path) === undefined
      ? failed(1, `od: ${path}: No such file or directory`)
      : ok('          0\n');
  return ok(`${String(held.blocks - 1).padStart(11)}\n`);
}
