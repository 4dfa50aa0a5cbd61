import { contentInWords, probeFile } from '../blockdevice/index.ts';
import type { ReadHost } from '../command/index.ts';
import {
  contentIn,
  contentOfTree,
  fillOptions,
  formatOf,
  type ImagePartition,
  type ImageSource,
  imageSource,
  partitionsIn,
  readRoot,
  readTar,
  readTree,
  type RootContent,
} from '../copy/index.ts';
import { RefusedError, UsageError } from '../core/errors.ts';
import { option } from '../core/option.ts';
import { present } from '../core/present.ts';
import { type Bytes, formatSize } from '../core/units.ts';
import { checkUuidChange } from '../filesystem/index.ts';
import type { Tx } from '../operations.ts';
import { grubConfig, grubFile, type GrubMenu, grubMenu, kernelConfig, type OldNames } from './boot.ts';
import { checkPoolRoom } from './checks.ts';
import type { FileCreate, SourcedCreate } from './bases.ts';
import { type makeFilesystems, refuseHidden } from './data-disks.ts';
import { oldCrypttab } from './disk-luks.ts';
import {
  type Identity,
  identityDirectories,
  identityFiles,
  type IdentityFiles,
  isIn,
  refuseWithoutServer,
} from './identity.ts';
import { refuseMissingDirectories, type Roles, runRoles, runsInside } from './roles.ts';
import { contentOfImage, mountImage, type PartCopy } from './image-tree.ts';
import {
  irregularFstab,
  mountsIn,
  notInImage,
  packRemedy,
  rootPartition,
  withoutRoot,
} from './root-partition.ts';

/** With this file of Ubuntu's cloud images, update-grub names a partition that the guest does not have. */
const namesPartition = ['etc/default/grub.d/40-force-partuuid.cfg'];

/** The changes in the root. */
interface Inside extends IdentityFiles {
  /** Undefined if the guest does not boot a kernel from its root. */
  readonly menu: GrubMenu | undefined;
  /** The /etc/crypttab of the source, for the lines of encrypted disks. */
  readonly crypttab: string;
  /** Whether the guest can open encrypted disks when it boots. */
  readonly opensLuks: boolean;
  /** Mount points in the fstab of the source that the guest does not have. */
  readonly dropped: readonly string[];
  /** Mount points in the fstab of the source, of partitions whose files are copied into the root. */
  readonly merged: readonly string[];
}

/** The checked source that fills the root of a new guest. `disk`: an image of a whole disk, copied as it is. */
export type RootSource =
  | {
      readonly type: 'disk';
      readonly path: string;
      readonly format: ImageSource['format'];
      readonly partition: undefined;
    }
  | { readonly type: 'files'; readonly path: string; readonly inside: Inside }
  | {
      readonly type: 'image';
      readonly path: string;
      readonly format: ImageSource['format'];
      /** Number of the partition; undefined if the image has none. */
      readonly partition: number | undefined;
      /** The changes in the copy, which depend on its content. */
      readonly insideOf: (device: string) => Promise<Inside>;
    }
  | {
      readonly type: 'tree';
      readonly path: string;
      readonly partition: number | undefined;
      /** Mounts the image. The changes in the copy depend on its content. */
      readonly mounted: (tx: Tx) => Promise<Pick<Filling, 'inside' | 'release'> & { readonly path: string }>;
    };

/** How a root is filled. */
interface Filling {
  readonly inside: Inside;
  /** The archive or directory to copy; undefined: the device has its content already. */
  readonly files: { readonly source: string; readonly mounts?: 'included' } | undefined;
  /** Removes what exists only while the files are copied. */
  readonly release: () => Promise<void>;
}

/**
 * The size of the root, from the request or from the image, and the volumes that exist only while it is
 * filled.
 */
export async function measureSource(
  host: ReadHost,
  { name, size, source, type }: Pick<SourcedCreate, 'name' | 'size' | 'source' | 'type'>,
): Promise<{ readonly size: Bytes; readonly copies: readonly PartCopy[] }> {
  if (source.type !== 'image') return { size: size ?? 0, copies: [] };
  const { bytes, where, copies } =
    type === 'hvm'
      ? { ...(await wholeDisk(host, source)), where: source.path, copies: undefined }
      : await image(host, { ...source, name });
  if (copies !== undefined) return { size: size ?? copies.reduce((sum, each) => sum + each.size, 0), copies };
  if (size === undefined || size >= bytes) return { size: size ?? bytes, copies: [] };
  throw new UsageError(
    `${where} has ${formatSize(bytes)}, more than ${option('--size', 'size')} ${formatSize(size)}`,
    { remedy: `leave ${option('--size', 'size')} out, or request more` },
  );
}

/** Checks a source, as far as it can be read before it is copied. */
export async function planSource(
  host: ReadHost,
  of: {
    readonly request: FileCreate & { readonly size: Bytes };
    readonly vg: string | undefined;
    readonly identity: Identity;
  },
): Promise<RootSource> {
  const { request, vg, identity } = of;
  const { source, size, thin: pool, sshKeys, disks = [] } = request;
  const files = [
    ...(request.boot === 'grub' ? [grubConfig] : []),
    ...(request.boot === 'grub' && request.type === 'pv' ? [`${kernelConfig}*`] : []),
    ...(disks.some(({ luks }) => luks !== undefined) ? ['etc/crypttab'] : []),
  ];
  const insideOf = (content: RootContent, old?: OldNames): Inside => {
    const { paths } = content;
    if (sshKeys !== undefined) refuseWithoutServer(paths);
    refuseHidden(paths, disks);
    if (runsInside(request)) refuseMissingDirectories(paths, request);
    return {
      ...identityFiles(identity, paths),
      menu: request.boot === 'grub' ? grubMenu(content, old) : undefined,
      crypttab: oldCrypttab(content, disks, 'the source'),
      // Debian 13 has this program of systemd in a package of its own.
      opensLuks: isIn(
        paths,
        isIn(paths, 'lib/systemd/systemd') ? 'lib/systemd/systemd-cryptsetup' : 'sbin/cryptsetup',
      ),
      dropped: [],
      merged: [],
    };
  };
  const { path } = source;
  if (source.type === 'image' && request.type === 'hvm') {
    const { format } = await wholeDisk(host, source);
    return { type: 'disk', path, format, partition: undefined };
  }
  if (source.type === 'image') {
    const { format, partition, where, copies } = await image(host, { ...source, name: request.name });
    const ofImage = (
      content: RootContent,
      { label, ...old }: Omit<OldNames, 'names'> & { readonly label: string | undefined },
      mounts: Pick<Inside, 'dropped' | 'merged'>,
    ): Inside => {
      const names = [
        ...(label === undefined ? [] : [`LABEL=${label}`]),
        ...(partition === undefined ? [] : [`PARTUUID=${partition.uuid}`]),
      ];
      const found = insideOf(content, { ...old, names });
      return { ...found, remove: [...found.remove, ...namesPartition], ...mounts };
    };
    if (copies !== undefined) {
      // `planVolumes` refuses a missing group.
      const tree = { path, format, where, copies, vg: vg ?? '', pool };
      const mounted = async (tx: Tx) => {
        const { root, uuids, dropped, merged, ...at } = await mountImage(tx, host, tree);
        const content = await contentOfImage(host, at, files);
        refuseLarge(content.summary.bytes, size, `${where} holds`);
        return { ...at, inside: ofImage(content, { label: root.label, uuids }, { dropped, merged }) };
      };
      return { type: 'tree', path, partition: partition?.number, mounted };
    }
    const inside = async (device: string): Promise<Inside> => {
      const label = await checkContent(host, { where, device });
      const zone = identity.timezone === undefined ? [] : [`usr/share/zoneinfo/${identity.timezone}`];
      const directories = [
        ...[...identityDirectories, ...zone.map((each) => each.replace(/\/[^/]*$/, ''))],
        ...disks.flatMap(({ mount }) => mount?.slice(1) ?? []),
        ...(request.boot === 'grub' ? ['boot', 'boot/grub', 'boot/loader'] : []),
        ...(request.boot === 'grub' || runsInside(request) ? [''] : []),
      ];
      const content = await readRoot(host, { device, directories, files: [...files, 'etc/fstab'] });
      if (partition === undefined) return ofImage(content, { label }, { dropped: [], merged: [] });
      if (![...content.paths].some((each) => each.startsWith('etc/'))) throw withoutRoot(where);
      const fstab = content.texts.get('etc/fstab');
      if (fstab === undefined && content.paths.has('etc/fstab')) throw irregularFstab(where);
      const { dropped, others } = await mountsIn(fstab ?? '', where);
      if (others[0] !== undefined)
        throw notInImage(others[0], where, 'and no other partition of the image has a filesystem of Linux');
      return ofImage(content, { label }, { dropped, merged: [] });
    };
    // The root of a qcow2 or of a partition can be read only in the copy.
    if (format === 'raw' && partition === undefined) await inside(path);
    return { type: 'image', path, format, partition: partition?.number, insideOf: inside };
  }
  const content =
    source.type === 'dir'
      ? await contentOfTree(host, { tree: await readTree(host, path), files })
      : await readTar({ host, source: path, files });
  const { bytes } = content.summary;
  refuseLarge(bytes, size, `${path} ${source.type === 'dir' ? 'holds' : 'unpacks to'}`);
  if (vg !== undefined && pool !== undefined) await checkPoolRoom(host, { vg, pool, bytes });
  return { type: 'files', path, inside: insideOf(content) };
}

function refuseLarge(bytes: Bytes, size: Bytes, what: string): void {
  if (bytes >= size)
    throw new UsageError(
      `${what} ${formatSize(bytes)}, which does not fit into ${option('--size', 'size')} ${formatSize(size)}`,
    );
}

/** Fills a blank device with the root of a guest; returns the changes in the copy. */
export async function fillRoot(
  tx: Tx,
  of: {
    readonly source: Exclude<RootSource, { readonly type: 'disk' }>;
    readonly device: string;
    /** Returns the files for a root with this UUID and for the data disks; called before the root is mounted. */
    readonly filesOf: (root: string, crypttab: string) => ReturnType<typeof makeFilesystems>;
    readonly roles: Roles;
  },
): Promise<Inside> {
  const { source, device } = of;
  const { inside, files: from, release } = await fillingOf(tx, source, device);
  const { uuid: filesystem } =
    from === undefined
      ? await tx.filesystem.uuid({ device, seed: 'may be added' })
      : await tx.filesystem.create({ device, type: 'ext4' });
  if (from === undefined) await tx.filesystem.resize({ device, size: 'max' });
  const { files: others, mounts } = await of.filesOf(filesystem, inside.crypttab);
  const menu = inside.menu === undefined ? [] : [grubFile(inside.menu, filesystem)];
  const mounted = await tx.temporary.mount.mount({ device, type: 'ext4', mode: 'rw', options: fillOptions });
  const files = [...inside.files, ...others, ...menu];
  const all = { root: mounted.path, device, filesystem, files, remove: inside.remove };
  await (from === undefined ? tx.copy.files(all) : tx.copy.unpack({ ...from, ...all }));
  await release();
  if (of.roles.scripts.length > 0 || of.roles.description !== undefined)
    await runRoles(tx, {
      ...of.roles,
      mounts: [{ device, filesystem, type: 'ext4', target: '/' }, ...mounts],
      made: from === undefined ? 'device' : 'filesystem',
    });
  await mounted.release();
  return inside;
}

async function fillingOf(
  tx: Tx,
  source: Exclude<RootSource, { readonly type: 'disk' }>,
  device: string,
): Promise<Filling> {
  const { type, path } = source;
  const release = (): Promise<void> => Promise.resolve();
  switch (type) {
    case 'files':
      return { inside: source.inside, files: { source: path }, release };
    case 'tree': {
      const { path: tree, ...mounted } = await source.mounted(tx);
      return { ...mounted, files: { source: tree, mounts: 'included' } };
    }
    case 'image': {
      const { format, partition, insideOf } = source;
      await tx.copy.image({ source: path, format, device, ...present({ partition }) });
      return { inside: await insideOf(device), files: undefined, release };
    }
  }
}

/** The image of the disk of a PC. Throws RefusedError if it has no partition table: a BIOS cannot boot it. */
async function wholeDisk(
  host: ReadHost,
  { path, format }: Extract<FileCreate['source'], { type: 'image' }>,
): Promise<ImageSource> {
  const whole = await imageSource(host, { path, format: format ?? formatOf(path) });
  if (whole.from === 'device' || (await partitionsIn(host, whole)) !== undefined) return whole;
  throw new RefusedError(`${path} has no partition table, so a guest of type hvm cannot boot from it`, {
    remedy: `boot the kernel in it: ${option('--type pvh --boot grub', "type: 'pvh' and boot: 'grub'")}`,
  });
}

/**
 * The image, or its root partition, with a name for messages. `copies` is set if its files are copied, because
 * its root is an xfs or btrfs, or may mount other partitions.
 */
async function image(
  host: ReadHost,
  of: Extract<FileCreate['source'], { type: 'image' }> & { readonly name: string },
) {
  const { path, name } = of;
  const whole = await imageSource(host, { path, format: of.format ?? formatOf(path) });
  const found = await rootPartition(host, whole, of.partition);
  const copyOf = (partition: ImagePartition | undefined): PartCopy => ({
    name: [name, 'image', partition?.number ?? []].flat().join('-'),
    size: (partition ?? whole).bytes,
    partition,
  });
  if (found === undefined) {
    const content = (await contentIn(host, whole)) ?? '';
    const copies = ['xfs', 'btrfs'].includes(content) ? [copyOf(undefined)] : undefined;
    return { ...whole, partition: undefined, where: path, copies };
  }
  const { root, others } = found;
  const copies = root.content === 'ext' && others.length === 0 ? undefined : [root, ...others].map(copyOf);
  const where = `partition ${root.number} of ${path}`;
  return { ...whole, bytes: root.bytes, partition: root, where, copies };
}

/** The label of the root. Throws RefusedError for anything but one clean ext2, ext3 or ext4. */
async function checkContent(
  host: ReadHost,
  { where, device }: { readonly where: string; readonly device: string },
): Promise<string | undefined> {
  const content = await probeFile(host, device);
  if (content === undefined || !/^ext[234]$/.test(content.type))
    throw new RefusedError(
      `${where} holds ${contentInWords(content)}: the root in an image must be ext2, ext3, ext4, xfs or btrfs`,
      { remedy: packRemedy },
    );
  await checkUuidChange(host, { device, type: 'ext4', seed: 'may be added' });
  return content.label;
}
