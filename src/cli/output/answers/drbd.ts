import * as z from 'zod/mini';
import { connectionState, diskState, replicationState, role } from '../../../drbd/schema.ts';
import { count, ensured, text } from './parts.ts';

/** The JSON answers of `bofh drbd`; sizes in bytes. */

/** `bofh drbd list`: one row for each volume of a resource. */
export const drbdList = z.array(
  z.strictObject({
    /** null: drbd-utils is not installed, and the kernel reports no names. */
    resource: z.nullable(text),
    volume: z.nullable(count),
    minor: count,
    device: text,
    configured: z.boolean(),
    /** These fields are null while the resource is not up. */
    role: z.nullable(role),
    disk: z.nullable(diskState),
    size: z.nullable(count),
    /** The backing device. */
    backing: z.nullable(text),
    peers: z.readonly(
      z.array(
        z.strictObject({
          name: text,
          connection: text,
          role,
          disk: diskState,
          replication: z.nullable(replicationState),
          outOfSync: z.nullable(count),
        }),
      ),
    ),
  }),
);

/** `bofh drbd status`: the problems of each resource. */
export const drbdStatus = z.array(
  z.strictObject({
    resource: text,
    up: z.boolean(),
    findings: z.readonly(
      z.array(z.strictObject({ level: z.enum(['problem', 'note']), words: text, remedy: text })),
    ),
  }),
);

const volumeShown = z.strictObject({
  volume: count,
  minor: count,
  device: text,
  /** null: diskless on that host. */
  disk: z.nullable(text),
  /** `internal`, or the device with the external metadata; index: the position of the metadata on that device. */
  metadata: text,
  metadataIndex: z.nullable(count),
});

/** `bofh drbd show RESOURCE` */
export const drbdShow = z.strictObject({
  /** Commands that make the running resource follow its configuration. */
  differences: z.array(text),
  resource: text,
  /** The configuration file; null: the resource is up without one. */
  file: z.nullable(text),
  line: z.nullable(count),
  hosts: z.readonly(
    z.array(
      z.strictObject({
        /** Empty if only the address of the host is known. */
        names: z.readonly(z.array(text)),
        here: z.boolean(),
        /** null, like `address` and `port`: the host has a separate address for each peer, or none. */
        family: z.nullable(text),
        address: z.nullable(text),
        port: z.nullable(count),
        /** Its addresses for single peers. */
        peerAddresses: z.readonly(z.array(z.strictObject({ family: text, address: text, port: count }))),
        volumes: z.readonly(z.array(volumeShown)),
      }),
    ),
  ),
  options: z.record(text, z.record(text, text)),
  /** null: the resource is down. */
  state: z.nullable(
    z.strictObject({
      role,
      suspended: z.readonly(z.array(text)),
      volumes: z.readonly(
        z.array(
          z.strictObject({
            volume: count,
            minor: count,
            disk: diskState,
            size: z.nullable(count),
          }),
        ),
      ),
      connections: z.readonly(
        z.array(
          z.strictObject({
            peer: text,
            nodeId: count,
            state: connectionState,
            role,
            volumes: z.readonly(
              z.array(
                z.strictObject({
                  volume: count,
                  replication: replicationState,
                  disk: diskState,
                  paused: z.readonly(z.array(text)),
                  outOfSync: z.nullable(count),
                }),
              ),
            ),
          }),
        ),
      ),
    }),
  ),
});

/** `bofh drbd next` */
export const drbdNext = z.strictObject({ port: count, minor: count });

/** Answer of each `bofh drbd` verb that changes a resource on this host (`up`, `primary`, `attach`, …): the state afterwards. */
export const drbdChange = z.strictObject({
  resource: text,
  /** null: the resource is down. */
  role: z.nullable(role),
  devices: z.readonly(z.array(text)),
});

/** `bofh drbd config create RESOURCE` */
export const drbdConfigCreate = z.strictObject({
  ...ensured,
  resource: text,
  file: text,
  /** Devices of this host. */
  devices: z.readonly(z.array(text)),
});

/** `bofh drbd config remove RESOURCE` */
export const drbdConfigRemove = z.strictObject({ resource: text });

/** `bofh drbd create-md RESOURCE` */
export const drbdMetadata = z.strictObject({
  resource: text,
  volume: count,
  device: text,
  /** UUID as blkid reports it. */
  uuid: text,
  format: z.enum(['v08', 'v09']),
  /** Bytes available for data. */
  dataSize: count,
});

/** `bofh drbd wipe-md RESOURCE`: the removed metadata, and the device that now holds only data. */
export const drbdWiped = z.strictObject({ resource: text, volume: count, device: text, uuid: text });

/** `bofh drbd wait-connect` and `wait-sync RESOURCE`: the state of each volume for each peer. */
export const drbdWaited = z.strictObject({
  resource: text,
  volumes: z.array(
    z.strictObject({
      volume: count,
      peer: text,
      connection: connectionState,
      replication: replicationState,
      disk: diskState,
      peerDisk: diskState,
      outOfSync: z.nullable(count),
    }),
  ),
});

/** One line of `bofh drbd status [RESOURCE] --watch --json`: the state of a resource after a change. */
export const drbdWatched = z.strictObject({
  /** ISO 8601. */
  at: text,
  resource: text,
  /** null: the resource is down. */
  role: z.nullable(role),
  volumes: drbdWaited.shape.volumes,
});

/** `bofh drbd verify RESOURCE`: the size of the differences, in bytes. */
export const drbdVerified = z.strictObject({ resource: text, outOfSync: count });

/** `bofh drbd create RESOURCE` */
export const drbdCreate = z.strictObject({
  resource: text,
  device: text,
  /** Size of the device, in bytes. */
  size: count,
  /** null: primary on no host. */
  primary: z.nullable(text),
  hosts: z.array(z.strictObject({ name: text, lv: text, address: text, port: count })),
});

/** `bofh drbd convert VG/LV` */
export const drbdConvert = z.strictObject({
  resource: text,
  /** The device to use from now on; `was` is the previous one. */
  device: text,
  was: text,
  /** Size of the device, in bytes. */
  size: count,
  /** The host that has the data; the peer resyncs from it. */
  from: text,
  hosts: z.array(z.strictObject({ name: text, lv: text, address: text, port: count })),
  /**
   * Files that still name the volume and may need editing; `guest`: the guest that is configured
   * there.
   */
  namedIn: z.readonly(z.array(z.strictObject({ file: text, path: text, guest: z.nullable(text) }))),
  /** Guest configurations that could not be read, and may name the volume. */
  unread: z.readonly(z.array(text)),
});

/** `bofh drbd remove RESOURCE`: the removed and the kept objects on each host. */
export const drbdRemove = z.strictObject({
  resource: text,
  hosts: z.array(
    z.strictObject({
      name: text,
      volumes: z.array(text),
      kept: z.array(text),
      /** Kept volumes that now hold only data, without metadata. */
      plain: z.array(text),
    }),
  ),
});

/** `bofh drbd replace-peer RESOURCE` */
export const drbdReplacePeer = z.strictObject({
  resource: text,
  device: text,
  /** Size of the device, in bytes. */
  size: count,
  /**
   * The old peer. `lost`: nothing was changed there; `clear`: the commands that remove the resource
   * there if that host returns.
   */
  from: z.strictObject({
    name: text,
    end: z.enum(['removed', 'lost']),
    volumes: z.array(text),
    kept: z.array(text),
    clear: z.nullable(text),
  }),
  /** The new peer, which resyncs all data. */
  to: text,
  hosts: z.array(z.strictObject({ name: text, disk: text, address: text, port: count })),
});

/** `bofh drbd promote` and `demote RESOURCE`: the primary host now and before; null: none. */
export const drbdRoles = z.strictObject({
  resource: text,
  primary: z.nullable(text),
  before: z.nullable(text),
});

/** `bofh drbd grow RESOURCE SIZE`: old and new size of its device. */
export const drbdGrow = z.strictObject({ resource: text, from: count, to: count });

export type DrbdList = z.infer<typeof drbdList>;
export type DrbdStatus = z.infer<typeof drbdStatus>;
export type DrbdShow = z.infer<typeof drbdShow>;
export type DrbdNext = z.infer<typeof drbdNext>;
export type DrbdChange = z.infer<typeof drbdChange>;
export type DrbdConfigCreate = z.infer<typeof drbdConfigCreate>;
export type DrbdConfigRemove = z.infer<typeof drbdConfigRemove>;
export type DrbdMetadata = z.infer<typeof drbdMetadata>;
export type DrbdWiped = z.infer<typeof drbdWiped>;
export type DrbdWatched = z.infer<typeof drbdWatched>;
export type DrbdWaited = z.infer<typeof drbdWaited>;
export type DrbdVerified = z.infer<typeof drbdVerified>;
export type DrbdConvert = z.infer<typeof drbdConvert>;
export type DrbdCreate = z.infer<typeof drbdCreate>;
export type DrbdRemove = z.infer<typeof drbdRemove>;
export type DrbdReplacePeer = z.infer<typeof drbdReplacePeer>;
export type DrbdRoles = z.infer<typeof drbdRoles>;
export type DrbdGrow = z.infer<typeof drbdGrow>;
