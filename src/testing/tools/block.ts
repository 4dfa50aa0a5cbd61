import { tagIn } from '../../blockdevice/tag.ts';
import { type Device, deviceByNumber, openers } from '../devices.ts';
import { headerInFile } from '../header-file.ts';
import { one, type Options, readOptions, unmodelled } from '../options.ts';
import { resolve } from '../resolve.ts';
import { taggedDevices, tagsOf } from '../tags.ts';
import { addInode, directory, emptyTree } from '../tree.ts';
import type { Superblock } from '../parts.ts';
import type { World } from '../world.ts';
import { hexLines } from './hex.ts';
import { blocksOf } from './magics.ts';
import { tableIn } from './sectors.ts';
import { failed, ok, type ToolCall, type ToolModel } from './answer.ts';

/** blkid and what makes a filesystem or swap (util-linux 2.38, e2fsprogs 1.47, btrfs-progs 6.2, dosfstools 4.2, xfsprogs 6.1). */
export const blockTools: Readonly<Record<string, ToolModel>> = {
  blkid,
  'mkfs.btrfs': mkfsBtrfs,
  'mkfs.ext2': mkfsExt,
  'mkfs.ext3': mkfsExt,
  'mkfs.ext4': mkfsExt,
  'mkfs.vfat': mkfsVfat,
  'mkfs.xfs': mkfsXfs,
  mkswap,
};

/** The block device that a path leads to now. */
export function deviceAt(world: World, path: string): Device | undefined {
  const there = resolve(world, path, 'follow');
  return there.found && there.inode.kind === 'block' ? deviceByNumber(world, there.inode.node) : undefined;
}

function blkid(call: ToolCall): ReturnType<ToolModel> {
  const options = readOptions(call, { flags: ['-p'], values: ['-c', '-o', '-t'] });
  const { flags, words, values } = options;
  const [path = '', ...more] = words;
  if (values.has('-t')) return tagged(call, options);
  if (values.has('-c') || !flags.has('-p') || values.get('-o')?.join() !== 'export' || more.length > 0)
    throw unmodelled(call, 'it answers `blkid -p -o export DEVICE`');
  const superblock = contentOf(call.world, path);
  const device = deviceAt(call.world, path);
  const table = device === undefined ? undefined : tableIn(call.world.live.get(device.storage), device.size);
  if (table !== undefined) return ok(`DEVNAME=${path}\nPTUUID=${table.id}\nPTTYPE=${table.type}\n`);
  // Nothing found, and no such device, look the same.
  return superblock === undefined ? { exitCode: 2, stdout: '', stderr: '' } : ok(exported(path, superblock));
}

/** Every device with a tag, each looked at now. A record has no USAGE nor VERSION, which a cache does not keep. */
function tagged(call: ToolCall, options: Options): ReturnType<ToolModel> {
  const { world } = call;
  const tag = tagIn(one(options, '-t') ?? '');
  const isKnown = one(options, '-c') === '/dev/null' && one(options, '-o') === 'export';
  if (tag === undefined || !isKnown || options.flags.size > 0 || options.words.length > 0)
    throw unmodelled(call, 'it answers `blkid -c /dev/null -o export -t NAME=value`');
  // What the model has written it knows better than the real host beneath it.
  const real = (world.overlay?.tagged.get(`${tag.name}=${tag.value}`) ?? []).filter(({ path }) => {
    const device = deviceAt(world, path);
    return device !== undefined && !world.live.has(device.storage);
  });
  const records = [
    ...real.map(({ path, type, uuid, member }) =>
      fieldsOf([
        ['DEVNAME', path],
        ['UUID', uuid],
        ['UUID_SUB', member],
        ['TYPE', type],
      ]),
    ),
    ...taggedDevices(world, tag).map((device) => recordOf(world, device)),
  ];
  return records.length === 0 ? { exitCode: 2, stdout: '', stderr: '' } : ok(records.join('\n'));
}

function recordOf(world: World, device: Device): string {
  const { superblock, btrfs } = world.live.get(device.storage) ?? {};
  const { type, blockSize, member } = superblock ?? {};
  const first = btrfs?.members?.find(({ storage }) => storage === device.storage);
  return fieldsOf([
    ['DEVNAME', `/dev/${device.name}`],
    ...[...tagsOf(world, device)].filter(([tag]) => !tag.startsWith('PART')),
    ['UUID_SUB', member?.uuid ?? first?.uuid],
    ['BLOCK_SIZE', blockSize],
    ['TYPE', type],
    ...[...tagsOf(world, device)].filter(([tag]) => tag.startsWith('PART')),
  ]);
}

function exported(path: string, { type, usage, uuid, label, version, blockSize }: Superblock): string {
  return fieldsOf([
    ['DEVNAME', path],
    ['LABEL', label],
    ['UUID', uuid],
    ['VERSION', version],
    ['BLOCK_SIZE', blockSize],
    ['TYPE', type],
    ['USAGE', usage],
  ]);
}

function fieldsOf(fields: readonly (readonly [string, string | number | undefined])[]): string {
  return fields
    .flatMap(([key, value]) =>
      value === undefined ? [] : [`${key}=${key === 'DEVNAME' ? value : escaped(String(value))}\n`],
    )
    .join('');
}

/** As a shell would read it back. */
function escaped(value: string): string {
  return value.replace(/[^\w./:-]/g, '\\$&');
}

function contentOf(world: World, path: string): Superblock | undefined {
  const device = deviceAt(world, path);
  if (device !== undefined) return world.live.get(device.storage)?.superblock;
  const header = headerInFile(world, path);
  return header !== undefined && 'torn' in header ? header.torn : header?.superblock;
}

/** Overwrites whatever there is without a question, because it is not on a terminal. */
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
  // What blkid calls its block is the sector (util-linux 2.38).
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
    ...(label === undefined ? {} : { label }),
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

/** Bytes of a device: whole blocks; or where a superblock says how large its filesystem is, as far as bofh reads them. */
export function superblockBytes(call: ToolCall): ReturnType<ToolModel> {
  const options = readOptions(call, {
    flags: ['--output-duplicates'],
    values: ['--address-radix', '--format', '--skip-bytes', '--read-bytes', '--width'],
  });
  const [path = '', ...more] = options.words;
  const there = resolve(call.world, path, 'follow');
  const device = deviceAt(call.world, path);
  const plain = one(options, '--address-radix') === 'n' && one(options, '--format') === 'x1';
  const from = Number(one(options, '--skip-bytes'));
  const count = Number(one(options, '--read-bytes'));
  const content = there.found ? there.inode.content : undefined;
  if (one(options, '--width') === '4096' && device !== undefined)
    return ok(blockLines(blocksOf(call.world.live.get(device.storage), from, count), from));
  if (plain && content !== undefined) return ok(hexLines(content.subarray(from, from + count)));
  if (!plain || more.length > 0 || device === undefined) throw unmodelled(call, 'it shows bytes of a device');
  const isBlocks = count >= 4096 || (from === 0 && count === 512);
  const live = call.world.live.get(device.storage);
  return ok(hexLines(isBlocks ? blocksOf(live, from, count) : sizeIn(call, device, { from, count })));
}

function sizeIn(
  call: ToolCall,
  device: Device,
  { from, count }: { readonly from: number; readonly count: number },
): Uint8Array {
  const bytes = new DataView(new ArrayBuffer(count));
  const superblock = call.world.live.get(device.storage)?.superblock;
  if (superblock !== undefined && /^ext[234]$/.test(superblock.type) && from === 1024) {
    const blockSize = superblock.blockSize ?? 4096;
    bytes.setUint32(0x4, superblock.blocks ?? Math.floor(device.size / blockSize), true);
    bytes.setUint32(0x18, Math.log2(blockSize / 1024), true);
  } else if (superblock?.type === 'swap' && from === 1024) {
    bytes.setUint32(4, (superblock.blocks ?? Math.floor(device.size / 4096)) - 1, true);
  } else if (superblock?.type === 'xfs' && from === 0) {
    const blockSize = superblock.blockSize ?? 4096;
    bytes.setUint32(4, blockSize);
    bytes.setBigUint64(8, BigInt(superblock.blocks ?? Math.floor(device.size / blockSize)));
  } else if (superblock?.type === 'btrfs' && from === 65536) {
    const blockSize = superblock.blockSize ?? 4096;
    const blocks = superblock.blocks ?? Math.floor(device.size / blockSize);
    bytes.setBigUint64(0xd1, BigInt(blocks * blockSize), true);
  } else throw unmodelled(call, 'it knows where ext2, ext3, ext4, xfs, btrfs and swap have their sizes');
  return new Uint8Array(bytes.buffer);
}

/** A line for each block of 4 KiB, and `*` for all that are like the one before. */
function blockLines(bytes: Uint8Array, from: number): string {
  const lines: string[] = [];
  let last = '';
  for (let at = 0; at < bytes.length; at += 4096) {
    const line = hexLines(bytes.subarray(at, at + 4096), 4096).trimEnd();
    if (line !== last) lines.push(`${String(from + at).padStart(7, '0')}${line}`);
    else if (lines.at(-1) !== '*') lines.push('*');
    last = line;
  }
  return `${[...lines, String(from + bytes.length).padStart(7, '0')].join('\n')}\n`;
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
  const device = deviceAt(call.world, path);
  if (device !== undefined) return { path, device };
  const failure = notThere[call.tool];
  if (failure !== undefined) return failed(1, failure(path));
  return call.tool === 'mkswap'
    ? failed(1, `mkswap: cannot open ${path}: No such file or directory`)
    : failed(1, `mke2fs 1.47.0 (5-Feb-2023)\nThe file ${path} does not exist and no size was specified.`);
}

/** What is written to a device stays in the page cache until somebody syncs it. */
function write(world: World, device: Device, content: Parameters<World['live']['set']>[1]): void {
  world.live.set(device.storage, content);
}
