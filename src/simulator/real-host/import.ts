import { bytesAt } from '../../blockdevice/index.ts';
import { kernelText } from '../../blockdevice/node.ts';
import { readTable } from '../../blockdevice/partitions/commands.ts';
import { kernelPartitions } from '../../blockdevice/partitions/kernel.ts';
import { magicsOn } from '../../blockdevice/wipe/commands.ts';
import { BofhError, ParseError } from '../../core/errors.ts';
import { dumpe2fs } from '../../filesystem/commands/ext.ts';
import { measure } from '../../filesystem/measure.ts';
import { type Device, deviceByNumber, findLv } from '../world/devices.ts';
import { storageOf } from '../world/files.ts';
import type { Content, Magic } from '../world/parts.ts';
import { realContent, realNode } from './ask.ts';
import { importLuks } from './crypt.ts';
import { UnknownInPlan } from './unknown.ts';
import { present } from '../../core/present.ts';
import { resolve } from '../world/resolve.ts';
import { withMetadata } from '../tools/drbd/bytes.ts';
import { withTable } from '../tools/blockdevice/sectors.ts';
import { emptyTree } from '../world/tree.ts';
import type { Overlay, World } from '../world/world.ts';

/** Copies the device at a path to the model, if it is a device. */
export async function importAt(overlay: Overlay, world: World, path: string): Promise<void> {
  const there = resolve(world, path, 'follow');
  const device = there.found ? deviceByNumber(world, there.inode.node) : undefined;
  if (device !== undefined) await importDevice(overlay, world, device);
}

/**
 * Copies the source of a copy to the model: a device, or a raw image. The files of an unmounted
 * ext2, ext3 or ext4 can be read later.
 */
export async function importCopied(
  overlay: Overlay,
  world: World,
  { path, format }: { readonly path: string; readonly format: string | undefined },
): Promise<void> {
  if (path.startsWith('driver='))
    throw new UnknownInPlan('cannot tell what is in the partition of the image: a plan does not copy it', {
      remedy: `run it without --dry-run: if a step fails, everything is undone; or, if it is an ext4 with all files of the guest, copy it into an image of its own, and plan with that: qemu-img convert --image-opts -O raw '${path}' /srv/root.raw`,
    });
  const there = resolve(world, path, 'follow');
  if (!there.found) return;
  const device = deviceByNumber(world, there.inode.node);
  const origin =
    device === undefined ? (there.inode.realPath ?? there.path) : realNode(overlay, world, device);
  if (device === undefined && format !== 'raw')
    throw new UnknownInPlan(`cannot tell what is in ${path}: a plan does not read a ${format ?? ''} image`, {
      remedy: `convert it, then plan with that: qemu-img convert -O raw ${path} NEW.raw`,
    });
  if (device !== undefined) await importDevice(overlay, world, device);
  const storage = device?.storage ?? storageOf(world, there);
  const content =
    world.live.get(storage) ??
    (origin === undefined
      ? undefined
      : ((await plainContent(overlay, origin)) ??
        (device === undefined
          ? await imageTable(overlay, origin, there.inode.length ?? 0)
          : await tableContent(overlay, origin, device.size))));
  if (origin === undefined || content === undefined) return;
  if (!isExt(content) || content.superblock === undefined || overlay.mounted.has(device?.number ?? '')) {
    world.live.set(storage, content);
    return;
  }
  const { features, blocks, blockSize } = await overlay.real.run(dumpe2fs(origin));
  const superblock = {
    ...{ ...content.superblock, blocks, blockSize },
    features: features.filter((each) => each.startsWith('metadata_csum')),
  };
  world.live.set(storage, { ...content, superblock, origin });
}

/** Copies the origin of a snapshot to the model, because the snapshot shows its content. */
export async function importOrigin(overlay: Overlay, world: World, argv: readonly string[]): Promise<void> {
  const [vg = '', name = ''] = argv.at(-1)?.split('/') ?? [];
  const number = world.active.get(findLv(world, vg, name)?.lv.uuid ?? '');
  const device = number === undefined ? undefined : deviceByNumber(world, `${world.dmMajor}:${number}`);
  if (device !== undefined) await importDevice(overlay, world, device);
}

/**
 * Copies the partition table of a real disk, and the kernel's list of its partitions, to the model.
 */
export async function importTable(overlay: Overlay, world: World, path: string): Promise<void> {
  const there = resolve(world, path, 'follow');
  const device = there.found ? deviceByNumber(world, there.inode.node) : undefined;
  const real = device === undefined ? undefined : realNode(overlay, world, device);
  if (device === undefined || real === undefined) return;
  const node = { path: real, number: device.number };
  const content = (await tableContent(overlay, node.path, device.size)) ?? {};
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
  world.live.set(device.storage, content);
}

/**
 * Returns the content of a raw image with a partition table; undefined if it has none. Without its partitions: a copy
 * of it on a volume has none that the kernel knows.
 */
async function imageTable(overlay: Overlay, path: string, bytes: number): Promise<Content | undefined> {
  const { type, uuid = '' } = (await realContent(overlay, path)) ?? {};
  if (type !== 'gpt' && type !== 'dos') return undefined;
  return withTable({}, bytes, { type, id: type === 'dos' ? `0x${uuid}` : uuid, partitions: [] });
}

/** Returns the content of a real device with a partition table; undefined if it has none. */
async function tableContent(overlay: Overlay, path: string, bytes: number): Promise<Content | undefined> {
  const table = await overlay.real.run(readTable(path));
  if (table === undefined) return undefined;
  const { type: kind, id } = table;
  if (kind !== 'gpt' && kind !== 'dos') throw new ParseError(`${path}: a plan knows no ${kind} table`);
  const partitions = table.partitions.map(({ number, start, size, type, uuid, name, bootable }) => ({
    ...{ number, start: start / 512, size: size / 512, type },
    ...(uuid === null ? {} : { uuid }),
    ...(name === null ? {} : { name }),
    ...(bootable ? { bootable } : {}),
  }));
  return withTable({}, bytes, { type: kind, id, partitions });
}

/**
 * Copies the signatures of a real device to the model. The programs for signatures change no other
 * content.
 */
export async function importMagics(overlay: Overlay, world: World, path: string): Promise<void> {
  const there = resolve(world, path, 'follow');
  const device = there.found ? deviceByNumber(world, there.inode.node) : undefined;
  const node = device === undefined ? undefined : realNode(overlay, world, device);
  if (device === undefined || node === undefined) return;
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

/**
 * Imports the filesystem of a real device, with its size but without its files: only those of an ext
 * that is not mounted can be looked up later.
 */
export async function importDevice(overlay: Overlay, world: World, device: Device): Promise<void> {
  const node = realNode(overlay, world, device);
  if (node === undefined) return;
  const found = await realContent(overlay, node);
  if (found === undefined || found.usage === 'partition-table' || found.usage === 'ambivalent') return;
  const { type, uuid } = found;
  if (type === 'crypto_LUKS') return importLuks(overlay, world, device);
  if (type === 'drbd' && uuid !== undefined) {
    // A plan does not read what the DRBD metadata says about the data.
    world.live.set(device.storage, withMetadata(device, {}, { uuid, replica: 'UpToDate' }));
    return;
  }
  const content = await plainContent(overlay, node);
  if (content === undefined) return;
  const isReadable = isExt(content) && !overlay.mounted.has(device.number);
  world.live.set(device.storage, { ...content, ...(isReadable ? { origin: node } : {}) });
}

function isExt({ superblock }: Content): boolean {
  return /^ext[234]$/.test(superblock?.type ?? '');
}

/** Returns the content of a device with a filesystem or swap, without its files. */
async function plainContent(overlay: Overlay, node: string): Promise<Content | undefined> {
  const found = await realContent(overlay, node);
  if (found === undefined || found.usage === 'partition-table' || found.usage === 'ambivalent')
    return undefined;
  const { type, usage, uuid, label } = found;
  const superblock = { ...{ type, usage }, ...present({ uuid, label }), ...(await sizesOf(overlay, node)) };
  return usage === 'filesystem' ? { superblock, tree: emptyTree(), unread: true } : { superblock };
}

/** Reads the sizes of a filesystem. Without the programs for it, assumes the size of the device. */
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
