import * as z from 'zod/mini';

// The words are those of drbd-utils 9.22 (user/v84/drbd_strings.c, drbd-headers/drbd_strings.c):
// drbdsetup shows an 8.4 module in the words of 9, where they exist.

export const role = z.enum(['Primary', 'Secondary', 'Unknown']);

export const diskState = z.enum([
  ...['Diskless', 'Attaching', 'Detaching', 'Failed', 'Negotiating'],
  ...['Inconsistent', 'Outdated', 'DUnknown', 'Consistent', 'UpToDate'],
] as const);

export const connectionState = z.enum([
  ...['StandAlone', 'Disconnecting', 'Unconnected', 'Timeout', 'BrokenPipe', 'NetworkFailure'],
  ...['ProtocolError', 'TearDown', 'Connecting', 'Connected'],
] as const);

export const replicationState = z.enum([
  ...['Off', 'Established', 'StartingSyncS', 'StartingSyncT', 'WFBitMapS', 'WFBitMapT', 'WFSyncUUID'],
  ...['SyncSource', 'SyncTarget', 'VerifyS', 'VerifyT', 'PausedSyncS', 'PausedSyncT', 'Ahead', 'Behind'],
] as const);

export type Role = z.infer<typeof role>;
export type DiskState = z.infer<typeof diskState>;
export type ConnectionState = z.infer<typeof connectionState>;
export type ReplicationState = z.infer<typeof replicationState>;

const number = z.pipe(z.string().check(z.regex(/^\d{1,15}$/)), z.transform(Number));
/** `no`, or the reasons, separated by commas. */
const suspended = z.pipe(
  z.string().check(z.regex(/^[a-z-]+(?:,[a-z-]+)*$/)),
  z.transform((text: string) => (text === 'no' ? [] : text.split(','))),
);
const kibibytes = z.pipe(
  number,
  z.transform((count: number) => count * 1024),
);
const name = z.string().check(z.minLength(1));

/** The keys of `drbdsetup events2 --now --statistics` that bofh uses. */
export const eventSchemas = {
  resource: z.object({ name, role, suspended }),
  device: z.object({
    name,
    volume: number,
    minor: number,
    disk: diskState,
    /** KiB; missing while the volume has no disk. */
    size: z.exactOptional(kibibytes),
    /** KiB written to the disk since it was attached. */
    written: z.exactOptional(kibibytes),
    /** Only in 9: the backing device, or `none`. */
    backing_dev: z.exactOptional(z.string()),
  }),
  connection: z.object({
    name,
    'peer-node-id': number,
    /** Missing with module 8.4 while the connection has no address. */
    'conn-name': z.exactOptional(z.string()),
    connection: connectionState,
    role,
  }),
  'peer-device': z.object({
    name,
    'peer-node-id': number,
    volume: number,
    replication: replicationState,
    'peer-disk': diskState,
    'resync-suspended': suspended,
    'out-of-sync': z.exactOptional(kibibytes),
  }),
  /** Only in 9. */
  path: z.object({ name, 'peer-node-id': number, local: z.string(), peer: z.string() }),
} as const;
