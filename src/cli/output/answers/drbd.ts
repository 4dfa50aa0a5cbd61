import * as z from 'zod/mini';
import { connectionState, diskState, replicationState, role } from '../../../drbd/schema.ts';
import { count, text } from './parts.ts';

/** The JSON answers of `bofh drbd`; sizes in bytes. */

/** `bofh drbd list`: a volume of a resource each. */
export const drbdList = z.array(
  z.strictObject({
    /** null: drbd-utils is not installed, and the kernel alone tells no names. */
    resource: z.nullable(text),
    volume: z.nullable(count),
    minor: count,
    device: text,
    configured: z.boolean(),
    /** These are null while it is not up. */
    role: z.nullable(role),
    disk: z.nullable(diskState),
    size: z.nullable(count),
    /** The device beneath. */
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

/** `bofh drbd status`: of each resource what is not as it should be. */
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
  /** null: that host has none. */
  disk: z.nullable(text),
  /** `internal`, or the device that holds it; index: one of several on it. */
  metadata: text,
  metadataIndex: z.nullable(count),
});

/** `bofh drbd show RESOURCE` */
export const drbdShow = z.strictObject({
  /** What the kernel runs otherwise than the file says: the commands that would have it follow. */
  differences: z.array(text),
  resource: text,
  /** Where it is configured; null: it is up, and no file has it. */
  file: z.nullable(text),
  line: z.nullable(count),
  hosts: z.readonly(
    z.array(
      z.strictObject({
        /** Empty: it is known by its address alone. */
        names: z.readonly(z.array(text)),
        here: z.boolean(),
        /** null, as the two after it: it has another address to each peer, or none. */
        family: z.nullable(text),
        address: z.nullable(text),
        port: z.nullable(count),
        /** Those that it has to single peers. */
        peerAddresses: z.readonly(z.array(z.strictObject({ family: text, address: text, port: count }))),
        volumes: z.readonly(z.array(volumeShown)),
      }),
    ),
  ),
  options: z.record(text, z.record(text, text)),
  /** null: it is not up. */
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

/** `bofh drbd up`, `down`, `primary` and `secondary RESOURCE`: what it is now. */
export const drbdChange = z.strictObject({
  resource: text,
  /** null: it is down. */
  role: z.nullable(role),
  devices: z.readonly(z.array(text)),
});

/** `bofh drbd config create RESOURCE` */
export const drbdConfigCreate = z.strictObject({
  resource: text,
  file: text,
  /** Of this host. */
  devices: z.readonly(z.array(text)),
});

/** `bofh drbd config remove RESOURCE` */
export const drbdConfigRemove = z.strictObject({ resource: text });

/** `bofh drbd create-md RESOURCE` */
export const drbdMetadata = z.strictObject({
  resource: text,
  volume: count,
  device: text,
  /** As blkid shows it. */
  uuid: text,
  format: z.enum(['v08', 'v09']),
  /** What is left for data, in bytes. */
  dataSize: count,
});

/** `bofh drbd wipe-md RESOURCE`: the metadata that are gone, and the device that holds the data alone now. */
export const drbdWiped = z.strictObject({ resource: text, volume: count, device: text, uuid: text });

/** `bofh drbd wait-connect` and `wait-sync RESOURCE`: each volume towards each peer. */
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

/** A line of `bofh drbd status [RESOURCE] --watch --json`: how a resource stands from then on. */
export const drbdWatched = z.strictObject({
  /** ISO 8601. */
  at: text,
  resource: text,
  /** null: it is down. */
  role: z.nullable(role),
  volumes: drbdWaited.shape.volumes,
});

/** `bofh drbd verify RESOURCE`: what differs, in bytes. */
export const drbdVerified = z.strictObject({ resource: text, outOfSync: count });

/** `bofh drbd create RESOURCE` */
export const drbdCreate = z.strictObject({
  resource: text,
  device: text,
  /** Of the device. */
  size: count,
  /** null: it is primary nowhere. */
  primary: z.nullable(text),
  hosts: z.array(z.strictObject({ name: text, lv: text, address: text, port: count })),
});

/** `bofh drbd convert VG/LV` */
export const drbdConvert = z.strictObject({
  resource: text,
  /** What is to be used from now on, and what was. */
  device: text,
  was: text,
  /** Of the device. */
  size: count,
  /** Which host has the data; the other one fetches them. */
  from: text,
  hosts: z.array(z.strictObject({ name: text, lv: text, address: text, port: count })),
  /** Files that still name the volume, and may have to be edited; `guest`: whose configuration it is. */
  namedIn: z.readonly(z.array(z.strictObject({ file: text, path: text, guest: z.nullable(text) }))),
  /** Guest configurations that could not be read: whether they name it is not known. */
  unread: z.readonly(z.array(text)),
});

/** `bofh drbd remove RESOURCE`: what went, and what stays, on each host. */
export const drbdRemove = z.strictObject({
  resource: text,
  hosts: z.array(
    z.strictObject({
      name: text,
      volumes: z.array(text),
      kept: z.array(text),
      /** Those of them that hold their data alone, without metadata. */
      plain: z.array(text),
    }),
  ),
});

/** `bofh drbd replace-peer RESOURCE` */
export const drbdReplacePeer = z.strictObject({
  resource: text,
  device: text,
  /** Of the device. */
  size: count,
  /** The peer that it had. `lost`: nothing was done there; `clear`: what removes it from there, should it come back. */
  from: z.strictObject({
    name: text,
    end: z.enum(['removed', 'lost']),
    volumes: z.array(text),
    kept: z.array(text),
    clear: z.nullable(text),
  }),
  /** The peer that it has, which fetches all the data. */
  to: text,
  hosts: z.array(z.strictObject({ name: text, disk: text, address: text, port: count })),
});

/** `bofh drbd promote` and `demote RESOURCE`: which host is the primary now, and which was it before; null: none. */
export const drbdRoles = z.strictObject({
  resource: text,
  primary: z.nullable(text),
  before: z.nullable(text),
});

/** `bofh drbd grow RESOURCE SIZE`: what its device had and has. */
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
