import * as z from 'zod/mini';
import type { Bytes } from '../core/units.ts';
import type { PrintedPath } from './text.ts';

/** The root of the whole filesystem is a subvolume too, and can be neither snapshotted away nor deleted. */
export const topLevelId = 5;

/** A subvolume as `btrfs subvolume list` has it. */
export interface SubvolumeRow extends PrintedPath {
  readonly id: number;
  readonly generation: number;
  /** The generation in which it was made. */
  readonly madeIn: number;
  /** Id of the subvolume that it lies in. */
  readonly parentId: number;
  /** What it is a snapshot of, if that is known. */
  readonly parentUuid: string | undefined;
  /** What it was received from. */
  readonly receivedUuid: string | undefined;
  /** Missing of a subvolume that a kernel before 3.6 has made. */
  readonly uuid: string | undefined;
}

/** A subvolume as `btrfs subvolume show` has it. */
export interface Subvolume extends SubvolumeRow {
  readonly name: PrintedPath;
  /** When it was made, ISO 8601 in UTC; by this host's clock, or for a received one when it was received. */
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

/** How much of a device a kind has, or nobody. */
export interface DeviceShare {
  readonly device: string;
  readonly bytes: Bytes;
}

/** The space of a filesystem, as `btrfs filesystem usage` tells it. */
export interface Usage {
  readonly size: Bytes;
  readonly allocated: Bytes;
  readonly unallocated: Bytes;
  /** Of devices that are not there. */
  readonly missing: Bytes;
  readonly used: Bytes;
  /** What can still be written, at best and at worst. */
  readonly free: Bytes;
  readonly freeAtLeast: Bytes;
  readonly spaces: readonly SpaceOf[];
  readonly unallocatedOn: readonly DeviceShare[];
}

/**
 * How far the numbers of quota groups can be believed: as they are; while they are being counted, too low; after a crash or a
 * change of the groups, anything until somebody counts anew; and of quotas that are off, as they were then.
 */
export type QuotaState = 'exact' | 'counting' | 'inconsistent' | 'stale';

/** A quota group; `0/ID` is that of the subvolume of this id. Undefined limits: none. */
export interface Qgroup {
  readonly id: string;
  readonly referenced: Bytes;
  readonly exclusive: Bytes;
  readonly maxReferenced: Bytes | undefined;
  readonly maxExclusive: Bytes | undefined;
  readonly parents: readonly string[];
  readonly children: readonly string[];
}

/** A filesystem, or subvolume, by its UUID as btrfs-progs writes one. */
export const uuid = z
  .string()
  .check(z.regex(/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, 'a UUID in lower case'));

/** What a scrub has read and found. */
export interface ScrubCounts {
  /** Read, every copy of it. */
  readonly dataBytes: Bytes;
  readonly metadataBytes: Bytes;
  readonly readErrors: number;
  readonly checksumErrors: number;
  /** Of metadata, whose header is not what it should be. */
  readonly headerErrors: number;
  readonly superblockErrors: number;
  /** The kernel had no memory to look. */
  readonly memoryErrors: number;
  readonly uncorrectable: number;
  /** A second look found them well. */
  readonly unverified: number;
  /** Written anew from a good copy. */
  readonly corrected: number;
}

/** The last scrub of a filesystem, or the one that runs. */
export interface Scrub extends ScrubCounts {
  readonly state: 'never' | 'running' | 'finished' | 'aborted' | 'interrupted';
  /** As btrfs prints it, in this host's time. */
  readonly started: string | undefined;
}

/** What a balance did. */
export interface Balanced {
  /** Block groups that were written anew, of those that there were. */
  readonly relocated: number;
  readonly chunks: number;
}

/** The balance that runs or waits. */
export type Balance =
  | { readonly state: 'none' }
  | {
      readonly state: 'running' | 'paused' | 'cancelling';
      readonly relocated: number;
      readonly expected: number;
      readonly leftPercent: number;
    };

/** A device of a mounted filesystem, as `btrfs filesystem show` has it. */
export interface Device {
  /** 0: what another one is being replaced with. */
  readonly devid: number;
  /** Undefined: it is missing. */
  readonly path: string | undefined;
  /** What the filesystem has of it. */
  readonly size: Bytes;
  /** Of it in block groups. */
  readonly allocated: Bytes;
}
