import * as z from 'zod/mini';
import type { UnpackedFile } from '../copy/index.ts';
import { RefusedError, UsageError } from '../core/errors.ts';
import { option } from '../core/option.ts';
import { sizeOption, text } from '../core/request.ts';
import { type Bytes, parseSize } from '../core/units.ts';
import { checkName } from '../crypt/names.ts';
import { dataOffsets } from '../crypt/new-luks.ts';
import { checkRoom } from '../filesystem/index.ts';
import type { Tx } from '../operations.ts';
import { crypttabLine, diskLuks, makeLuks, type NewDiskLuks, type OpenLuks } from './disk-luks.ts';
import { isWithin } from '../blockdevice/path.ts';

/** Data disks of a new guest, by their names. */
export const dataDisks = z.record(
  z.string(),
  z.strictObject({
    /** Its size, in bytes or as text: `20g`. */
    size: sizeOption,
    /** Its filesystem (default: ext4). */
    fs: z._default(z.enum(['ext4', 'xfs', 'btrfs']), 'ext4'),
    /** The mount point in the guest, for a line in its /etc/fstab (default: not mounted). */
    mount: z.exactOptional(text),
    /** Encrypts it with LUKS2, with a line in the guest's /etc/crypttab (default: not encrypted). */
    luks: z.exactOptional(diskLuks),
  }),
);

/** A checked data disk of a new guest. */
export interface DataDisk {
  readonly name: string;
  readonly size: Bytes;
  readonly fs: 'ext4' | 'xfs' | 'btrfs';
  /** The mount point, an absolute path in the guest. */
  readonly mount?: string;
  readonly luks?: NewDiskLuks;
}

// With root and swap, the disks are xvda to xvdz.
const most = 24;

/**
 * The kernel mounts these directories itself, or all users write to them, which a new filesystem does not
 * allow.
 */
const system = ['/dev', '/proc', '/run', '/sys', '/tmp', '/var/tmp', '/lost+found'];

const larger = 'request a larger size, or another filesystem type';

/** Throws UsageError for a disk that no guest can have. */
export function checkDisks(
  asked: z.output<typeof dataDisks>,
  /** The name of a disk in errors. */
  at = option('--disk', 'disks'),
): readonly DataDisk[] {
  const disks = Object.entries(asked).map(([name, { size, ...rest }]): DataDisk => {
    if (!/^(?!(?:root|swap|hd[a-d]|xvd.*)$)[A-Za-z][\w-]{0,30}$/.test(name))
      throw new UsageError(
        `${at} ${name}: the name must begin with a letter, and have only letters, digits, "-" and "_"; root, swap, hda to hdd, and xvd… are reserved`,
      );
    const bytes = parseSize(size);
    if (rest.luks === undefined) checkRoom(`${at} ${name}`, rest.fs, bytes, { remedy: larger });
    else {
      checkName(name);
      checkRoom(`${at} ${name} without its LUKS header`, rest.fs, Math.max(bytes - dataOffsets.luks2, 0), {
        remedy: larger,
      });
    }
    if (rest.mount !== undefined) checkMountPoint(`${at} ${name}`, rest.mount);
    return { name, size: bytes, ...rest };
  });
  if (disks.length > most) throw new UsageError(`${at}: a guest can have at most ${String(most)} data disks`);
  for (const { name, mount } of disks) {
    const other = disks.find(
      (each) =>
        each.name !== name && each.mount !== undefined && mount !== undefined && isWithin(mount, each.mount),
    );
    if (other !== undefined)
      throw new UsageError(
        `the disk ${name} would be mounted on ${mount ?? ''}, within the disk ${other.name} (${other.mount ?? ''})`,
        {
          remedy:
            'choose another mount point; or leave mount= out, and add the disk to the /etc/fstab of the guest later',
        },
      );
  }
  return disks;
}

function checkMountPoint(disk: string, path: string): void {
  const parts = path.split('/').slice(1);
  if (!/^(?:\/[\w.+@:-]+)+$/.test(path) || parts.includes('.') || parts.includes('..'))
    throw new UsageError(
      `${disk}: mount ${JSON.stringify(path)} must be an absolute path below /, such as /srv, without "..", "//" and blanks`,
    );
  const [taken] = system.filter((each) => isWithin(path, each));
  if (taken !== undefined)
    throw new UsageError(`${disk}: ${path} belongs to the system of the guest`, {
      remedy: 'mount it elsewhere, for example on /srv',
    });
}

/** Throws RefusedError for a disk that would hide files of the source, or of the guest. */
export function refuseHidden(
  paths: ReadonlySet<string>,
  disks: readonly DataDisk[],
  owner: 'source' | 'guest' = 'source',
): void {
  for (const { name, mount } of disks) {
    const within = mount === undefined ? undefined : `${mount.slice(1)}/`;
    const hidden = [...paths].find((path) => within !== undefined && path.startsWith(within));
    if (hidden !== undefined)
      throw new RefusedError(`the disk ${name} on ${mount ?? ''} would hide ${hidden} of the ${owner}`, {
        code: 'has-data',
        remedy: `mount it on a directory that is empty in the ${owner}`,
      });
  }
}

/**
 * Creates the filesystems of a guest. Returns its /etc/fstab and /etc/crypttab, with the directories of the
 * mount points, its mounts, and its encrypted disks by their names, which the caller closes.
 */
export async function makeFilesystems(
  tx: Tx,
  of: {
    /** UUID of the root filesystem, which already exists; undefined: the root disk is blank. */
    readonly root: string | undefined;
    /** Device of the swap area. */
    readonly swap: string | undefined;
    readonly data: readonly (Omit<DataDisk, 'size'> & { readonly device: string })[];
    /** The /etc/crypttab of the source (default: empty). */
    readonly crypttab?: string;
  },
): Promise<{
  readonly files: readonly UnpackedFile[];
  readonly mounts: readonly NewMount[];
  readonly open: ReadonlyMap<string, OpenLuks>;
}> {
  const mounts: NewMount[] = [];
  const open = new Map<string, OpenLuks>();
  const lines = of.root === undefined ? [] : [`UUID=${of.root} / ext4 defaults 0 1`];
  if (of.swap !== undefined) {
    const { uuid } = await tx.filesystem.create({ device: of.swap, type: 'swap' });
    lines.push(`UUID=${uuid} none swap sw 0 0`);
  }
  const directories: UnpackedFile[] = [];
  for (const { name, device: disk, fs, mount, luks } of of.data) {
    const opened = luks === undefined ? undefined : await makeLuks(tx, { device: disk, luks });
    if (opened !== undefined) open.set(name, opened);
    const device = opened?.path ?? disk;
    const { uuid } = await tx.filesystem.create({ device, type: fs });
    if (mount === undefined) continue;
    mounts.push({ device, filesystem: uuid, type: fs, target: mount });
    lines.push(fstabLine({ uuid, mount, fs, ...(luks === undefined ? {} : { luks: name }) }));
    directories.push({ path: mount.slice(1), directory: true, mode: 0o755 });
  }
  const fstab = { path: 'etc/fstab', content: `${lines.join('\n')}\n`, mode: 0o644 };
  const added = [...open].map(([name, { uuid }]) => crypttabLine({ name, uuid }));
  const crypttab = {
    ...{ path: 'etc/crypttab', mode: 0o644, encoding: 'latin1' as const },
    content: withLines(of.crypttab ?? '', added),
  };
  return { files: [...directories, fstab, ...(added.length === 0 ? [] : [crypttab])], mounts, open };
}

/** A text with more lines at its end. */
export function withLines(text: string, lines: readonly string[]): string {
  return [text.replace(/(?<=[^\n])$/, '\n'), ...lines.map((line) => `${line}\n`)].join('');
}

/** The line of a disk in the /etc/fstab of its guest. */
export function fstabLine(of: {
  readonly uuid: string;
  readonly mount: string;
  readonly fs: DataDisk['fs'];
  /** Name of the mapping of an encrypted disk. */
  readonly luks?: string;
}): string {
  const { uuid, mount, fs, luks } = of;
  const [source, options] =
    luks === undefined ? [`UUID=${uuid}`, 'defaults'] : [`/dev/mapper/${luks}`, 'defaults,nofail'];
  // fsck(8) does nothing for xfs and btrfs.
  return `${source} ${mount} ${fs} ${options} 0 ${fs === 'ext4' ? '2' : '0'}`;
}

/** A new filesystem, and its mount point in the guest. */
export interface NewMount {
  readonly device: string;
  readonly filesystem: string;
  readonly type: string;
  readonly target: string;
}
