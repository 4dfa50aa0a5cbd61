import type { Btrfs } from './btrfs.ts';
import type { Tree } from './tree.ts';
import type { MountEntry } from '../../blockdevice/index.ts';

/** The content of a device, as blkid(8) reports it. */
export interface Superblock {
  /** Type as in blkid: `ext4`, `swap`, `LVM2_member`. */
  readonly type: string;
  /** Usage as in blkid; `other` for swap. */
  readonly usage: 'filesystem' | 'raid' | 'crypto' | 'other';
  /** Its UUID. */
  readonly uuid?: string;
  /** Its label. */
  readonly label?: string;
  /** The version of its format. */
  readonly version?: string;
  /** Size of a block in bytes. */
  readonly blockSize?: number;
  /** Size in blocks of the filesystem. Missing (content that a test wrote): as large as the device. */
  readonly blocks?: number;
  /** For an xfs that grew: the superblock on its device is out of date as long as it is mounted. */
  readonly outOfDate?: {
    /** The former size in blocks. */
    readonly blocks: number;
    /** ID of the mount. */
    readonly mountId: number;
  };
  /** Number and UUID of the device within its btrfs; only for a device that was added to one. */
  readonly member?: {
    /** Its number in the filesystem. */
    readonly devid: number;
    /** The UUID of the device in it. */
    readonly uuid: string;
  };
  /** Features of an ext2, ext3 or ext4, besides those that each one has. */
  readonly features?: readonly string[];
  /** The UUID that btrfstune was setting when it was killed; btrfs only. */
  readonly changing?: string;
  /**
   * `slight`: e2fsck repairs them without a question. `noted`: only the superblock says that there were errors. `true`: only an
   * administrator who answers the questions of e2fsck can repair them.
   */
  readonly errors?: boolean | 'slight' | 'noted';
}

/** A key slot of a LUKS header. */
export interface LuksSlot {
  readonly slot: number;
  /** Changes whenever the slot is written. */
  readonly salt: string;
  /** Fingerprint of the key that opens it. */
  readonly key: string;
  readonly kdf: 'pbkdf2' | 'argon2id';
  /** Memory in KiB. */
  readonly memory: number;
  /** `nothing`: the slot contains another volume key than the one that encrypts the data. */
  readonly opens?: 'nothing';
}

/** Content of a LUKS header, besides the superblock. Missing values are the defaults of cryptsetup. */
export interface LuksParts {
  readonly slots: readonly LuksSlot[];
  /** Digest of the volume key (missing: the first key that this header had). */
  readonly volumeKey?: string;
  readonly cipher?: string;
  readonly integrity?: true;
  /** Size of the area for key slots, in bytes. */
  readonly slotRoom?: number;
  /** A running reencryption; its new volume key is in a slot that does not open the data yet. */
  readonly reencryption?: {
    readonly volumeKey: string;
    readonly cipher?: string;
    readonly slot: number;
    readonly mode?: 'encrypt' | 'decrypt';
    /** Number of finished bytes. */
    readonly done: number;
    readonly torn: boolean;
  };
}

/** An open encrypted device (mapping). A reboot closes it. */
export interface CryptMapping {
  readonly number: string;
  name: string;
  readonly dmUuid: string;
  /** The number (major:minor) of the lower device. */
  readonly lower: string;
  /** Offset of its data on the lower device. */
  readonly offset: number;
  size: number;
  readonly mode: 'ro' | 'rw';
  /** Whether it passes discards on (default: it does not). */
  readonly discards?: true;
  /** Key of its content. */
  readonly storage: string;
}

/** The content of a device, or of a filesystem without one. */
export interface Content {
  readonly superblock?: Superblock;
  readonly tree?: Tree;
  /** The content of a LUKS header, besides the superblock. */
  readonly luks?: LuksParts;
  /** Content of the device before its LUKS header was written; its bytes after the header still exist. */
  readonly payload?: Content;
  /** The state of the data by the flags in the DRBD metadata; only for a device with such metadata. */
  readonly replica?: 'Inconsistent' | 'UpToDate';
  /** The generation UUID of the data in the DRBD metadata; missing: none was set. */
  readonly generation?: string;
  /** The bitmap UUID: the generation that both hosts had when this one was first written to without its peer. Missing: that has not happened. */
  readonly bitmap?: string;
  /** The two generations before `bitmap` that both hosts had; missing: none. */
  readonly history?: readonly string[];
  /** Size of the data in sectors, as the DRBD metadata records it (default: 0). */
  readonly agreed?: number;
  /**
   * Offset of the superblock of the DRBD metadata, and the content of the device without the
   * metadata.
   */
  readonly metadata?: { readonly at: number; readonly beneath: Content };
  /** Subvolumes and devices of a btrfs (missing: as mkfs left it). */
  readonly btrfs?: Btrfs;
  /** The filesystem is mounted for writing, or was when the power failed: only a mount replays its journal. */
  readonly needsRecovery?: boolean;
  /**
   * How often an administrator mounted it read-write or wrote to it: each time its first blocks
   * change.
   */
  readonly changes?: number;
  /** A filesystem of a real host, which a plan does not mount: its content is unknown. */
  readonly unread?: boolean;
  /** Where debugfs finds the files; only for an unmounted ext2, ext3 or ext4 on a real device, or a copy of one. */
  readonly origin?: string;
  /** The content before the signatures at these offsets were erased. */
  readonly erased?: { readonly content: Content; readonly offsets: readonly number[] };
  /** Other written sectors of 512 bytes, by number: partition tables. */
  readonly sectors?: ReadonlyMap<number, Uint8Array>;
  /** Signatures and their 4 KiB blocks, by offset; only for a real device. */
  readonly real?: {
    readonly magics: readonly Magic[];
    readonly blocks: ReadonlyMap<number, Uint8Array>;
  };
}

/** A partition that the kernel knows, with its start and size in bytes. `real`: it exists on the real host. */
export interface KernelPart {
  readonly number: number;
  readonly start: number;
  readonly size: number;
  /** `major:minor` */
  readonly node: string;
  readonly real: boolean;
}

/** A signature, as wipefs(8) shows it. */
export interface Magic {
  readonly offset: number;
  /** In hexadecimal digits. */
  readonly bytes: string;
  readonly type: string;
  readonly usage: string;
  readonly uuid: string | null;
}

/** A whole disk. Its content is stored as `disk:NAME`. */
export interface Disk {
  readonly name: string;
  readonly number: string;
  readonly size: number;
  readonly serial: string;
  /** Whether it can discard blocks (default: it can). */
  readonly discards?: false;
}

export interface PhysicalVolume {
  readonly uuid: string;
  /** `/dev/vdb` */
  readonly path: string;
  readonly deviceSize: number;
  /** Its number of extents. */
  readonly extents: number;
  readonly number: string;
  /** Tags of a physical volume in a group (default: none). */
  readonly tags?: readonly string[];
  /** `no`: lvm allocates no extents on it. */
  readonly allocatable?: 'no';
  /** Offset of its first extent; only on a real host: on an array lvm aligns it to the stripes. */
  readonly start?: number;
}

/** A run of extents of a physical volume. */
export interface ExtentRun {
  /** The uuid of the physical volume. */
  readonly pv: string;
  readonly start: number;
  readonly count: number;
  /** The run belongs to a `pvmove0` while the move runs. */
  readonly moving?: true;
}

export interface LogicalVolume {
  readonly uuid: string;
  name: string;
  extents: number;
  /** Its runs of extents, in the order of the volume. */
  runs?: readonly ExtentRun[];
  tags: readonly string[];
  autoactivation: boolean;
  /** The UUID of its origin; only for a snapshot. */
  readonly origin?: string;
  /** Layout as lvs shows it (missing: linear). */
  layout?: string;
  readonly role?: string;
  /** The UUID of its thin pool; it then has no extents of the group. */
  readonly pool?: string;
  /** Extents besides its own: the metadata of a thin pool, or the other copies of a raid and the metadata of all copies. */
  moreExtents?: number;
  /** Number of stripes of a striped volume, or of copies of a raid1. */
  areas?: number;
  /** Its activation-skip flag is set. */
  readonly skipped?: boolean;
  /**
   * lvm has recorded that the snapshot must be merged into its origin, and merges it at the next activation.
   */
  merging?: boolean;
  /** Usage in percent while the volume is active; 0 for an empty snapshot or thin volume. */
  data?: number;
  metadata?: number;
  synced?: number;
  /** For an image of a raid: it is being synced from another one. */
  outOfSync?: true;
  health?: string;
}

export interface VolumeGroup {
  readonly uuid: string;
  name: string;
  readonly extentSize: number;
  seqno: number;
  readonly tags: readonly string[];
  pvs: readonly PhysicalVolume[];
  lvs: LogicalVolume[];
  /** Extents used by volumes that the model does not simulate; 0 for a group that the simulator created. */
  otherExtents: number;
  /** The hidden volumes (parts of other volumes) that use those extents; the simulated lvm lists and moves them. */
  hidden?: readonly LogicalVolume[];
  /** A power cut kept the header of the newest metadata and lost its text: lvm no longer finds the group. */
  isTorn?: boolean;
}

/** A mount; a filesystem without a device has an invented number. */
export interface Mount extends MountEntry {
  readonly optional: string;
  /** Where the files are. Undefined: a mount of the real host, which is asked for its files. */
  readonly storage: string | undefined;
  /** The inode of the directory that a bind mount shows (default: the top of the storage). */
  readonly top?: number;
  /** Options that only libmount keeps, in /run/mount/utab (x-…, X-…). */
  readonly userOptions: readonly string[];
}

/** A loop device with its file. */
export interface Loop {
  /** Its number: 3 of `/dev/loop3` (when attached by an administrator: the lowest free one by default). */
  readonly minor: number;
  readonly path: string;
  /** Key of its content. */
  readonly storage: string;
  /** Inode and filesystem of the file, as stat(2) reports them. */
  readonly inode: string;
  readonly filesystem: string;
  readonly size: number;
  /** Offset of the device in the file, in bytes. */
  readonly offset: number;
  /** Number of bytes of the file that the device shows (0: all). */
  readonly limit: number;
  /** Access mode. */
  readonly mode: 'ro' | 'rw';
  /** Whether the kernel scans it for partitions. */
  readonly partitions: 'scanned' | 'ignored';
  /** Bytes of a sector. */
  readonly sectorSize: number;
  /** Whether it uses direct I/O. */
  readonly direct: boolean;
  /** The kernel detaches it when the last process closes it. */
  readonly autoclear: boolean;
  /** The kernel's count of attachments. */
  readonly sequence: number;
  /** In a dry run: the device exists on the real host. */
  readonly real?: true;
}

export interface DomainDisk {
  /** Its name in the guest: `xvda1`. */
  readonly vdev: string;
  /** The device or file on the host. */
  readonly path: string;
  /** `major:minor` */
  readonly number: string;
  /** Whether the guest may write to it (default: rw). */
  readonly mode?: 'ro' | 'rw';
  /** How often the guest wrote to it (default: 0). */
  readonly writes?: number;
  /** Set if the kernel of the guest does not release the disk. */
  readonly kept?: true;
}

export interface Domain {
  readonly domid: number;
  /** Its name. */
  readonly name: string;
  /** Its UUID. */
  readonly uuid: string;
  /** Its memory, in MiB. */
  memoryMiB: number;
  /** Its number of virtual CPUs. */
  vcpus: number;
  /** Maximum while the domain runs. */
  readonly most: {
    /** Memory, in MiB. */
    readonly memoryMiB: number;
    /** Virtual CPUs. */
    readonly vcpus: number;
  };
  weight: number;
  /** xl counts pauses: each unpause ends one. */
  pauses: number;
  /** State as in `xl list`. */
  state: 'running' | 'blocked' | 'paused' | 'shutdown' | 'crashed' | 'dying';
  /** Its disks. */
  disks: readonly DomainDisk[];
  /** Its network interfaces. */
  nics: readonly {
    /** Its MAC address: lower case, with colons. */
    readonly mac: string;
    /** The bridge to which it is connected. */
    readonly bridge: string;
  }[];
  /** Its QEMU guest agent; missing: it has no channel for one. */
  agent?: {
    /** The socket of its channel on the host. */
    readonly socket: string;
    /** The state of its filesystems. */
    readonly filesystems: 'thawed' | 'frozen';
    /** Whether it answers, and does what it is asked. */
    readonly answers: 'always' | 'never' | 'but freezes nothing';
  };
  /** `half-built`: its creation was interrupted, and xl has no configuration for it. */
  readonly built: 'whole' | 'half-built';
}
