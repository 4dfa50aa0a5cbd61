import * as z from 'zod/mini';

const text = z.string();
const bytes = z.int().check(z.minimum(0));
const list = z.readonly(z.array(text));
const facts = z.readonly(z.array(z.strictObject({ name: text, value: text })));

/** A user of a device that is not itself a device above it. */
export const stackUse = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('mount'),
    path: text,
    mountId: z.int(),
    type: text,
    /**
     * The directory of the filesystem that is mounted (a subvolume, a bind mount); `/` is the whole
     * filesystem.
     */
    root: text,
    mode: z.enum(['ro', 'rw']),
  }),
  z.strictObject({ kind: z.literal('swap') }),
  /** A running domain that uses the device as a disk. `name` is null if it is unknown. */
  z.strictObject({ kind: z.literal('guest'), domid: z.int(), name: z.nullable(text) }),
  /** A SCSI or NVMe target of this host serves the device to other hosts under this name. */
  z.strictObject({ kind: z.literal('target'), name: text }),
  /** A guest, running or not, whose configuration names the device. */
  z.strictObject({ kind: z.literal('configured-guest'), name: text, file: text }),
]);

/** The content of a device. */
export const stackContent = z.strictObject({
  /**
   * `known`: bofh has a layer for it. `unknown`: only blkid recognises it. `blank`: it was read and
   * has no content. `part`: the content is a part of the volume above, and is not usable alone.
   * `unreadable`: it could not be read; with the title `no medium` the drive is empty, and its size 0.
   */
  state: z.enum(['known', 'unknown', 'blank', 'part', 'unreadable']),
  layer: z.nullable(text),
  title: text,
  type: z.exactOptional(text),
  uuid: z.exactOptional(text),
  label: z.exactOptional(text),
  /** Its own size, and how much of the device its content cannot use. */
  size: z.exactOptional(bytes),
  overhead: z.exactOptional(z.int()),
  facts,
});

/** One device with its content. */
export const stackDevice = z.strictObject({
  /**
   * The kernel's name (`dm-3`); for an object without a device its key. `above`, `below` and `roots` refer to
   * it.
   */
  id: text,
  key: text,
  /** Its usual name: `vda2`, `vg0/web1`. */
  name: text,
  kind: z.enum([
    ...['disk', 'partition', 'loop', 'array', 'volume', 'volume-part', 'crypt', 'drbd', 'multipath'],
    'mapping',
  ] as const),
  title: text,
  /** null if the object is inactive, so that it has no device. */
  path: z.nullable(text),
  size: bytes,
  readOnly: z.boolean(),
  facts,
  content: stackContent,
  uses: z.readonly(z.array(stackUse)),
  below: list,
  above: list,
  /** Everything that bofh could not read about the device, with the reason. */
  unknown: list,
});

/** `bofh block tree [DEVICE]`; sizes in bytes. Each device appears once, even if it is on several others. */
export const stackTree = z.strictObject({
  /** The ids of the devices at the bottom. */
  roots: list,
  /** The id of the requested device; null for all devices. */
  asked: z.nullable(text),
  devices: z.readonly(z.array(stackDevice)),
  /** Everything that bofh could not read about the host. */
  unknown: list,
});

export type StackTree = z.infer<typeof stackTree>;
export type StackDevice = z.infer<typeof stackDevice>;
export type StackContent = z.infer<typeof stackContent>;
export type StackUse = z.infer<typeof stackUse>;
