import { unescapeOctal } from '../blockdevice/mountinfo.ts';
import type { Command } from '../command/index.ts';
import { headerOf, isLuksSignature } from '../crypt/reads.ts';
import type { LuksHeader } from '../crypt/schema.ts';
import { anyKey } from './keys.ts';
import { bytesAt, recognise } from '../blockdevice/index.ts';
import { kernelText } from '../blockdevice/node.ts';
import { readTable } from '../blockdevice/partitions/commands.ts';
import { kernelPartitions } from '../blockdevice/partitions/kernel.ts';
import { magicsOn } from '../blockdevice/wipe/commands.ts';
import { BofhError, ParseError } from '../errors.ts';
import { measure } from '../filesystem/measure.ts';
import type { LuksParts, Magic } from './parts.ts';
import { readArchive } from './archive.ts';
import { type Device, deviceByNumber } from './devices.ts';
import { type Header, isModelled, partsOf } from './header-file.ts';
import { unmodelled } from './options.ts';
import { resolve } from './resolve.ts';
import { emptyTree } from './tree.ts';
import { withTable } from './tools/sectors.ts';
import { mountedDevice } from './tools/held.ts';
import { freeMemoryMiB } from './tools/xl-list.ts';
import type { Overlay, World } from './world.ts';

import { loopsOf } from './real-facts.ts';
import { nameDevice, pageIn } from './overlay.ts';
import { disksOf, knowDrbd } from './real-drbd.ts';
import { prepareBtrfs } from './real-btrfs.ts';

/**
 * Makes ready what a command needs of the real host. Gives a way to ask the real host itself, for a read about what
 * the model has not changed; undefined: the model answers.
 */
export async function prepareReal<T>(
  world: World,
  command: Command<T>,
): Promise<(() => Promise<T>) | undefined> {
  const { overlay } = world;
  if (overlay === undefined) return undefined;
  const paths = command.argv.flatMap(
    (word) => /^(?:--[\w-]+=)?(?<path>\/.*)$/s.exec(word)?.groups?.path ?? [],
  );
  for (const path of paths) await nameDevice(world, path);
  switch (command.tool) {
    case 'blkid':
    case 'debugfs':
    case 'dumpe2fs':
    case 'e2fsck':
    case 'e2label':
    case 'fatlabel':
    case 'fsck.vfat':
    case 'od':
    case 'resize2fs':
    case 'swaplabel':
    case 'xfs_db':
    case 'xfs_repair':
      if (command.access !== 'read') await importAt(overlay, world, paths.at(0) ?? '');
      return command.access === 'read' ? askDevice(overlay, world, command) : undefined;
    case 'sfdisk':
      if (command.access === 'read') return askDevice(overlay, world, command);
      await importTable(overlay, world, command.argv.at(-1) ?? '');
      return undefined;
    case 'blkdiscard':
    case 'wipefs':
      if (command.access === 'read') return askDevice(overlay, world, command);
      await importMagics(overlay, world, command.argv.at(-1) ?? '');
      return undefined;
    case 'btrfs':
      if (isOfSpace(command)) return ask(overlay, command);
      if (isOfSubvolumes(command)) {
        await prepareBtrfs(overlay, world, command);
        if (command.argv[0] === 'receive') await knowStream(overlay, world, command);
        return undefined;
      }
      return await prepareMounted(overlay, world, command);
    case 'stat':
    case 'xfs_growfs':
    case 'xfs_io':
      return await prepareMounted(overlay, world, command);
    case 'cryptsetup':
      return prepareCrypt(overlay, world, command);
    case 'dmsetup':
      // What is open, also in the plan alone, the model knows; other mappings it does not.
      return command.access !== 'read' || world.mappings.some(({ name }) => name === command.argv[1])
        ? undefined
        : ask(overlay, command);
    case 'drbdadm':
    case 'drbdsetup':
      // What the plan has not changed, and the configuration, the real host tells.
      if (command.access === 'read')
        return world.drbd.config === undefined || command.argv[0] === 'dump-xml'
          ? ask(overlay, command)
          : undefined;
      await knowDrbd(overlay, world);
      for (const disk of disksOf(world, command.argv[1])) {
        await nameDevice(world, disk);
        await importAt(overlay, world, disk);
      }
      return undefined;
    case 'ip':
      return ask(overlay, command);
    case 'losetup':
      await knowLoops(overlay, world);
      return undefined;
    case 'find':
      // Which processes there are, the model does not change.
      return command.argv[0] === '/proc' ? ask(overlay, command) : undefined;
    case 'lvm':
    case 'lvs':
    case 'vgs':
    case 'pvs':
      return overlay.missing.has('lvm') ? ask(overlay, command) : undefined;
    case 'tar':
      return prepareTar(overlay, world, command, paths[0] ?? '');
    case 'mount':
      await pageIn(world, userTable, 'content');
      await prepareMount(overlay, world, command);
      return undefined;
    case 'findmnt':
      await prepareTable(world, paths[0] ?? '');
      return undefined;
    case 'umount':
      await pageIn(world, userTable, 'content');
      return undefined;
    case 'xl':
      return prepareXl(overlay, world, command);
    default:
      return undefined;
  }
}

/** What libmount has written so far: a mount with options for itself adds to it. */
const userTable = '/run/mount/utab';

/** Its loop devices, at the first word of one: from then on they are the model's to detach and to add to. */
async function knowLoops(overlay: Overlay, world: World): Promise<void> {
  if (overlay.loopsAreKnown) return;
  for (const loop of await loopsOf(overlay.real)) world.loops.set(loop.minor, loop);
  overlay.loopsAreKnown = true;
  world.revision += 1;
}

/** What the model does not change of a btrfs: its space, and what goes on in it. */
function isOfSpace({ argv: [group, verb] }: Command<unknown>): boolean {
  const isStatus = verb === 'status' && (group === 'scrub' || group === 'balance');
  return (group === 'filesystem' && verb === 'usage') || isStatus;
}

function isOfSubvolumes({ argv: [group, verb] }: Command<unknown>): boolean {
  const groups = [
    'device',
    'replace',
    'subvolume',
    'property',
    'send',
    'receive',
    'scrub',
    'balance',
    'quota',
    'qgroup',
  ];
  return groups.includes(group ?? '') || verb === 'rootid' || verb === 'sync';
}

/** The beginning of a stream in a file of the real host; what the model has written it knows. */
async function knowStream(overlay: Overlay, world: World, { argv }: Command<unknown>): Promise<void> {
  const path = argv[argv.indexOf('-f') + 1] ?? '';
  const there = resolve(world, path, 'follow');
  if (!argv.includes('-f') || !there.found || there.inode.real === undefined || overlay.streams.has(path))
    return;
  const count = Math.min(there.inode.real.size, 512);
  const { buffer } = await overlay.real.run(bytesAt(path, { from: 0, count }));
  overlay.streams.set(path, new Uint8Array(buffer));
}

/** Its own reader takes the answer; only how the question is put may differ. */
function ask<T>({ real }: Overlay, command: Command<T>, argv = command.argv): () => Promise<T> {
  if (command.access !== 'read') throw unmodelled(command, 'a plan changes nothing');
  return () => real.run({ ...command, argv, access: 'read' });
}

/** A device whose content the model has written is the model's; a renamed one is asked for by its number. */
function askDevice<T>(overlay: Overlay, world: World, command: Command<T>): (() => Promise<T>) | undefined {
  const path = command.argv.at(-1) ?? '';
  const there = resolve(world, path, 'follow');
  if (!there.found) return undefined;
  if (isModelled(there.inode)) return undefined;
  const device = deviceByNumber(world, there.inode.node);
  if (device !== undefined && world.live.has(device.storage)) return undefined;
  const node = device === undefined ? there.path : `/dev/${device.name}`;
  return ask(overlay, command, [...command.argv.slice(0, -1), node]);
}

/** What is told and changed by the path of a device, or by that of a mount. */
async function prepareMounted<T>(
  overlay: Overlay,
  world: World,
  command: Command<T>,
): Promise<(() => Promise<T>) | undefined> {
  const path = command.argv.at(-1) ?? '';
  const mount = world.mounts.findLast((each) => each.path === path);
  if (mount === undefined) return command.access === 'read' ? askDevice(overlay, world, command) : undefined;
  if (mount.storage === undefined) await nameDevice(world, mount.source);
  const device = mountedDevice(world, mount);
  if (device !== undefined && world.live.has(device.storage)) return undefined;
  if (command.access === 'read') return ask(overlay, command);
  if (device !== undefined) await importDevice(overlay, world, device);
  return undefined;
}

async function importAt(overlay: Overlay, world: World, path: string): Promise<void> {
  const there = resolve(world, path, 'follow');
  const device = there.found ? deviceByNumber(world, there.inode.node) : undefined;
  if (device !== undefined) await importDevice(overlay, world, device);
}

/** Takes over the table of a real disk, and what the kernel has of it. */
async function importTable(overlay: Overlay, world: World, path: string): Promise<void> {
  const there = resolve(world, path, 'follow');
  const device = there.found ? deviceByNumber(world, there.inode.node) : undefined;
  if (device === undefined || world.live.has(device.storage)) return;
  const node = { path: `/dev/${device.name}`, number: device.number };
  const table = await overlay.real.run(readTable(node.path));
  if (table !== undefined && table.type !== 'gpt' && table.type !== 'dos')
    throw new ParseError(`${path}: a plan knows no ${table.type} table`);
  const parts = await kernelPartitions(overlay.real, node);
  const known = await Promise.all(
    parts.map(async (part) => {
      const sys = `/sys/dev/block/${node.number}`;
      const name = `${device.name}${/\d$/.test(device.name) ? 'p' : ''}${part.number}`;
      const number = await kernelText(overlay.real, `${sys}/${name}/dev`);
      if (number === undefined) throw new ParseError(`${sys}/${name} has no device number`);
      return { ...part, node: number, real: true };
    }),
  );
  world.partitions.set(device.number, known);
  const entries = (table?.partitions ?? []).map(({ number, start, size, type, uuid, name, bootable }) => ({
    ...{ number, start: start / 512, size: size / 512, type },
    ...(uuid === null ? {} : { uuid }),
    ...(name === null ? {} : { name }),
    ...(bootable ? { bootable } : {}),
  }));
  const content =
    table === undefined
      ? {}
      : withTable({}, device.size, {
          ...{ type: table.type === 'dos' ? 'dos' : 'gpt', id: table.id },
          partitions: entries,
        });
  world.live.set(device.storage, content);
}

/** Takes over the bytes by which a real device's contents are known: what else there is, they do not change. */
async function importMagics(overlay: Overlay, world: World, path: string): Promise<void> {
  const there = resolve(world, path, 'follow');
  const device = there.found ? deviceByNumber(world, there.inode.node) : undefined;
  if (device === undefined || world.live.has(device.storage)) return;
  const node = `/dev/${device.name}`;
  const magics: Magic[] = [];
  const blocks = new Map<number, Uint8Array>();
  for (const { offset, length, ...rest } of await overlay.real.run(magicsOn(node))) {
    const from = Math.floor(offset / 4096) * 4096;
    const count = Math.min(device.size, Math.ceil((offset + length) / 4096) * 4096) - from;
    const view = await overlay.real.run(bytesAt(node, { from, count }));
    const block = Buffer.from(view.buffer, view.byteOffset, view.byteLength);
    blocks.set(from, block);
    magics.push({ ...rest, offset, bytes: block.toString('hex', offset - from, offset - from + length) });
  }
  if (magics.length > 0) world.live.set(device.storage, { real: { magics, blocks } });
}

/** Takes over the filesystem of a real device, with its size but without its files: nobody can tell what is in it. */
async function importDevice(overlay: Overlay, world: World, device: Device): Promise<void> {
  if (world.live.has(device.storage)) return;
  const node = `/dev/${device.name}`;
  const found = await recognise(overlay.real, node);
  if (found === undefined || found.usage === 'partition-table' || found.usage === 'ambivalent') return;
  const { type, usage, uuid, label } = found;
  const superblock = {
    ...{ type, usage },
    ...(uuid === undefined ? {} : { uuid }),
    ...(label === undefined ? {} : { label }),
    ...(await sizesOf(overlay, node)),
  };
  const files = usage === 'filesystem' ? { tree: emptyTree(), unread: true } : {};
  world.live.set(device.storage, { superblock, ...files });
}

/** Without them where the tools for it are not there: then it is as large as its device. */
async function sizesOf(
  { real }: Overlay,
  node: string,
): Promise<{ readonly blocks?: number; readonly blockSize?: number }> {
  try {
    const { blocks, blockSize } = await measure(real, node);
    return { blocks, blockSize };
  } catch (error) {
    if (error instanceof BofhError) return {};
    throw error;
  }
}

async function prepareTar<T>(
  overlay: Overlay,
  world: World,
  command: Command<T>,
  source: string,
): Promise<(() => Promise<T>) | undefined> {
  await pageIn(world, source, 'stat');
  const there = resolve(world, source, 'follow');
  if (!there.found || (there.inode.content !== undefined && readArchive(there.inode.content) !== undefined))
    return undefined;
  if (command.access === 'read') return ask(overlay, command);
  const argv = [
    '--list',
    '--verbose',
    '--block-number',
    '--numeric-owner',
    '--full-time',
    '--quoting-style=c',
    '--absolute-names',
    '--force-local',
    `--file=${source}`,
  ];
  const listing = overlay.listings.get(source) ?? (await overlay.real.run(textOf('tar', argv)));
  overlay.listings.set(source, listing);
  return undefined;
}

/** Headers are read on the real host. What is to be opened or changed becomes the model's, which is asked for no key. */
async function prepareCrypt<T>(
  overlay: Overlay,
  world: World,
  command: Command<T>,
): Promise<(() => Promise<T>) | undefined> {
  const [verb, name] = command.argv;
  if (verb === 'isLuks' || verb === 'luksDump') return askDevice(overlay, world, command);
  if (verb === 'status' && [...overlay.mappings.values()].some((mapping) => mapping.name === name))
    return ask(overlay, command);
  const path = command.argv.find((word) => word.startsWith('/'));
  if (verb !== 'luksHeaderBackup')
    for (const file of [headerFileOf(command), path]) await readHeader(overlay, world, file);
  const there = path === undefined ? undefined : resolve(world, path, 'follow');
  const device = there?.found === true ? deviceByNumber(world, there.inode.node) : undefined;
  if (device === undefined || world.live.has(device.storage)) return undefined;
  const node = `/dev/${device.name}`;
  if (!isLuksSignature(await recognise(overlay.real, node))) return undefined;
  const header = await realHeader(overlay, node);
  world.live.set(device.storage, { superblock: header.superblock, luks: partsOf(header) });
  return undefined;
}

function headerFileOf({ argv }: Command<unknown>): string | undefined {
  const option = argv.findIndex((word) => word === '--header' || word === '--header-backup-file');
  return option < 0 ? undefined : argv[option + 1];
}

/** The header in a file of the real host, which the model cannot read by itself. */
async function readHeader(overlay: Overlay, world: World, path: string | undefined): Promise<void> {
  const there = path === undefined ? undefined : resolve(world, path, 'follow');
  if (there?.found === true && there.inode.kind === 'file' && there.inode.real !== undefined)
    overlay.headers.set(there.path, await realHeader(overlay, there.path));
}

async function realHeader({ real }: Overlay, path: string): Promise<Header> {
  const header = await headerOf(real, path);
  const { version, uuid, label, keySlots } = header;
  const superblock = { type: 'crypto_LUKS', usage: 'crypto', uuid, version: String(version) } as const;
  const slots = keySlots.map(({ slot, salt, kdf, memory = 0, opens }) => ({
    ...{ slot, salt, key: anyKey, memory: memory / 1024 },
    kdf: kdf === 'pbkdf2' ? kdf : ('argon2id' as const),
    ...(opens === 'data' ? {} : { opens }),
  }));
  const labelled = label === undefined ? superblock : { ...superblock, label };
  return { superblock: labelled, slots, ...(version === 1 ? {} : realParts(header)) };
}

/** What a LUKS2 header says of its data. */
function realParts({
  cipher,
  integrity,
  slotRoom,
  volumeKeyDigest,
  reencryption,
  keySlots,
}: LuksHeader): Omit<LuksParts, 'slots'> {
  const fresh = keySlots.findLast(({ opens }) => opens === 'nothing')?.slot ?? keySlots.at(-1)?.slot ?? 0;
  const { oldKeyDigest = volumeKeyDigest, done = 0, torn = false, mode } = reencryption ?? {};
  const state = { volumeKey: 'new', slot: fresh, done, torn };
  return {
    ...{ cipher, volumeKey: oldKeyDigest },
    ...(integrity ? { integrity } : {}),
    ...(slotRoom === undefined ? {} : { slotRoom: slotRoom.all }),
    ...(reencryption === undefined
      ? {}
      : { reencryption: { ...state, ...(mode === 'encrypt' || mode === 'decrypt' ? { mode } : {}) } }),
  };
}

/** A filesystem of the real host is not really mounted: its type is known, what is in it is not. */
async function prepareMount(overlay: Overlay, world: World, command: Command<unknown>): Promise<void> {
  const source = command.argv[command.argv.indexOf('--source') + 1] ?? '';
  const there = resolve(world, source, 'follow');
  const device = there.found ? deviceByNumber(world, there.inode.node) : undefined;
  if (device === undefined || world.live.has(device.storage)) return;
  const found = await recognise(overlay.real, `/dev/${device.name}`);
  if (found?.usage === 'filesystem') await importDevice(overlay, world, device);
}

/** Places and devices that a table names. */
async function prepareTable(world: World, path: string): Promise<void> {
  await pageIn(world, path, 'content');
  const there = resolve(world, path, 'follow');
  if (!there.found) return;
  const words = new TextDecoder().decode(there.inode.content).split(/\s+/);
  for (const word of words) {
    const { tag, value = '' } = /^(?<tag>UUID|LABEL)=(?<value>.*)$/.exec(word)?.groups ?? {};
    const named = tag === undefined ? word : `/dev/disk/by-${tag.toLowerCase()}/${value}`;
    if (named.startsWith('/')) await nameDevice(world, unescapeOctal(named));
  }
}

async function prepareXl<T>(
  overlay: Overlay,
  world: World,
  command: Command<T>,
): Promise<(() => Promise<T>) | undefined> {
  if (overlay.missing.has('xen')) return ask(overlay, command);
  if (command.argv.join(' ') === 'info') {
    const text = await overlay.real.run(textOf('xl', ['info']));
    const free = `free_memory            : ${freeMemoryMiB(world)}`;
    return async () =>
      command.parse({ exitCode: 0, stdout: text.replace(/^free_memory .*$/m, free), stderr: '' });
  }
  const config = command.argv.find((word) => word.startsWith('/'));
  if (config === undefined) return undefined;
  await pageIn(world, config, 'content');
  const there = resolve(world, config, 'follow');
  if (!there.found) return undefined;
  // The kernel and the disks that it names.
  const text = new TextDecoder().decode(there.inode.content);
  for (const path of text.match(/\/[^\s"',]+/g) ?? []) await nameDevice(world, path);
  return undefined;
}

function textOf(tool: Command<string>['tool'], argv: readonly string[]) {
  return { tool, argv, access: 'read', parse: ({ stdout }: { readonly stdout: string }) => stdout } as const;
}
