import { dataSize } from '../../drbd/size.ts';
import type { DiskState, ReplicationState, Role } from '../../drbd/schema.ts';
import type { Device } from './devices.ts';
import type { SimulatedConfig } from '../tools/drbd/config.ts';
import type { Content } from './parts.ts';
import { copyContent, type World } from './world.ts';

/** A volume of a resource in the simulated module: /dev/drbdMINOR. */
export interface DrbdVolume {
  readonly volume: number;
  readonly minor: number;
  disk: DiskState;
  /** Number of the device beneath; undefined: it is diskless. */
  lower?: string;
  size: number;
  /** Key of its content. */
  readonly storage: string;
  /** Set if this host has paused its resync. */
  paused?: true;
  /** State of the replication with its peer; missing: none runs. */
  replication?: ReplicationState;
  /** Bytes that were written to it since its disk was attached; missing: none. */
  written?: number;
  /** Set for a volume of a real host, in a plan. */
  readonly real?: true;
  /** Only for a real host: its current and its bitmap UUID, for each peer. */
  readonly generations?: readonly string[];
}

/** A resource in the simulated module (8.4). A reboot removes it. */
export interface DrbdResource {
  readonly name: string;
  /** Role of this host. */
  role: Role;
  /** State of its connection. */
  connection: 'StandAlone' | 'Connecting' | 'Connected';
  /** State of the peer that an administrator has set; without it the peer is never connected. */
  peer?:
    | {
        /** Role of the peer. */
        readonly role: Role;
        /** Disk state of the peer. */
        readonly disk: DiskState;
      }
    | undefined;
  /** Set if it discards its own data when it connects to a peer. */
  discards?: true;
  /** Its own address and that of its peer: `ipv4:127.0.0.1:7788`. */
  addresses: readonly [string, string];
  volumes: readonly DrbdVolume[];
}

/** The module and its resources. */
export interface Drbd {
  module: 'loaded' | 'absent';
  /** Version of the module; missing: 8.4.11, after which its programs are modelled. */
  version?: string;
  /** Version of drbd-utils; missing: 9.22.0. */
  utils?: string;
  resources: readonly DrbdResource[];
  /** The configuration of a real host, in a plan. */
  config?: readonly SimulatedConfig[];
}

/** UUID_JUST_CREATED (drbd.h of 8.4): the generation of data without a UUID yet. */
export const justCreated = '0000000000000004';

/** DRBD's major number (linux/major.h has none: it is registered, devices.txt). */
const drbdMajor = 147;

/** Returns every device of DRBD. */
export function drbdDevices({ drbd }: World): readonly Device[] {
  return drbd.resources.flatMap(({ volumes }) =>
    volumes.map((volume) => {
      const { minor, size, storage } = volume;
      return { number: `${drbdMajor}:${minor}`, name: `drbd${minor}`, size, storage, drbd: volume };
    }),
  );
}

/**
 * Returns the content key and the size of a volume: its metadata is internal, at the end of the
 * device beneath.
 */
export function placeOf(lower: Device, uuid: string): Pick<DrbdVolume, 'size' | 'storage'> {
  return { size: dataSize(lower.size), storage: placeFor(lower.storage, uuid) };
}

/**
 * Returns the key under which the model keeps what DRBD writes to a device, by the uuid of its
 * metadata.
 */
export function placeFor(lower: string, uuid: string): string {
  return `drbd:${uuid}:${lower}`;
}

/**
 * Returns the content of a device. The model keeps what DRBD wrote to a volume, since its metadata
 * was created, below the metadata.
 */
export function current({ live }: World, { storage }: Pick<Device, 'storage'>, content: Content): Content {
  const { metadata, superblock } = content;
  const written = live.get(placeFor(storage, superblock?.uuid ?? ''));
  if (metadata === undefined || written === undefined) return content;
  return { ...content, metadata: { ...metadata, beneath: copyContent(written) } };
}

/** Returns the content of the first bytes of a device, without metadata of DRBD that follows them. */
export function firstPart(world: World, storage: string, count = Infinity): Content | undefined {
  const content = world.live.get(storage);
  if (content?.metadata === undefined || count > content.metadata.at) return content;
  return current(world, { storage }, content).metadata?.beneath;
}
