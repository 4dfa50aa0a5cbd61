import * as z from 'zod/mini';
import { debianSuite } from '../copy/index.ts';
import { UsageError } from '../core/errors.ts';
import { option } from '../core/option.ts';
import { present } from '../core/present.ts';
import {
  fromRoot,
  milliseconds,
  oneOrMore,
  parsed,
  sizeOption as size,
  sizeOrZero,
  sizeOrZeroOption,
  text,
} from '../core/request.ts';
import { type Bytes, parseSize } from '../core/units.ts';
import { checkDisks, type DataDisk, dataDisks } from './data-disks.ts';
import { parseConfig } from '../xen/index.ts';

/**
 * `debian:trixie`, `tar:/srv/debian.tar`, `dir:/srv/root`, `image:/srv/debian.qcow2`, `blank`, or the same as an object. An
 * image to download is an object, because it needs a checksum.
 */
type Source =
  | `${'debian' | 'tar' | 'dir' | 'image'}:${string}`
  | 'blank'
  | {
      /** Nothing: an installer in the guest partitions its disk. Needs `cdrom`, or `kernel` and `ramdisk`. */
      readonly type: 'blank';
    }
  | {
      /** The newest base that `vm.createBase` has installed. */
      readonly type: 'debian';
      /** Code name of the release: `trixie`. */
      readonly suite: string;
    }
  | {
      /** A tar archive, plain or compressed. */
      readonly type: 'tar';
      /** Absolute path of the archive. */
      readonly path: string;
    }
  | {
      /** A directory of this host, copied with owners, modes, attributes, hard links and holes. */
      readonly type: 'dir';
      /** Absolute path of the directory. Nothing may be mounted below it, and nothing may write to it. */
      readonly path: string;
    }
  | {
      /** An image of one root filesystem (ext4, xfs or btrfs), or of a disk with partitions. */
      readonly type: 'image';
      /** Absolute path of the image. */
      readonly path: string;
      /** Format of the image (default: from the name of the file: .raw, .img or .qcow2). */
      readonly format?: 'raw' | 'qcow2';
      /**
       * Number of the partition that is the root (default: the one whose partition type is Linux
       * root, or else the largest Linux partition).
       */
      readonly partition?: number;
    }
  | {
      /** An image that is downloaded once, and kept in /var/cache/bofh-images. */
      readonly type: 'https';
      /** URL of the image, `https://…`, which ends with .qcow2, .raw or .img. */
      readonly url: string;
      /** `sha256:HEX` or `sha512:HEX`; or the absolute path of a local copy of SHA256SUMS or SHA512SUMS. */
      readonly checksum: string;
      /** Number of the partition, as for an image. */
      readonly partition?: number;
    };

const partition = z.exactOptional(z.int().check(z.positive()));

const source = z.pipe(
  z.transform((given: Source): object => {
    if (typeof given !== 'string') return given;
    if (given === 'blank') return { type: given };
    const [, type, what] = /^(?:(?<type>[^:]*):)?(?<what>.*)$/s.exec(given) ?? [];
    if (type === 'https') return { type, url: given };
    return type === 'debian' ? { type, suite: what } : { type, path: what };
  }),
  z.discriminatedUnion('type', [
    z.strictObject({ type: z.literal('debian'), suite: debianSuite }),
    z.strictObject({ type: z.literal('tar'), path: fromRoot }),
    z.strictObject({ type: z.literal('dir'), path: fromRoot }),
    z.strictObject({
      type: z.literal('image'),
      path: fromRoot,
      format: z.exactOptional(z.enum(['raw', 'qcow2'])),
      partition,
    }),
    z.strictObject({
      type: z.literal('https'),
      url: text.check(
        z.refine(
          (url) => /^https:\/\/[^\s/?#@]+\/[^\s?#]+$/.test(url) && URL.canParse(url),
          'must be an address such as https://cloud.debian.org/images/x.qcow2, without a password and a query, because the journal stores it',
        ),
      ),
      checksum: z._default(
        z
          .string()
          .check(
            z.regex(
              /^(?:sha256:[0-9a-fA-F]{64}|sha512:[0-9a-fA-F]{128}|\/[^\0]+)$/,
              'must be sha256: with 64 hexadecimal digits, sha512: with 128, or the absolute path of a SHA256SUMS or SHA512SUMS',
            ),
          ),
        '',
      ),
      partition,
    }),
    z.strictObject({ type: z.literal('blank') }),
  ]),
);

const createSchema = z.strictObject({
  /** Name of the new guest, its configuration and its volumes. Throws RefusedError if it is taken. */
  name: z.string(),
  /**
   * The source of the root filesystem: `debian:trixie`, the newest base of that release (`vm.createBase`);
   * `tar:/srv/debian.tar`, a tar archive, plain or compressed; `dir:/srv/root`, a directory; or
   * `image:/srv/debian.qcow2`, a raw or qcow2 image of a root filesystem (ext4, xfs or btrfs) or of a disk
   * with partitions, not with `drbd`; or `blank`, nothing, for an installer.
   */
  source,
  /**
   * Size of the root disk. Sizes are bytes, or text: `2g` (default: the size of the image, or of its
   * partitions that are copied).
   */
  size: z.exactOptional(size),
  /** Size of the swap disk (default: 0, no swap). */
  swap: z.exactOptional(sizeOrZeroOption),
  /** Data disks, by their names: `{ data: { size: '20g', fs: 'xfs', mount: '/srv' } }`. */
  disks: z.exactOptional(dataDisks),
  /** Memory of the guest, in bytes or as text: `512m`. */
  memory: size,
  /** Number of virtual CPUs (default: 1). */
  vcpus: z._default(z.number(), 1),
  /**
   * Guest type: `pv`, paravirtualized; `pvh`; or `hvm`, an emulated PC with a BIOS, for `blank` or for the image of a
   * disk, which is copied as it is. The last two need a processor with virtualization.
   */
  type: z._default(z.enum(['pv', 'pvh', 'hvm']), 'pv'),
  /** Absolute path of an ISO image in the CD-ROM drive of an `hvm` guest, which boots from it only while its disk is blank. */
  cdrom: z.exactOptional(fromRoot),
  /** The volume group for its disks (default: `volumeGroup` of the site file). */
  vg: z.exactOptional(text),
  /** The thin pool for its disks (default: linear volumes). Not with `drbd`. */
  thin: z.exactOptional(text),
  /** The host name inside the guest (default: its name). */
  hostname: z.exactOptional(text),
  /** Public keys that may log in as root by SSH: each as text, or the absolute path of a file of keys. */
  sshKeys: z.exactOptional(z.array(text)),
  /** `dhcp`, or an address with its prefix length, one per family: `192.0.2.10/24`. Needs a bridge. */
  ip: z.exactOptional(oneOrMore),
  /** Its gateway, one per family (default: `guestGateway` of the site file). */
  gateway: z.exactOptional(oneOrMore),
  /** Its name servers (default: `guestDns` of the site file). */
  dns: z.exactOptional(oneOrMore),
  /** The time zone, as in /usr/share/zoneinfo: `Europe/Vienna`. */
  timezone: z.exactOptional(
    text.check(z.regex(/^[A-Za-z][\w+/-]*$/, 'must be a name such as Europe/Vienna')),
  ),
  /** The bridge of its network interface (default: `bridge` of the site file, or no network). */
  bridge: z.exactOptional(text),
  /** MAC address of its interface (default: a random one). */
  mac: z.exactOptional(text),
  /**
   * `direct`: Xen loads `kernel` and `ramdisk`, files of this host. `grub`: GRUB (`guestGrub` of the site
   * file) loads the kernel in the root filesystem of the guest (default: direct; with a `debian:` source
   * grub, unless `kernel` is set).
   */
  boot: z.exactOptional(z.enum(['direct', 'grub'])),
  /** Additional lines for its configuration, as in xl.cfg(5): `vfb = ["type=vnc"]`. */
  extra: z.exactOptional(z.array(text)),
  /**
   * Absolute path of its kernel; needs `ramdisk` (default: `guestKernel` of the site file, or that of
   * the host).
   */
  kernel: z.exactOptional(text),
  /**
   * Absolute path of its ramdisk; needs `kernel` (default: `guestRamdisk` of the site file, or that of
   * the host).
   */
  ramdisk: z.exactOptional(text),
  /**
   * The other host for replicated disks, by its ssh name, its name in the site file or its own name (default:
   * the disks are only on this host).
   */
  drbd: z.exactOptional(text),
  /** The volume group on that host (default: the same). */
  peerVg: z.exactOptional(text),
  /** The addresses of the connection, by host name (default: those in the only network that both hosts share). */
  addresses: z.exactOptional(z.record(text, text)),
  /**
   * Scripts of the site that set the guest up before its first start, in this order: names of executable
   * files in `rolesDir` of the site file.
   */
  roles: z.exactOptional(z.array(text)),
  /**
   * Path of a description (`defineHost`), which bofh applies to its root filesystem before its first start, after
   * the roles.
   */
  provision: z.exactOptional(text),
  /** Time limit for each script and for the description, in milliseconds (default: 600000). */
  roleTimeoutMs: z.exactOptional(milliseconds.check(z.minimum(1000))),
  /** Starts it when this host boots: links its configuration in /etc/xen/auto (default: false). */
  autostart: z.exactOptional(z.boolean()),
  /** Starts it at the end (default: false). */
  start: z._default(z.boolean(), false),
});

/** The settings of a new guest. */
export type CreateRequest = z.input<typeof createSchema>;

/** The checked settings of a new guest, with every size in bytes. */
export type CheckedCreate = Omit<z.output<typeof createSchema>, 'size' | 'swap' | 'memory' | 'disks'> & {
  /** Undefined: the size of the image. */
  readonly size?: Bytes;
  readonly swap: Bytes;
  readonly disks?: readonly DataDisk[];
  readonly memory: Bytes;
};

/** Checks a request, because scripts are not type-checked. Throws UsageError. */
export function checkCreate(request: unknown): CheckedCreate {
  const { swap = 0, disks, ...rest } = parsed('vm.create', createSchema, request);
  for (const key of ['addresses', 'peerVg'] as const)
    if (rest[key] !== undefined && rest.drbd === undefined)
      throw new UsageError(
        `${key}: only for replicated disks, and no peer was named (${option('--drbd', '`drbd`')})`,
      );
  if (rest.thin !== undefined && rest.drbd !== undefined)
    throw new UsageError(
      `${option('--thin', '`thin`')} and ${option('--drbd', '`drbd`')} cannot be used together: bofh replicates linear volumes only`,
      {
        remedy: 'leave out one of them',
      },
    );
  const { size: asked, ...others } = rest;
  const { source: from } = rest;
  const isImage = from.type === 'image' || from.type === 'https';
  if (from.type === 'https' && from.checksum === '')
    throw new UsageError(`vm.create: ${option('--checksum', 'checksum')} of ${from.url} is missing`, {
      remedy: `take it from SHA256SUMS or SHA512SUMS beside the image: ${option('--checksum sha256:HEX, or --checksum FILE', "checksum: 'sha256:HEX'")}`,
    });
  if (asked === undefined && !isImage)
    throw new UsageError(`vm.create: ${option('--size', 'size')} is missing`, {
      remedy: `name the size of the root: ${option('--size 4g', "size: '4g'")}`,
    });
  if (isImage && rest.drbd !== undefined)
    throw new UsageError('an image cannot be copied onto disks that are replicated (drbd)', {
      remedy:
        'pack its files and use tar:FILE, or create the guest first, then: bofh drbd convert VG/NAME --to HOST',
    });
  if (rest.roleTimeoutMs !== undefined && rest.roles === undefined && rest.provision === undefined)
    throw new UsageError(
      `${option('--role-timeout', 'roleTimeoutMs')} needs ${option('--role or --provision', 'roles or provision')}: no script runs`,
    );
  checkExtra(rest.extra ?? []);
  checkWholeDisk({ ...rest, ...present({ disks }), swap: sizeOrZero(swap) });
  const isOpen = [rest.boot, rest.kernel, rest.ramdisk].every((each) => each === undefined);
  const ownKernel = rest.source.type === 'debian' && isOpen;
  return {
    ...others,
    ...(ownKernel ? { boot: 'grub' } : {}),
    ...(disks === undefined ? {} : { disks: checkDisks(disks) }),
    ...(asked === undefined ? {} : { size: parseSize(asked) }),
    swap: sizeOrZero(swap),
    memory: parseSize(rest.memory),
  };
}

/** Settings of a root filesystem, with their options. bofh writes none on a blank disk, or in the image of a disk. */
const ofRoot = {
  hostname: '--hostname',
  sshKeys: '--ssh-key',
  ip: '--ip',
  gateway: '--gateway',
  dns: '--dns',
  timezone: '--timezone',
  roles: '--role',
  provision: '--provision',
} as const;

/** Throws UsageError for a guest that cannot boot, or for settings that only the system inside it can make. */
function checkWholeDisk(
  request: Omit<z.output<typeof createSchema>, 'swap'> & { readonly swap: Bytes },
): void {
  const { type, source, cdrom, kernel, ramdisk, boot, drbd, disks = {} } = request;
  const refuse = (what: string, remedy: string): never => {
    throw new UsageError(`vm.create: ${what}`, { remedy });
  };
  const isImage = source.type === 'image' || source.type === 'https';
  if (type === 'hvm' && source.type !== 'blank' && !isImage)
    refuse(
      `${option('--type hvm', "type: 'hvm'")} is for the image of a disk, or for a blank disk, on which an installer puts a boot loader`,
      `${option('--source image:FILE; or --source blank --cdrom FILE', "source: 'image:FILE'; or source: 'blank' and cdrom")}; or another type: pv or pvh`,
    );
  if (type === 'hvm' && isImage && source.partition !== undefined)
    refuse(
      'a guest of type hvm has the whole disk of the image, not one partition',
      `leave out ${option('--partition', 'partition')}`,
    );
  if (cdrom !== undefined && type !== 'hvm')
    refuse(`only a guest of type hvm has a CD-ROM drive`, option('--type hvm', "type: 'hvm'"));
  if (source.type !== 'blank' && type !== 'hvm') return;
  if (type === 'hvm' && [kernel, ramdisk, boot].some((each) => each !== undefined))
    refuse(
      'a guest of type hvm boots from its disks and its CD-ROM drive, not from a kernel of this host',
      `leave out ${option('--kernel, --ramdisk and --boot', 'kernel, ramdisk and boot')}`,
    );
  if (type === 'hvm' && drbd !== undefined)
    refuse('a guest of type hvm cannot have replicated disks', `leave out ${option('--drbd', 'drbd')}`);
  if (type === 'hvm' && source.type === 'blank' && cdrom === undefined)
    refuse(
      'nothing can be installed on its blank disk',
      `name an ISO image: ${option('--cdrom FILE', 'cdrom')}`,
    );
  if (type !== 'hvm' && (kernel === undefined || ramdisk === undefined || boot === 'grub'))
    refuse(
      'nothing can be installed on its blank disk',
      `name the kernel and the ramdisk of an installer: ${option('--kernel FILE --ramdisk FILE', 'kernel and ramdisk')}; or a CD-ROM: ${option('--type hvm --cdrom FILE', "type: 'hvm' and cdrom")}`,
    );
  const isBlank = source.type === 'blank';
  const why = isBlank ? 'a blank disk has none' : 'bofh copies the image of a disk as it is';
  const inside = (Object.keys(ofRoot) as (keyof typeof ofRoot)[]).find((key) => request[key] !== undefined);
  if (inside !== undefined)
    refuse(
      `${option(ofRoot[inside], inside)} changes the root filesystem, and ${why}`,
      `leave out ${option(ofRoot[inside], inside)}, and set it in the ${isBlank ? 'installer' : `guest; if the image has cloud-init: by a CD-ROM with its settings, ${option('--cdrom FILE', 'cdrom')}`}`,
    );
  if (request.swap > 0)
    refuse(
      `${option('--swap', 'swap')} needs a line in the root filesystem, and ${why}`,
      `leave it out${isBlank ? ': the installer makes swap' : ''}; or add a disk for it: ${option('--disk NAME=SIZE', 'disks')}`,
    );
  const mounted = Object.entries(disks).find(([, disk]) => disk.mount !== undefined)?.[0];
  if (mounted !== undefined)
    refuse(
      `mount= of the disk ${mounted} needs a line in the root filesystem, and ${why}`,
      `leave out ${option('mount=', 'mount')}, and mount it in the guest`,
    );
}

/** Settings that `vm create` writes itself, and settings that would override them. */
const own = [
  ...['name', 'uuid', 'type', 'builder', 'memory', 'vcpus', 'disk', 'vif'],
  ...['kernel', 'ramdisk', 'root', 'extra', 'cmdline', 'bootloader'],
];

/** Throws UsageError for a line that is not one of xl.cfg(5), or that changes a setting of bofh. */
function checkExtra(lines: readonly string[]): void {
  const seen = new Set<string>();
  for (const [at, line] of lines.entries()) {
    const file = `${option('--extra', 'extra')} ${String(at + 1)}`;
    if (/[\r\n]/.test(line)) throw new UsageError(`${file}: must be one line`);
    if (/passw/i.test(line))
      throw new UsageError(`${file}: has a password, which would be in the journal and the system log`, {
        remedy:
          'after the guest is created, make its configuration unreadable for others (mode 0600), and add the line there',
      });
    const keys = [...parseConfig({ text: `${line}\n`, file }).settings.keys()];
    if (keys.length === 0) throw new UsageError(`${file}: sets nothing: expected a line such as vnc = 1`);
    for (const key of keys) {
      if (own.includes(key))
        throw new UsageError(`${file}: sets ${key}, and bofh writes ${own.join(', ')} itself`, {
          remedy: 'use the option for it, or change the configuration after the guest is created',
        });
      if (seen.has(key)) throw new UsageError(`${file}: sets ${key} again: write one line for it`);
      seen.add(key);
    }
  }
}
