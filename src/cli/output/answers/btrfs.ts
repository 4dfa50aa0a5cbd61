import * as z from 'zod/mini';
import { count, ensured, text } from './parts.ts';

const subvolume = {
  id: count,
  /** Path from the top level of the filesystem; null if it is not UTF-8. */
  path: z.nullable(text),
  /** Printable path. */
  shown: text,
  uuid: z.nullable(text),
  /** UUID of the subvolume of which this one is a snapshot. */
  parentUuid: z.nullable(text),
  /** UUID of the subvolume from which this one was received. */
  receivedUuid: z.nullable(text),
};

/** `bofh btrfs list PATH` */
export const btrfsList = z.array(z.strictObject({ ...subvolume, default: z.boolean() }));

/** `bofh btrfs show PATH` */
export const btrfsShow = z.strictObject({
  ...subvolume,
  /** ISO 8601. */
  made: z.nullable(text),
  mode: z.enum(['ro', 'rw']),
  generation: count,
  snapshots: z.array(text),
});

const share = z.strictObject({ device: text, bytes: count });

/** `bofh btrfs usage PATH`: bytes. */
export const btrfsUsage = z.strictObject({
  size: count,
  allocated: count,
  unallocated: count,
  missing: count,
  used: count,
  free: count,
  freeAtLeast: count,
  spaces: z.array(
    z.strictObject({ kind: text, profile: text, size: count, used: count, devices: z.array(share) }),
  ),
  unallocatedOn: z.array(share),
});

/** `bofh btrfs create`, `bofh btrfs snapshot create` */
export const btrfsMade = z.strictObject({
  ...ensured,
  path: text,
  id: count,
  uuid: text,
});

/**
 * `bofh btrfs send --to`, `bofh btrfs receive`. The next incremental send finds the subvolume by its received
 * UUID.
 */
export const btrfsReceived = z.strictObject({ path: text, id: count, uuid: text, receivedUuid: text });

/**
 * `bofh btrfs send --to-file`: the UUID is the received UUID of every subvolume received from this
 * stream; bytes.
 */
export const btrfsSentToFile = z.strictObject({ file: text, uuid: text, size: count });

/** `bofh btrfs send --to-device`: the UUID as for `--to-file`. */
export const btrfsSentToDevice = z.strictObject({ device: text, uuid: text });

/** `bofh btrfs scrub start`: bytes read without errors. */
export const btrfsScrubbed = z.strictObject({ filesystem: text, dataBytes: count, metadataBytes: count });

/** `bofh btrfs scrub status`: bytes, and error counts. */
export const btrfsScrub = z.strictObject({
  state: z.enum(['never', 'running', 'finished', 'aborted', 'interrupted']),
  /** The time of the start, as btrfs prints it. */
  started: z.nullable(text),
  dataBytes: count,
  metadataBytes: count,
  readErrors: count,
  checksumErrors: count,
  headerErrors: count,
  superblockErrors: count,
  memoryErrors: count,
  uncorrectable: count,
  unverified: count,
  corrected: count,
});

/** `bofh btrfs balance start`: block groups. */
export const btrfsBalanced = z.strictObject({ filesystem: text, relocated: count, chunks: count });

/** `bofh btrfs balance status` */
export const btrfsBalance = z.union([
  z.strictObject({ state: z.literal('none') }),
  z.strictObject({
    state: z.enum(['running', 'paused', 'pausing', 'cancelling']),
    relocated: count,
    expected: count,
    /** Null: unknown, because the kernel has not counted the block groups since the mount. */
    leftPercent: z.nullable(count),
  }),
]);

/** `bofh btrfs quota show`: bytes; null: no limit. `0/ID` is the group of the subvolume of that id. */
export const btrfsQuota = z.strictObject({
  mode: z.enum(['on', 'off']),
  /** State of the numbers, which are reliable only with `exact`; null: quotas are disabled. */
  state: z.nullable(z.enum(['exact', 'counting', 'inconsistent', 'stale'])),
  groups: z.array(
    z.strictObject({
      id: text,
      referenced: count,
      exclusive: count,
      maxReferenced: z.nullable(count),
      maxExclusive: z.nullable(count),
    }),
  ),
});

/**
 * `bofh btrfs device list`: bytes. devid 0 is the target of a running replace; a missing device has
 * the path null.
 */
export const btrfsDevices = z.array(
  z.strictObject({ devid: count, path: z.nullable(text), size: count, allocated: count }),
);

/** `bofh btrfs device add`, `bofh btrfs device remove` */
export const btrfsDevice = z.strictObject({ filesystem: text, device: text, devid: count, uuid: text });

/** `bofh btrfs device replace` */
export const btrfsReplaced = z.strictObject({ path: text, device: text, by: text });

/** `bofh btrfs quota enable`, `disable` */
export const btrfsQuotaSet = z.strictObject({ filesystem: text, mode: z.enum(['on', 'off']) });

/** `bofh btrfs quota limit`: bytes; null: none. */
export const btrfsLimited = z.strictObject({
  path: text,
  what: z.enum(['referenced', 'exclusive']),
  limit: z.nullable(count),
  was: z.nullable(count),
});

/** `bofh btrfs snapshot rotate` */
export const btrfsRotated = z.strictObject({
  made: btrfsMade,
  /** The oldest first. */
  deleted: z.array(btrfsMade),
  /** Snapshots with a matching name that the rotation did not create, or cannot delete now. */
  stays: z.array(z.strictObject({ path: text, why: text })),
});

/** `bofh btrfs snapshot prune` */
export const btrfsPruned = z.omit(btrfsRotated, { made: true });

/** `bofh btrfs create-base-structure` */
export const btrfsStructure = z.strictObject({
  filesystem: text,
  subvolumes: text,
  snapshots: text,
  /** The subvolume with the former content of the top level. */
  made: btrfsMade,
  /** Id of the former default subvolume; null: unchanged. */
  defaultWas: z.nullable(count),
  /** Lines of /etc/fstab that mount the top level, where the data is no longer; line numbers start at 1. */
  fstab: z.array(z.strictObject({ line: count, source: text, target: text })),
});

/** `bofh btrfs rotation install`, `remove`, `status`: every rotation that has units on this host. */
export const btrfsRotations = z.array(
  z.strictObject({
    timer: text,
    enabled: z.boolean(),
    /** null: its units were edited, or one is missing. */
    rotation: z.nullable(
      z.strictObject({ label: text, source: text, target: text, keep: count, calendar: text }),
    ),
  }),
);

/** `bofh btrfs remove` */
export const btrfsRemoved = z.strictObject({ path: text, id: count, uuid: z.nullable(text) });

/** `bofh btrfs set-default`, `bofh btrfs set-mode` */
export const btrfsSet = z.strictObject({ path: text, now: text, was: text });

export type BtrfsList = z.infer<typeof btrfsList>;
export type BtrfsShow = z.infer<typeof btrfsShow>;
export type BtrfsUsage = z.infer<typeof btrfsUsage>;
export type BtrfsMade = z.infer<typeof btrfsMade>;
export type BtrfsReceived = z.infer<typeof btrfsReceived>;
export type BtrfsSentToDevice = z.infer<typeof btrfsSentToDevice>;
export type BtrfsSentToFile = z.infer<typeof btrfsSentToFile>;
export type BtrfsScrubbed = z.infer<typeof btrfsScrubbed>;
export type BtrfsScrub = z.infer<typeof btrfsScrub>;
export type BtrfsBalanced = z.infer<typeof btrfsBalanced>;
export type BtrfsBalance = z.infer<typeof btrfsBalance>;
export type BtrfsQuota = z.infer<typeof btrfsQuota>;
export type BtrfsDevices = z.infer<typeof btrfsDevices>;
export type BtrfsReplaced = z.infer<typeof btrfsReplaced>;
export type BtrfsDevice = z.infer<typeof btrfsDevice>;
export type BtrfsQuotaSet = z.infer<typeof btrfsQuotaSet>;
export type BtrfsLimited = z.infer<typeof btrfsLimited>;
export type BtrfsRotated = z.infer<typeof btrfsRotated>;
export type BtrfsPruned = z.infer<typeof btrfsPruned>;
export type BtrfsStructure = z.infer<typeof btrfsStructure>;
export type BtrfsRotations = z.infer<typeof btrfsRotations>;
export type BtrfsRemoved = z.infer<typeof btrfsRemoved>;
export type BtrfsSet = z.infer<typeof btrfsSet>;
