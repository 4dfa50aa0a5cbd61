import { contentInWords, probeFile } from '../blockdevice/index.ts';
import type { ReadHost } from '../command/index.ts';
import {
  contentOfTree,
  fillOptions,
  formatOf,
  type ImageSource,
  imageSource,
  readRoot,
  readTar,
  readTree,
  type RootContent,
} from '../copy/index.ts';
import { RefusedError, UsageError } from '../core/errors.ts';
import { option } from '../core/option.ts';
import { present } from '../core/present.ts';
import { type Bytes, formatSize } from '../core/units.ts';
import { refuseFixed } from '../filesystem/index.ts';
import type { Tx } from '../operations.ts';
import { grubConfig, grubFile, type GrubMenu, grubMenu } from './boot.ts';
import { checkPoolRoom } from './checks.ts';
import type { FileCreate } from './bases.ts';
import { type makeFilesystems, refuseHidden } from './data-disks.ts';
import {
  type Identity,
  identityDirectories,
  identityFiles,
  type IdentityFiles,
  refuseWithoutServer,
} from './identity.ts';
import { refuseUnmountable, type Roles, runRoles, runsInside } from './roles.ts';
import { espMounts, packRemedy, rootPartition } from './root-partition.ts';

/** With this file of Ubuntu's cloud images, update-grub names a partition that the guest does not have. */
const namesPartition = ['etc/default/grub.d/40-force-partuuid.cfg'];

/** The changes in the root. */
interface Inside extends IdentityFiles {
  /** Undefined if the guest does not boot a kernel from its root. */
  readonly menu: GrubMenu | undefined;
  /** Mount points in the fstab of the source that the guest does not have. */
  readonly dropped: readonly string[];
}

/** The checked source that fills the root of a new guest. */
export type RootSource =
  | { readonly type: 'files'; readonly path: string; readonly inside: Inside }
  | {
      readonly type: 'image';
      readonly path: string;
      readonly format: ImageSource['format'];
      /** Number of the partition; undefined if the image has none. */
      readonly partition: number | undefined;
      /** The changes in the copy, which depend on its content. */
      readonly insideOf: (device: string) => Promise<Inside>;
    };

/** The size of the root, from the request or from the image. */
export async function sizeOfSource(
  host: ReadHost,
  { size, source }: Pick<FileCreate, 'size' | 'source'>,
): Promise<Bytes> {
  if (source.type !== 'image') return size ?? 0;
  const { bytes, where } = await image(host, source);
  if (size === undefined || size >= bytes) return size ?? bytes;
  throw new UsageError(
    `${where} has ${formatSize(bytes)}, more than ${option('--size', 'size')} ${formatSize(size)}`,
    { remedy: `leave ${option('--size', 'size')} out, or ask for more` },
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
  const files = request.boot === 'grub' ? [grubConfig] : [];
  const insideOf = (content: RootContent, names: readonly string[] = []): Inside => {
    const { paths } = content;
    if (sshKeys !== undefined) refuseWithoutServer(paths);
    refuseHidden(paths, disks);
    if (runsInside(request)) refuseUnmountable(paths, request);
    return {
      ...identityFiles(identity, paths),
      menu: request.boot === 'grub' ? grubMenu(content, names) : undefined,
      dropped: [],
    };
  };
  const { path } = source;
  if (source.type === 'image') {
    const { format, partition, where } = await image(host, source);
    const inside = async (device: string): Promise<Inside> => {
      const label = await checkContent(host, { where, device });
      const zone = identity.timezone === undefined ? [] : [`usr/share/zoneinfo/${identity.timezone}`];
      const directories = [
        ...[...identityDirectories, ...zone.map((each) => each.replace(/\/[^/]*$/, ''))],
        ...disks.flatMap(({ mount }) => mount?.slice(1) ?? []),
        ...(request.boot === 'grub' ? ['boot', 'boot/grub'] : []),
        ...(request.boot === 'grub' || runsInside(request) ? [''] : []),
      ];
      const content = await readRoot(host, { device, directories, files: [...files, 'etc/fstab'] });
      const dropped = partition === undefined ? [] : await espMounts(content, where);
      const names = [
        ...(label === undefined ? [] : [`LABEL=${label}`]),
        ...(partition === undefined ? [] : [`PARTUUID=${partition.uuid}`]),
      ];
      const found = insideOf(content, names);
      return { ...found, remove: [...found.remove, ...namesPartition], dropped };
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
  if (bytes >= size)
    throw new UsageError(
      `${path} ${source.type === 'dir' ? 'holds' : 'unpacks to'} ${formatSize(bytes)}, more than ${option('--size', 'size')} ${formatSize(size)} holds`,
    );
  if (vg !== undefined && pool !== undefined) await checkPoolRoom(host, { vg, pool, bytes });
  return { type: 'files', path, inside: insideOf(content) };
}

/** Fills a blank device with the root of a guest; returns the changes in the copy. */
export async function fillRoot(
  tx: Tx,
  of: {
    readonly source: RootSource;
    readonly device: string;
    /** Returns the files for a root with this UUID and for the data disks; called before the root is mounted. */
    readonly filesOf: (root: string) => ReturnType<typeof makeFilesystems>;
    readonly roles: Roles;
  },
): Promise<Inside> {
  const { source, device } = of;
  const inside = source.type === 'files' ? source.inside : await copied(tx, { ...source, device });
  const { uuid: filesystem } =
    source.type === 'files'
      ? await tx.filesystem.create({ device, type: 'ext4' })
      : await tx.filesystem.uuid({ device, seed: 'may be added' });
  if (source.type === 'image') await tx.filesystem.resize({ device, size: 'max' });
  const { files: others, mounts } = await of.filesOf(filesystem);
  const menu = inside.menu === undefined ? [] : [grubFile(inside.menu, filesystem)];
  const mounted = await tx.temporary.mount.mount({ device, type: 'ext4', mode: 'rw', options: fillOptions });
  const files = [...inside.files, ...others, ...menu];
  const all = { root: mounted.path, device, filesystem, files, remove: inside.remove };
  await (source.type === 'files' ? tx.copy.unpack({ source: source.path, ...all }) : tx.copy.files(all));
  if (of.roles.scripts.length > 0 || of.roles.description !== undefined)
    await runRoles(tx, {
      ...of.roles,
      mounts: [{ device, filesystem, type: 'ext4', target: '/' }, ...mounts],
      made: source.type === 'files' ? 'filesystem' : 'device',
    });
  await mounted.release();
  return inside;
}

async function copied(
  tx: Tx,
  of: Extract<RootSource, { type: 'image' }> & { readonly device: string },
): Promise<Inside> {
  const { path, format, partition, insideOf, device } = of;
  await tx.copy.image({ source: path, format, device, ...present({ partition }) });
  return insideOf(device);
}

/** The image, or its root partition, with a name for messages. */
async function image(host: ReadHost, of: Extract<FileCreate['source'], { type: 'image' }>) {
  const { path } = of;
  const whole = await imageSource(host, { path, format: of.format ?? formatOf(path) });
  const partition = await rootPartition(host, whole, of.partition);
  if (partition === undefined) return { ...whole, partition, where: path };
  const { number, bytes } = partition;
  return { ...whole, bytes, partition, where: `partition ${number} of ${path}` };
}

/** The label of the root. Throws RefusedError for anything but one clean ext2, ext3 or ext4. */
async function checkContent(
  host: ReadHost,
  { where, device }: { readonly where: string; readonly device: string },
): Promise<string | undefined> {
  const content = await probeFile(host, device);
  if (content === undefined || !/^ext[234]$/.test(content.type))
    throw new RefusedError(
      `${where} holds ${contentInWords(content)}: the root in an image must be ext2, ext3 or ext4`,
      { remedy: packRemedy },
    );
  await refuseFixed(host, { device, type: 'ext4', seed: 'may be added' });
  return content.label;
}
