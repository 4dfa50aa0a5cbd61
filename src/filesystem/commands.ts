import { classifyDevice } from '../blockdevice/index.ts';
import { type Answer, type Command, nothing, type Tool } from '../command/index.ts';
import type { Reason } from '../core/errors.ts';
import type { Bytes } from '../core/units.ts';

/** Arguments of every mkfs. */
export interface NewFilesystem {
  readonly device: string;
  readonly uuid: string;
  readonly label?: string;
}

/** More options: each one exists only for some types. */
export interface MkfsOptions {
  /** For ext2/3/4 and xfs, in bytes. */
  readonly blockSize?: Bytes;
  /** For ext2/3/4: one inode per this many bytes. */
  readonly bytesPerInode?: Bytes;
  /** For ext2/3/4: blocks reserved for root, in percent. */
  readonly reservedPercent?: number;
  /** For btrfs, in bytes. */
  readonly nodeSize?: Bytes;
  /** Only for btrfs. */
  readonly checksum?: 'crc32c' | 'xxhash' | 'sha256' | 'blake2';
  /** Only for vfat. */
  readonly fatBits?: 12 | 16 | 32;
}

type MkfsRequest = NewFilesystem & { readonly options?: MkfsOptions | undefined };
type Mkfs = Command<void, 'change'>;

/**
 * Creates an ext4 filesystem. mkfs.ext4 overwrites any content and asks only on a terminal (1.47),
 * so probe first. Without `-F`, so that it refuses a device in use. Without `-q`, because its
 * output is the progress.
 */
export function mkfsExt4(make: MkfsRequest): Mkfs {
  return mkfsExt('mkfs.ext4', make);
}

/** Creates ext2, ext3 or ext4: one program with three names. */
function mkfsExt(
  tool: 'mkfs.ext2' | 'mkfs.ext3' | 'mkfs.ext4',
  { options = {}, ...make }: MkfsRequest,
): Mkfs {
  const { blockSize, bytesPerInode, reservedPercent } = options;
  const words = [
    ...given('-b', blockSize),
    ...given('-i', bytesPerInode),
    ...given('-m', reservedPercent),
    ...['-U', make.uuid],
    ...given('-L', make.label),
  ];
  return { ...command(tool, [...words, make.device], classifyDevice), progress: inodeTables };
}

/**
 * Creates a swap area. mkswap overwrites a filesystem with only a warning (2.38), so probe first.
 * Never with `-f`.
 */
export function mkswap(make: NewFilesystem): Mkfs {
  return command('mkswap', ['-U', make.uuid, ...given('-L', make.label), make.device], classifyDevice);
}

/** Creates an xfs. Without `-f` mkfs.xfs refuses a device with any known content (6.1). */
export function mkfsXfs({ options = {}, ...make }: MkfsRequest): Mkfs {
  const { blockSize } = options;
  const words = [
    ...(blockSize === undefined ? [] : ['-b', `size=${blockSize}`]),
    ...['-m', `uuid=${make.uuid}`],
    ...given('-L', make.label),
  ];
  return command('mkfs.xfs', [...words, make.device], classifyMade);
}

/**
 * Creates a btrfs on one device. Without `-f` mkfs.btrfs refuses a device with any known content.
 * Version 6.2 always refuses a UUID that another device has; 6.14 accepts it
 * (test/fixtures/mkfs.btrfs/non-unique@6.14.json).
 */
export function mkfsBtrfs({ options = {}, ...make }: MkfsRequest): Mkfs {
  const { nodeSize, checksum } = options;
  const words = [
    ...given('--nodesize', nodeSize),
    ...given('--csum', checksum),
    ...['-U', make.uuid],
    ...given('-L', make.label),
  ];
  return command('mkfs.btrfs', [...words, make.device], classifyMade);
}

/**
 * Creates a FAT filesystem; `uuid` is its volume id as blkid shows it, `ABCD-1234`. Overwrites
 * anything (4.2).
 */
export function mkfsVfat({ options = {}, ...make }: MkfsRequest): Mkfs {
  const words = [
    ...given('-F', options.fatBits),
    ...['-i', make.uuid.replace('-', '').toLowerCase()],
    ...given('-n', make.label),
  ];
  return command('mkfs.vfat', [...words, make.device], classifyMade);
}

/** The mkfs command for each type. */
export const mkfs: Readonly<
  Record<'ext2' | 'ext3' | 'ext4' | 'xfs' | 'btrfs' | 'vfat' | 'swap', (make: MkfsRequest) => Mkfs>
> = {
  ext2: (make) => mkfsExt('mkfs.ext2', make),
  ext3: (make) => mkfsExt('mkfs.ext3', make),
  ext4: mkfsExt4,
  xfs: mkfsXfs,
  btrfs: mkfsBtrfs,
  vfat: mkfsVfat,
  swap: mkswap,
};

function command(tool: Tool, argv: readonly string[], classify: (answer: Answer) => Reason): Mkfs {
  return { tool, argv, access: 'change', parse: nothing, classify };
}

function given(option: string, value: string | number | undefined): readonly string[] {
  return value === undefined ? [] : [option, String(value)];
}

/** Finds why mkfs.xfs, mkfs.btrfs or mkfs.vfat failed. */
function classifyMade(answer: Answer): Reason {
  const { stderr } = answer;
  if (/contains a mounted filesystem|is mounted/.test(stderr)) return 'busy';
  if (/appears to contain an existing|non-unique UUID/.test(stderr)) return 'exists';
  return classifyDevice(answer);
}

// "Writing inode tables:  3/16\b\b\b\b\b", then "done": the only slow part on a large device.
function inodeTables(output: string): number | undefined {
  const tables = /Writing inode tables:(?<counts>[^a-z\n]*)(?<done>done)?/.exec(output)?.groups;
  if (tables?.done !== undefined) return 1;
  const last = [...(tables?.counts ?? '').matchAll(/(?<done>\d+)\/(?<all>\d+)/g)].at(-1)?.groups;
  const fraction = Number(last?.done) / Number(last?.all);
  return fraction >= 0 && fraction <= 1 ? fraction : undefined;
}
