import type { Btrfs } from './btrfs.ts';
import type { Tree } from './tree.ts';

/** What blkid(8) tells of a device's content. */
export interface Superblock {
  /** As blkid names it: `ext4`, `swap`, `LVM2_member`. */
  readonly type: string;
  /** What it is for; `other` for swap. */
  readonly usage: 'filesystem' | 'raid' | 'crypto' | 'other';
  /** Its UUID. */
  readonly uuid?: string;
  /** Its label. */
  readonly label?: string;
  /** The version of its format. */
  readonly version?: string;
  /** Bytes of a block. */
  readonly blockSize?: number;
  /** Its size in its own blocks; what a test plants without it is as large as its device. */
  readonly blocks?: number;
  /** Of a device that was added to a btrfs: its number there, and its own uuid. */
  readonly member?: {
    /** Its number in the filesystem. */
    readonly devid: number;
    /** The UUID of the device in it. */
    readonly uuid: string;
  };
  /** Of an ext, beside those that each has. */
  readonly features?: readonly string[];
  /** Of a btrfs: the uuid that it was to have when btrfstune was killed. */
  readonly changing?: string;
  /**
   * `slight`: e2fsck mends them without a question; `noted`: only the superblock says that there were some; else it would have
   * to be asked by a person.
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
  /** KiB */
  readonly memory: number;
  /** The key in it is not that of the data. */
  readonly opens?: 'nothing';
}

/** What a LUKS header says beside the superblock; what is missing is as cryptsetup makes it by itself. */
export interface LuksParts {
  readonly slots: readonly LuksSlot[];
  /** Another one: the data is encrypted by another key. */
  readonly volumeKey?: string;
  readonly cipher?: string;
  readonly integrity?: true;
  /** Bytes for key slots. */
  readonly slotRoom?: number;
  /** A reencryption is running, with the key of a slot that opens nothing yet. */
  readonly reencryption?: {
    readonly volumeKey: string;
    readonly cipher?: string;
    readonly slot: number;
    readonly mode?: 'encrypt' | 'decrypt';
    /** Bytes that are done. */
    readonly done: number;
    readonly torn: boolean;
  };
}

/** A device that cryptsetup has opened. It ends with the boot. */
export interface CryptMapping {
  readonly number: string;
  name: string;
  readonly dmUuid: string;
  /** The number of the device beneath. */
  readonly lower: string;
  /** Where its data begin there. */
  readonly offset: number;
  size: number;
  readonly mode: 'ro' | 'rw';
  /** Where its content is. */
  readonly storage: string;
}

/** What is on a device, or in a filesystem without one. */
export interface Content {
  readonly superblock?: Superblock;
  readonly tree?: Tree;
  /** Beside the superblock of a LUKS device. */
  readonly luks?: LuksParts;
  /** And what the device held before its header was made: where the data begin, those bytes are still there. */
  readonly payload?: Content;
  /** Of DRBD's metadata: what its flags say of the data. */
  readonly replica?: 'Inconsistent' | 'UpToDate';
  /** The generation UUID of the data in the DRBD metadata; missing: none was set. */
  readonly generation?: string;
  /** The generation that it had in common with its peer when it was first written to without it; missing: it was not. */
  readonly bitmap?: string;
  /** The two generations that were in common before; missing: none. */
  readonly history?: readonly string[];
  /** How many sectors they are, as these metadata have it; missing: 0. */
  readonly agreed?: number;
  /**
   * Offset of the superblock of the DRBD metadata, and the content of the device without the
   * metadata.
   */
  readonly metadata?: { readonly at: number; readonly beneath: Content };
  /** Of a btrfs; missing: as mkfs left it. */
  readonly btrfs?: Btrfs;
  /** Mounted for writing, or was when the power failed: its journal holds what only a mount brings out. */
  readonly needsRecovery?: boolean;
  /**
   * How often an administrator mounted it read-write or wrote to it: each time its first blocks
   * change.
   */
  readonly changes?: number;
  /** A filesystem of a real host, which a plan does not mount: its content is unknown. */
  readonly unread?: boolean;
  /** Of a copy of an ext on a real device, which is not mounted: where debugfs finds its files. */
  readonly origin?: string;
  /** What it was before some of the bytes by which it is known, at these offsets, were erased. */
  readonly erased?: { readonly content: Content; readonly offsets: readonly number[] };
  /** What was written beside all that, by sectors of 512 bytes: partition tables. */
  readonly sectors?: ReadonlyMap<number, Uint8Array>;
  /** Of a real device: its signatures, and their 4 KiB blocks, by offset. */
  readonly real?: {
    readonly magics: readonly Magic[];
    readonly blocks: ReadonlyMap<number, Uint8Array>;
  };
}

/** A partition that the kernel has made a device of, in bytes; `real`: of a real host. */
export interface KernelPart {
  readonly number: number;
  readonly start: number;
  readonly size: number;
  /** `major:minor` */
  readonly node: string;
  readonly real: boolean;
}

/** Bytes by which a content is known. */
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
}

export interface PhysicalVolume {
  readonly uuid: string;
  /** `/dev/vdb` */
  readonly path: string;
  readonly deviceSize: number;
  /** Its number of extents. */
  readonly extents: number;
  readonly number: string;
  /** Of one in a group; what is left out has none. */
  readonly tags?: readonly string[];
  /** `no`: no extents are given out on it. */
  readonly allocatable?: 'no';
  /** Where its extents begin, on a real host: an array has them aligned to its stripes. */
  readonly start?: number;
}

/** A run of extents of a physical volume. */
export interface ExtentRun {
  /** The uuid of the physical volume. */
  readonly pv: string;
  readonly start: number;
  readonly count: number;
  /** It belongs to a `pvmove0` for the time being. */
  readonly moving?: true;
}

export interface LogicalVolume {
  readonly uuid: string;
  name: string;
  extents: number;
  /** Its runs of extents, in its own order. */
  runs?: readonly ExtentRun[];
  tags: readonly string[];
  autoactivation: boolean;
  /** The uuid of what it is a snapshot of. */
  readonly origin?: string;
  /** Of a volume that is not plain: as lvs says it. */
  layout?: string;
  readonly role?: string;
  /** The UUID of its thin pool; it then has no extents of the group. */
  readonly pool?: string;
  /** Extents beside its own: of a thin pool's metadata, of a raid's other copies and their lists. */
  moreExtents?: number;
  /** Of a striped one its stripes, of a raid1 its copies. */
  areas?: number;
  /** Activated only by who says so. */
  readonly skipped?: boolean;
  /**
   * It will be merged into its origin; lvm has recorded that, and merges at the next activation.
   */
  merging?: boolean;
  /** How full it is while it is active, in percent; 0 for an empty snapshot or thin volume. */
  data?: number;
  metadata?: number;
  synced?: number;
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
  /** Extents that are in use by what the model does not know; 0 for a group that it made. */
  otherExtents: number;
  /** The volumes that have these, parts of others: it lists them, and may move them. */
  hidden?: readonly LogicalVolume[];
  /** A power cut has kept the header of its newest metadata and lost the text: lvm does not find it any more. */
  isTorn?: boolean;
}

export interface Mount {
  readonly id: number;
  readonly parent: number;
  /** `major:minor`, of a device or made up. */
  readonly device: string;
  readonly root: string;
  readonly path: string;
  readonly options: string;
  readonly optional: string;
  readonly type: string;
  readonly source: string;
  readonly superOptions: string;
  /** Where the files are; undefined for a mount of a real host, whose files are asked of it. */
  readonly storage: string | undefined;
  /** The inode of the directory that a bind mount shows; the top of the storage when it is left out. */
  readonly top?: number;
  /** What libmount keeps of the options for itself. */
  readonly userOptions: readonly string[];
}

/** A loop device and the file behind it. */
export interface Loop {
  /** Its number: 3 of `/dev/loop3` (when attached by an administrator: the lowest free one by default). */
  readonly minor: number;
  readonly path: string;
  /** Where its content is. */
  readonly storage: string;
  /** As stat(2) has them of the file. */
  readonly inode: string;
  readonly filesystem: string;
  readonly size: number;
  /** Where it begins in the file, in bytes. */
  readonly offset: number;
  /** How many bytes of the file it shows; 0: all. */
  readonly limit: number;
  /** Access mode. */
  readonly mode: 'ro' | 'rw';
  /** Whether the kernel scans it for partitions. */
  readonly partitions: 'scanned' | 'ignored';
  /** Bytes of a sector. */
  readonly sectorSize: number;
  /** Whether it uses direct I/O. */
  readonly direct: boolean;
  /** It goes with the last who has it open. */
  readonly autoclear: boolean;
  /** The kernel's count of attachments. */
  readonly sequence: number;
  /** Of a real host, under a plan. */
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
  /** The kernel of the guest does not let go of it. */
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
  /** What it can get while it runs. */
  readonly most: {
    /** Memory, in MiB. */
    readonly memoryMiB: number;
    /** Virtual CPUs. */
    readonly vcpus: number;
  };
  weight: number;
  /** xl counts pauses: each unpause ends one. */
  pauses: number;
  /** As `xl list` shows it. */
  state: 'running' | 'blocked' | 'paused' | 'shutdown' | 'crashed' | 'dying';
  /** Its disks. */
  disks: readonly DomainDisk[];
  /** Its network interfaces. */
  nics: readonly { readonly mac: string; readonly bridge: string }[];
  /** `half-built`: xl has no configuration of it. */
  readonly built: 'whole' | 'half-built';
}
