import { posix } from 'node:path';
import { contentInWords, mountEntries, probe } from '../blockdevice/index.ts';
import type { ReadHost } from '../command/index.ts';
import {
  contentOfTree,
  fillOptions,
  type ImagePartition,
  type ImageSource,
  readTree,
  statInside,
} from '../copy/index.ts';
import { CommandError, RefusedError } from '../core/errors.ts';
import { present } from '../core/present.ts';
import type { Bytes } from '../core/units.ts';
import { directoryBeneath, inOrder, parseFstab } from '../mount/index.ts';
import type { Tx } from '../operations.ts';
import { irregularFstab, mountsIn, notInImage, packRemedy, withoutRoot } from './root-partition.ts';

/** A partition of an image, or its whole disk, and the temporary volume for its copy. */
export interface PartCopy {
  /** Name of the volume. */
  readonly name: string;
  readonly size: Bytes;
  /** Undefined: the image has no partitions. */
  readonly partition: ImagePartition | undefined;
}

/**
 * An image whose files are copied into a new root, because its root is no ext2, ext3 or ext4, or
 * mounts other partitions of the image.
 */
export interface TreeImage extends Pick<ImageSource, 'path' | 'format'> {
  /** The root, for messages. */
  readonly where: string;
  /** The root comes first. */
  readonly copies: readonly PartCopy[];
}

/** A copied filesystem. */
interface Part extends PartCopy {
  readonly device: string;
  readonly type: string;
  readonly uuid: string | undefined;
  readonly label: string | undefined;
}

/** The filesystems of an image, mounted as its fstab says. */
interface MountedImage {
  readonly path: string;
  /** Mount points of the EFI system partition. */
  readonly dropped: readonly string[];
  /** Mount points of the other filesystems in the tree. */
  readonly merged: readonly string[];
  readonly root: Part;
  /** UUIDs of all copied filesystems, that of the root first. */
  readonly uuids: readonly string[];
  readonly release: () => Promise<void>;
}

/**
 * Copies the filesystems of an image into temporary volumes, and mounts them read-only as one tree. The
 * mount of such a copy replays the log of a filesystem that was not unmounted cleanly.
 */
export async function mountImage(
  tx: Tx,
  host: ReadHost,
  of: TreeImage & { readonly vg: string; readonly pool: string | undefined },
): Promise<MountedImage> {
  const { path, format, where, vg, pool } = of;
  const held: { readonly release: () => Promise<void> }[] = [];
  const parts: Part[] = [];
  for (const copy of of.copies) {
    const { name, size, partition } = copy;
    const lv = await tx.temporary.lvm.createLv({ vg, name, size, ...present({ pool }) });
    held.push(lv);
    const device = lv.path;
    await tx.copy.image({ source: path, format, device, ...present({ partition: partition?.number }) });
    const content = await probe(host, device);
    if (content === undefined || !/^(?:ext[234]|xfs|btrfs)$/.test(content.type))
      throw new RefusedError(
        `${namedPart(copy, path)} holds ${contentInWords(content)}, not ext2, ext3, ext4, xfs or btrfs`,
        { remedy: packRemedy },
      );
    parts.push({ ...copy, device, type: content.type, uuid: content.uuid, label: content.label });
  }
  const mounted = async (part: Part, at?: string, options: readonly string[] = []): Promise<string> => {
    const { device, type } = part;
    const more = type === 'xfs' ? ['nouuid'] : options;
    const place = at === undefined ? {} : { path: at, hides: true as const };
    const asked = { device, type, mode: 'ro' as const, ...place, options: [...fillOptions, ...more] };
    // A failed step ends the sequence with its own error, unless it is in a scope.
    const mount = await tx
      .scope('mount of the image', (inner) => inner.temporary.mount.mount(asked))
      .catch((error: unknown) => {
        throw error instanceof CommandError ? unmountable(part, path, error) : error;
      });
    held.push(mount);
    return mount.path;
  };
  const [root] = parts;
  if (root === undefined) throw new TypeError('an image without a root was planned');
  const top = await rootIn(host, { path: await mounted(root), root, where });
  const { dropped, others } = await mountsIn(top.fstab, where);
  const lines = others.map((line) => ({ ...line, device: line.source, path: line.target }));
  const merged: string[] = [];
  for (const { path: target, device: source } of lines.length === 0 ? [] : inOrder(lines)) {
    const line = others.find((each) => each.source === source && posix.relative(each.target, target) === '');
    if (line === undefined) throw new TypeError('a line of the fstab is lost');
    const [part, second] = parts.filter((each) => isNamed(each, source));
    if (part === undefined || second !== undefined)
      throw notInImage(
        line,
        where,
        part === undefined
          ? `but ${source} is not a partition of the image with ext2, ext3, ext4, xfs or btrfs`
          : `but several partitions of the image match ${source}`,
      );
    const at = await directoryBeneath(host, top.path, target).catch((error: unknown) => {
      if (!(error instanceof RefusedError)) throw error;
      throw notInImage(line, where, `but ${target} is not a directory in the image`);
    });
    const subvolume = line.options.filter((option) => /^subvol(?:id)?=./.test(option));
    await mounted(part, at, part.type === 'btrfs' ? subvolume : []);
    merged.push(target);
  }
  return {
    ...{ path: top.path, dropped, merged, root },
    uuids: parts.flatMap(({ uuid }) => uuid ?? []),
    release: async () => {
      for (const { release } of held.toReversed()) await release();
    },
  };
}

/** The paths in a mounted image, the content of some files, and the size of all. */
export async function contentOfImage(
  host: ReadHost,
  { path }: Pick<MountedImage, 'path'>,
  files: readonly string[],
): ReturnType<typeof contentOfTree> {
  return contentOfTree(host, { tree: await readTree(host, path, 'included'), files });
}

/**
 * The directory of the root in its mounted filesystem, and its fstab. In a btrfs it is the default
 * subvolume, or a directory directly in it whose fstab says that it is the root; if none says so,
 * the only one with an fstab.
 */
async function rootIn(
  host: ReadHost,
  of: { readonly path: string; readonly root: Part; readonly where: string },
): Promise<{ readonly path: string; readonly fstab: string }> {
  const { path, root, where } = of;
  const top = (await mountEntries(host)).findLast((each) => each.path === path)?.root ?? '/';
  const found: { readonly name: string; readonly fstab: string; readonly isNamed: boolean }[] = [];
  for (const name of ['', ...(root.type === 'btrfs' ? await host.readDir(path) : [])]) {
    const at = posix.join(name, 'etc/fstab');
    const { stat } = await statInside(host, { root: path, path: at });
    if (stat === undefined) continue;
    if (stat.kind !== 'file') throw irregularFstab(where);
    const fstab = Buffer.from(await host.readFile(posix.join(path, at))).toString('latin1');
    found.push({ name, fstab, isNamed: (subvolumeIn(fstab) ?? top) === posix.join(top, name) });
  }
  const [first, second] = found.some(({ isNamed }) => isNamed)
    ? found.filter(({ isNamed }) => isNamed)
    : found;
  if (second !== undefined)
    throw new RefusedError(
      `${where} has several subvolumes that may be the root: ${found.map(({ name }) => name || top).join(', ')}`,
      { remedy: packRemedy },
    );
  if (first !== undefined) return { path: posix.join(path, first.name), fstab: first.fstab };
  const { stat } = await statInside(host, { root: path, path: 'etc' });
  if (stat?.kind !== 'directory') throw withoutRoot(where);
  return { path, fstab: '' };
}

/** The subvolume of the root in an fstab, as a path. */
function subvolumeIn(fstab: string): string | undefined {
  const line = parseFstab(fstab).lines.find(({ target }) => target === '/');
  const option = line?.options.find((each) => each.startsWith('subvol='));
  return option === undefined ? undefined : posix.resolve('/', option.slice('subvol='.length));
}

/** Whether a partition has this name in an fstab. Device names are those that a first disk has. */
function isNamed({ partition, uuid, label }: Part, source: string): boolean {
  const [, by, name] =
    /^(UUID|LABEL|PARTUUID|PARTLABEL)=(.*)$/.exec(source) ??
    /^\/dev\/disk\/by-((?:part)?(?:uuid|label))\/(.*)$/.exec(source) ??
    [];
  const value = name?.replaceAll('"', '');
  switch (by?.toUpperCase()) {
    case 'UUID':
      return value === uuid;
    case 'LABEL':
      return value === label;
    case 'PARTUUID':
      return value?.toLowerCase() === partition?.uuid;
    case 'PARTLABEL':
      return value === partition?.name;
    default: {
      const number = /^\/dev\/(?:(?:[hsv]|xv)da|(?:nvme0n1|mmcblk0)p)(\d+)$/.exec(source)?.[1];
      return number !== undefined && Number(number) === partition?.number;
    }
  }
}

function namedPart({ partition }: PartCopy, path: string): string {
  return partition === undefined ? path : `partition ${partition.number} of ${path}`;
}

/** The error for a filesystem that this kernel does not mount. */
function unmountable(part: Part, path: string, cause: CommandError): RefusedError {
  const { type, uuid = '' } = part;
  const said = cause.stderr.split('\n').find((line) => line !== '') ?? cause.message;
  const twice =
    type === 'btrfs'
      ? `; see whether another device has a btrfs of the same uuid: blkid --match-token UUID=${uuid}`
      : '';
  return new RefusedError(`the ${type} on ${namedPart(part, path)} cannot be mounted: ${said}`, {
    cause,
    remedy: `see why in the kernel log: dmesg${twice}; if this kernel is too old for it, then on a host with a newer one: ${packRemedy}`,
  });
}
