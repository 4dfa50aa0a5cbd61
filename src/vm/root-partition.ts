import { typeInWords } from '../blockdevice/index.ts';
import type { ReadHost } from '../command/index.ts';
import { type ImagePartition, type ImageSource, partitionsIn, type RootContent } from '../copy/index.ts';
import { RefusedError } from '../core/errors.ts';
import { option } from '../core/option.ts';
import { formatSize } from '../core/units.ts';
import { type FstabLine, mountsInFstab } from '../mount/index.ts';

/** Root of Linux on x86-64, from the Discoverable Partitions Specification. */
const rootType = '4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709';

/** The remedy for an image without a partition that bofh can copy as the root of a guest. */
export const packRemedy =
  'attach it: losetup --find --show --partscan FILE; then mount its root filesystem and pack it: tar --create --file /srv/root.tar --one-file-system --directory MOUNTPOINT .; then use tar:/srv/root.tar';

/**
 * The root partition of an image: the requested one, else the only one with the partition type of a root,
 * else the largest one with a Linux filesystem. Undefined if the image has no partitions. Throws
 * RefusedError, which lists all partitions, if there are several candidates, or if bofh cannot copy the
 * partition.
 */
export async function rootPartition(
  host: ReadHost,
  source: ImageSource,
  wanted: number | undefined,
): Promise<ImagePartition | undefined> {
  const { path } = source;
  const all = source.from === 'file' ? await partitionsIn(host, source) : undefined;
  if (all === undefined) {
    if (wanted === undefined) return undefined;
    throw new RefusedError(`${path} has no partition table`, {
      remedy: `leave out ${option('--partition', 'partition')}`,
    });
  }
  const list = all.map(inWords).join('; ');
  const refused = (why: string, remedy: string): RefusedError =>
    new RefusedError(`${why}; ${path} has ${list === '' ? 'no partitions' : `the partitions ${list}`}`, {
      remedy,
    });
  const [first, second] = wanted === undefined ? likely(all) : all.filter(({ number }) => number === wanted);
  if (first === undefined)
    throw wanted === undefined
      ? refused('no partition is an ext4, xfs or btrfs of Linux', packRemedy)
      : refused(`there is no partition ${wanted}`, `name one of them with ${asked('N')}`);
  if (second?.bytes === first.bytes)
    throw refused(
      `both partition ${first.number} and partition ${second.number} may be the root`,
      `name the root with ${asked('N')}`,
    );
  if (first.content !== 'ext')
    throw refused(`partition ${first.number} is not ext2, ext3 or ext4, which the root must be`, packRemedy);
  return first;
}

const asked = (number: string): string => option(`--partition ${number}`, `partition: ${number}`);

/** The partitions that may be the root, the most likely first. */
function likely(all: readonly ImagePartition[]): readonly ImagePartition[] {
  const roots = all.filter(({ type }) => type === rootType);
  const linux = all.filter(
    ({ type, content = '' }) => typeInWords(type) === 'linux' && ['ext', 'xfs', 'btrfs'].includes(content),
  );
  return (roots.length > 0 ? roots : linux).toSorted((one, other) => other.bytes - one.bytes);
}

function inWords({ number, bytes, type, content = 'content unknown' }: ImagePartition): string {
  const name = type === rootType ? 'root' : typeInWords(type);
  return `${number} (${formatSize(bytes)}, ${name}, ${content})`;
}

/**
 * The mount points of the EFI system partition, which a guest does not have, in the fstab of a root
 * partition. Throws RefusedError for other filesystems in the fstab, whose files would be missing, and if the
 * partition is not the root of a system.
 */
export async function espMounts({ paths, texts }: RootContent, where: string): Promise<readonly string[]> {
  if (![...paths].some((path) => path.startsWith('etc/')))
    throw new RefusedError(`${where} has no files in /etc, so it is not the root filesystem of a system`, {
      remedy: `name the partition of the root filesystem with ${asked('N')}`,
    });
  const lines: FstabLine[] = [];
  await mountsInFstab(texts.get('etc/fstab') ?? '', {
    ...{ file: `/etc/fstab in ${where}`, mode: 'rw' },
    deviceOf: (line) => void lines.push(line),
  });
  const isEsp = ({ target, type }: FstabLine): boolean =>
    /^\/(?:boot\/efi|efi)\/?$/.test(target) || type === 'vfat';
  const other = lines.find((line) => !isEsp(line));
  if (other !== undefined)
    throw new RefusedError(
      `/etc/fstab in ${where} mounts ${other.source} on ${other.target}: bofh copies only the root filesystem, so these files would be missing`,
      { remedy: packRemedy },
    );
  return lines.map(({ target }) => target);
}
