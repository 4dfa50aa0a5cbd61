import { typeInWords } from '../blockdevice/index.ts';
import type { ReadHost } from '../command/index.ts';
import { type ImagePartition, type ImageSource, partitionsIn } from '../copy/index.ts';
import { ParseError, RefusedError } from '../core/errors.ts';
import { option } from '../core/option.ts';
import { formatSize } from '../core/units.ts';
import { type FstabLine, mountsInFstab } from '../mount/index.ts';

/** Root of Linux on x86-64, from the Discoverable Partitions Specification. */
const rootType = '4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709';

/** The remedy for an image without a partition that bofh can copy as the root of a guest. */
export const packRemedy =
  'attach it: losetup --find --show --partscan FILE; then mount its root filesystem and pack it: tar --create --file /srv/root.tar --one-file-system --directory MOUNTPOINT .; then use tar:/srv/root.tar';

/** The same remedy, or to boot the whole image with its own boot loader. */
const packOrBootRemedy = `${packRemedy}; or boot the whole image as an emulated PC: ${option('--type hvm', "type: 'hvm'")}`;

/** Contents that bofh can copy, as in `ImagePartition`. */
const filesystems = ['ext', 'xfs', 'btrfs'];
const isFilesystem = ({ content = '' }: ImagePartition): boolean => filesystems.includes(content);

/**
 * The root partition of an image: the requested one, else the largest one with the partition type
 * of a root, else the largest one with a Linux filesystem; and the other Linux filesystems, which
 * the root may mount. Undefined if the image has no partitions. Throws RefusedError, which lists
 * all partitions, if the two largest candidates have the same size, if a larger partition may
 * contain the root (LVM, LUKS, RAID), or if bofh cannot copy the partition.
 */
export async function rootPartition(
  host: ReadHost,
  source: ImageSource,
  wanted: number | undefined,
): Promise<{ readonly root: ImagePartition; readonly others: readonly ImagePartition[] } | undefined> {
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
      ? refused('no partition of a Linux type has ext2, ext3, ext4, xfs or btrfs', packOrBootRemedy)
      : refused(`there is no partition ${wanted}`, `name one of them with ${asked('N')}`);
  if (second?.bytes === first.bytes)
    throw refused(
      `both partition ${first.number} and partition ${second.number} may be the root`,
      `name the root with ${asked('N')}`,
    );
  if (!isFilesystem(first))
    throw refused(
      `partition ${first.number} is not ext2, ext3, ext4, xfs or btrfs, which the root must be`,
      packOrBootRemedy,
    );
  const larger = all.find(({ bytes, content = '' }) => bytes > first.bytes && containers.includes(content));
  if (wanted === undefined && first.type !== rootType && larger !== undefined)
    throw refused(
      `partition ${larger.number} is ${larger.content ?? ''} and may contain the root, which bofh does not find there`,
      `${packOrBootRemedy}; or name the root with ${asked('N')}`,
    );
  const others = all.filter((each) => each !== first && each.type !== rootType && isFilesystem(each));
  return { root: first, others };
}

/** Contents in which a root may be. */
const containers = ['LVM2_member', 'crypto_LUKS', 'linux_raid_member'];

const asked = (number: string): string => option(`--partition ${number}`, `partition: ${number}`);

/** The partitions that may be the root, the most likely first. */
function likely(all: readonly ImagePartition[]): readonly ImagePartition[] {
  const roots = all.filter(({ type }) => type === rootType);
  const linux = all.filter((each) => typeInWords(each.type) === 'linux' && isFilesystem(each));
  return (roots.length > 0 ? roots : linux).toSorted((one, other) => other.bytes - one.bytes);
}

function inWords({ number, bytes, type, content = 'content unknown' }: ImagePartition): string {
  const name = type === rootType ? 'root' : typeInWords(type);
  return `${number} (${formatSize(bytes)}, ${name}, ${content})`;
}

/** The error for a partition or image that is not the root of a system. */
export function withoutRoot(where: string): RefusedError {
  return new RefusedError(`${where} has no files in /etc, so it is not the root filesystem of a system`, {
    remedy: `name the partition of the root filesystem with ${asked('N')}`,
  });
}

export function irregularFstab(where: string): RefusedError {
  return new RefusedError(`/etc/fstab in ${where} is not a regular file`, { remedy: packRemedy });
}

/**
 * The mounts in the fstab of a root, except the root: `dropped` are the mount points of the EFI
 * system partition, which a guest does not have: /efi, /boot/efi, and a vfat on or below /efi or
 * /boot. RefusedError for an fstab that cannot be parsed.
 */
export async function mountsIn(
  fstab: string,
  where: string,
): Promise<{ readonly dropped: readonly string[]; readonly others: readonly FstabLine[] }> {
  const lines: FstabLine[] = [];
  const file = `/etc/fstab in ${where}`;
  await mountsInFstab(fstab, { file, mode: 'rw', deviceOf: (line) => void lines.push(line) }).catch(
    (error: unknown) => {
      if (!(error instanceof ParseError)) throw error;
      throw new RefusedError(error.message, { cause: error, remedy: packRemedy });
    },
  );
  const isEsp = ({ target, type }: FstabLine): boolean =>
    /^\/(?:boot\/efi|efi)\/?$/.test(target) || (type === 'vfat' && /^\/(?:boot|efi)(?:\/|$)/.test(target));
  return {
    dropped: lines.filter(isEsp).map(({ target }) => target),
    others: lines.filter((line) => !isEsp(line)),
  };
}

/** The error for a mount of the fstab whose files the guest would lack. */
export function notInImage({ source, target }: FstabLine, where: string, why: string): RefusedError {
  return new RefusedError(
    `/etc/fstab in ${where} mounts ${source} on ${target}, ${why}: the files below ${target} would be missing in the guest`,
    { remedy: packRemedy },
  );
}
