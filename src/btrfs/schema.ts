import * as z from 'zod/mini';
import type { Bytes } from '../core/units.ts';
import type { PrintedPath } from './text.ts';

/** The root of the whole filesystem is a subvolume too, and cannot be deleted. */
export const topLevelId = 5;

/** A subvolume in `btrfs subvolume list`. */
export interface SubvolumeRow extends PrintedPath {
  readonly id: number;
  readonly generation: number;
  /** The generation in which it was created. */
  readonly madeIn: number;
  /** Id of the subvolume that contains it. */
  readonly parentId: number;
  /** The uuid of its origin if it is a snapshot, if known. */
  readonly parentUuid: string | undefined;
  /** The uuid of the subvolume that it was received from. */
  readonly receivedUuid: string | undefined;
  /** Missing if a kernel before 3.6 created it. */
  readonly uuid: string | undefined;
}

/** A subvolume in `btrfs subvolume show`. */
export interface Subvolume extends SubvolumeRow {
  readonly name: PrintedPath;
  /**
   * Creation time, ISO 8601 in UTC, by the clock of this host; for a received subvolume the time of
   * receiving.
   */
  readonly made: string | undefined;
  readonly mode: 'ro' | 'rw';
  /** Paths of its snapshots within the filesystem. */
  readonly snapshots: readonly PrintedPath[];
}

/** The space of one kind of block group: `Data,single`. */
export interface SpaceOf {
  readonly kind: string;
  readonly profile: string;
  readonly size: Bytes;
  readonly used: Bytes;
  readonly devices: readonly DeviceShare[];
}

/** Bytes on one device: those of one kind of block group, or the unallocated ones. */
export interface DeviceShare {
  readonly device: string;
  readonly bytes: Bytes;
}

/** The space of a filesystem, from `btrfs filesystem usage`. */
export interface Usage {
  readonly size: Bytes;
  readonly allocated: Bytes;
  readonly unallocated: Bytes;
  /** Size of missing devices. */
  readonly missing: Bytes;
  readonly used: Bytes;
  /** How many bytes can still be written, at best and at worst. */
  readonly free: Bytes;
  readonly freeAtLeast: Bytes;
  readonly spaces: readonly SpaceOf[];
  readonly unallocatedOn: readonly DeviceShare[];
}

/**
 * How exact the numbers of quota groups are: exact; too low while the kernel counts; inconsistent
 * after a crash or a change of the groups, until a rescan; or stale since quotas were disabled.
 */
export type QuotaState = 'exact' | 'counting' | 'inconsistent' | 'stale';

/** A quota group; `0/ID` is the group of the subvolume with this id. Undefined limits: none. */
export interface Qgroup {
  readonly id: string;
  readonly referenced: Bytes;
  readonly exclusive: Bytes;
  readonly maxReferenced: Bytes | undefined;
  readonly maxExclusive: Bytes | undefined;
  readonly parents: readonly string[];
  readonly children: readonly string[];
}

/** UUID of a filesystem or subvolume in the format of btrfs-progs. */
export const uuid = z
  .string()
  .check(z.regex(/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, 'a UUID in lower case'));

/** What a scrub has read and found. */
export interface ScrubCounts {
  /** Bytes read, all copies included. */
  readonly dataBytes: Bytes;
  readonly metadataBytes: Bytes;
  readonly readErrors: number;
  readonly checksumErrors: number;
  /** Metadata blocks with a wrong header. */
  readonly headerErrors: number;
  readonly superblockErrors: number;
  /** Blocks that the kernel had too little memory to check. */
  readonly memoryErrors: number;
  readonly uncorrectable: number;
  /** Errors that disappeared when the block was read again. */
  readonly unverified: number;
  /** Errors that were rewritten from a good copy. */
  readonly corrected: number;
}

/** The last or running scrub of a filesystem. */
export interface Scrub extends ScrubCounts {
  readonly state: 'never' | 'running' | 'finished' | 'aborted' | 'interrupted';
  /** Start time as btrfs prints it, in the local time of this host. */
  readonly started: string | undefined;
}

/** The result of a balance. */
export interface Balanced {
  /** Block groups rewritten, and the number of all block groups. */
  readonly relocated: number;
  readonly chunks: number;
}

/** The running or paused balance. */
export type Balance =
  | { readonly state: 'none' }
  | {
      readonly state: 'running' | 'paused' | 'pausing' | 'cancelling';
      readonly relocated: number;
      readonly expected: number;
      /** Null: unknown, because the kernel has not counted the block groups since the mount. */
      readonly leftPercent: number | null;
    };

/** A device of a mounted filesystem, from `btrfs filesystem show`. */
export interface Device {
  /** 0: the target of a running replacement. */
  readonly devid: number;
  /** Undefined: the device is missing. */
  readonly path: string | undefined;
  /** Bytes of the device that the filesystem uses. */
  readonly size: Bytes;
  /** Bytes that are allocated to block groups. */
  readonly allocated: Bytes;
}
