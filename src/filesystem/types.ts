import { UsageError } from '../core/errors.ts';
import { type Bytes, formatSize } from '../core/units.ts';
import type { MkfsOptions } from './commands.ts';

/** The types that bofh creates. */
export const makeable = ['ext2', 'ext3', 'ext4', 'xfs', 'btrfs', 'vfat', 'swap'] as const;

export type Makeable = (typeof makeable)[number];

interface TypeRules {
  readonly smallest: Bytes;
  readonly why: string;
  /** Longest label, in bytes of UTF-8. */
  readonly labelBytes: number;
  /** The allowed form of a label, and its description. */
  readonly label?: { readonly fits: RegExp; readonly words: string };
  /** Options of the type. */
  readonly options: readonly (keyof MkfsOptions)[];
}

const mebibyte = 1024 ** 2;
const ext = { labelBytes: 16, options: ['blockSize', 'bytesPerInode', 'reservedPercent'] } as const;
const noJournal = (size: Bytes): string => `below ${formatSize(size)} it has no journal`;

/** mkfs.ext3 and mkfs.ext4 omit the journal of a filesystem with fewer blocks (1.47). */
const journalBlocks = 2048;

/**
 * Limits of each type, as tried with the tools (e2fsprogs 1.47, xfsprogs 6.1, btrfs-progs 6.2,
 * dosfstools 4.2, util-linux 2.38).
 */
export const rules: Readonly<Record<Makeable, TypeRules>> = {
  ext2: { ...ext, smallest: 128 * 1024, why: 'its own tables need that much' },
  ext3: { ...ext, smallest: 2 * mebibyte, why: noJournal(2 * mebibyte) },
  ext4: { ...ext, smallest: 2 * mebibyte, why: noJournal(2 * mebibyte) },
  xfs: {
    smallest: 300 * mebibyte,
    why: 'mkfs.xfs does not create a smaller one',
    labelBytes: 12,
    // xfs_db gets the label within a command string.
    label: { fits: /^[\w.+@=][\w.+:@%=,/-]*$/, words: 'letters, digits and . + @ = _ : % , / - of ASCII' },
    options: ['blockSize'],
  },
  btrfs: {
    smallest: 114_294_784,
    why: 'mkfs.btrfs does not create a smaller one',
    // mkfs.btrfs accepts 255 bytes and keeps 254.
    labelBytes: 254,
    options: ['nodeSize', 'checksum'],
  },
  vfat: {
    smallest: 64 * 1024,
    why: 'mkfs.vfat does not create a smaller one',
    labelBytes: 11,
    // Some systems do not show lower case, and "NO NAME" means no label.
    label: {
      fits: /^(?!NO NAME$)(?! )[\x20-\x29\x2d\x30-\x39\x40-\x5a\x5e-\x60\x7b\x7d\x7e]+(?<! )$/,
      words: 'capitals, digits and some signs of ASCII, not NO NAME',
    },
    options: ['fatBits'],
  },
  swap: { smallest: 40 * 1024, why: 'mkswap does not create a smaller one', labelBytes: 15, options: [] },
};

/** The smallest size for a filesystem of this type with these options, and why. */
export function room(type: Makeable, { blockSize }: MkfsOptions): Pick<TypeRules, 'smallest' | 'why'> {
  const { smallest, why } = rules[type];
  if (blockSize === undefined || (type !== 'ext3' && type !== 'ext4')) return { smallest, why };
  const size = Math.max(smallest, journalBlocks * blockSize);
  return { smallest: size, why: noJournal(size) };
}

const uuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const volumeNumber = /^[0-9A-F]{4}-[0-9A-F]{4}$/;

/** UsageError for an invalid label of this type. */
export function checkLabel(type: Makeable, label: string): void {
  const { labelBytes, label: beside } = rules[type];
  if (Buffer.byteLength(label) > labelBytes)
    throw new UsageError(`the label "${label}" is too long: ${type} allows ${labelBytes} bytes`);
  if (beside?.fits.test(label) === false)
    throw new UsageError(`the label "${label}" is not valid for ${type}: allowed: ${beside.words}`);
}

/** UsageError for a uuid in the wrong format for this type. */
export function checkUuid(type: Makeable, text: string): void {
  const fits = type === 'vfat' ? volumeNumber : uuid;
  if (fits.test(text)) return;
  const form = type === 'vfat' ? 'eight hexadecimal digits, ABCD-1234' : 'a UUID in lower case';
  throw new UsageError(`"${text}" is not a uuid of ${type}: it must be ${form}`);
}

/** UsageError for an option that this type does not have. */
export function checkOptions(type: Makeable, options: MkfsOptions): void {
  const known: readonly string[] = rules[type].options;
  const foreign = Object.keys(options).find((name) => !known.includes(name));
  if (foreign === undefined) return;
  const has = known.length === 0 ? 'none' : known.join(', ');
  throw new UsageError(`${type} has no option ${foreign}; its options: ${has}`);
}
