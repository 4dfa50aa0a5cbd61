import * as z from 'zod/mini';

const text = z.string();
const bytes = z.int().check(z.minimum(0));
const percent = z.number().check(z.minimum(0));

/** A device with everything on it, up to the filesystem or the guest. */
export const mapDevice = z.strictObject({
  /** Name; for a volume its name in its group. */
  name: text,
  size: bytes,
  /** From the device up: `thin in pool0`, `LUKS`, `ext4 "data"`. */
  layers: z.array(text),
  /** How full a thin pool or a snapshot is, in percent. */
  used: z.exactOptional(percent),
  /** Directories, `swap`, `target web1` (served to other hosts). */
  mounts: z.array(text),
  /** Guests that have it as a disk, running or not. */
  guests: z.array(text),
  /** False for a volume that is not active: its content is unknown. */
  active: z.boolean(),
});

/** `bofh map`; sizes in bytes. */
export const hostMap = z.strictObject({
  host: text,
  /** When it was read: ISO 8601, UTC. */
  at: text,
  groups: z.array(
    z.strictObject({
      name: text,
      size: bytes,
      free: bytes,
      /** The physical volumes that were found. */
      on: z.array(text),
      devices: z.array(mapDevice),
    }),
  ),
  /** Devices that are in no volume group. */
  others: z.array(mapDevice),
  guests: z.array(
    z.strictObject({
      name: text,
      /** `off`, or the state of its domain. */
      state: text,
      memory: bytes,
      vcpus: z.int(),
      /** As the configuration names them; empty for a domain without a configuration. */
      disks: z.array(text),
    }),
  ),
  /** Everything that could not be read, with the reason. */
  unknown: z.array(text),
});

export type MapDevice = Readonly<z.infer<typeof mapDevice>>;
export type HostMap = Readonly<z.infer<typeof hostMap>>;
