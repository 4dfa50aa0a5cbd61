import { dataSize } from '../../drbd/size.ts';
import type { DiskState, ReplicationState, Role } from '../../drbd/schema.ts';
import type { Device } from './devices.ts';
import type { SimulatedConfig } from '../tools/drbd/config.ts';
import type { World } from './world.ts';

/** A volume of a resource that the simulated module has: /dev/drbdMINOR. */
export interface DrbdVolume {
  readonly volume: number;
  readonly minor: number;
  disk: DiskState;
  /** The number of the device beneath; undefined: it is diskless. */
  lower?: string;
  size: number;
  /** Where its content is. */
  readonly storage: string;
  /** Its resync is held up from this host. */
  paused?: true;
  /** What goes on with it and its peer; missing: nothing. */
  replication?: ReplicationState;
  /** Bytes that were written to it since its disk was attached; missing: none. */
  written?: number;
  /** Of a real host, under a plan. */
  readonly real?: true;
  /** Of a real host: its current and its bitmap UUID, for each peer. */
  readonly generations?: readonly string[];
}

/** A resource that the simulated module (8.4) has. It ends with the boot. */
export interface DrbdResource {
  readonly name: string;
  /** Its own role. */
  role: Role;
  /** State of its connection. */
  connection: 'StandAlone' | 'Connecting' | 'Connected';
  /** What an administrator has the peer be, once it is connected; by itself it is never there. */
  peer?:
    | {
        /** Role of the peer. */
        readonly role: Role;
        /** Disk state of the peer. */
        readonly disk: DiskState;
      }
    | undefined;
  /** It gives up its own data to the peer that it meets next. */
  discards?: true;
  /** `ipv4:127.0.0.1:7788`, its own and that of its peer. */
  addresses: readonly [string, string];
  volumes: readonly DrbdVolume[];
}

/** The module and its resources. */
export interface Drbd {
  module: 'loaded' | 'absent';
  /** Missing: 8.4.11, which is what its programs are modelled after. */
  version?: string;
  /** Of drbd-utils; missing: 9.22.0. */
  utils?: string;
  resources: readonly DrbdResource[];
  /** The configuration of a real host, under a plan. */
  config?: readonly SimulatedConfig[];
}

/** UUID_JUST_CREATED (drbd.h of 8.4): the generation of data without a UUID yet. */
export const justCreated = '0000000000000004';

/** DRBD's major number (linux/major.h has none: it is registered, devices.txt). */
const drbdMajor = 147;

/** Every device of DRBD. */
export function drbdDevices({ drbd }: World): readonly Device[] {
  return drbd.resources.flatMap(({ volumes }) =>
    volumes.map((volume) => {
      const { minor, size, storage } = volume;
      return { number: `${drbdMajor}:${minor}`, name: `drbd${minor}`, size, storage, drbd: volume };
    }),
  );
}

/** What the device of a volume holds, and how large it is: its metadata is internal, at the end of the device beneath. */
export function placeOf(lower: Device, uuid: string): Pick<DrbdVolume, 'size' | 'storage'> {
  return { size: dataSize(lower.size), storage: placeFor(lower.storage, uuid) };
}

/** Where the model keeps what DRBD writes to a device with metadata of a uuid. */
export function placeFor(lower: string, uuid: string): string {
  return `drbd:${uuid}:${lower}`;
}
