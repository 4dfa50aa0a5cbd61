import * as z from 'zod/mini';
import { count, text } from './parts.ts';

/** `bofh vm create NAME` */
export const vmCreate = z.strictObject({
  name: text,
  config: text,
  /** Device of the root filesystem. */
  root: text,
  swap: z.nullable(text),
  /** The other host of its replicated disks; null: they are local. */
  peer: z.nullable(text),
  /** null: it was not started. */
  domid: z.nullable(count),
  /** How root logs in by SSH: `root@192.0.2.10`; null without a key or a static address. */
  ssh: z.nullable(text),
  /** Fingerprint of its SSH host key; null if its root has no OpenSSH server. */
  hostKey: z.nullable(text),
});

/** `bofh vm remove NAME` */
export const vmRemove = z.strictObject({
  name: text,
  config: text,
  /** Removed volumes: `VG/LV`. */
  volumes: z.readonly(z.array(text)),
  /**
   * Removed DRBD resources and their volumes on each host; `kept`: disks that are not logical
   * volumes and stay.
   */
  replicas: z.readonly(
    z.array(
      z.strictObject({
        resource: text,
        hosts: z.array(z.strictObject({ name: text, volumes: z.array(text), kept: z.array(text) })),
      }),
    ),
  ),
  /** The removed configuration of the guest on the other host. */
  peer: z.nullable(z.strictObject({ name: text, config: text })),
  /** Disks that are no logical volumes: they are as they were. */
  kept: z.readonly(z.array(text)),
});

/** `bofh vm move NAME HOST` */
export const vmMove = z.strictObject({
  name: text,
  /** Hosts, as `uname -n` says there. */
  from: text,
  to: text,
  config: text,
  /** DRBD resources of its disks. */
  resources: z.readonly(z.array(text)),
  /** On the other host; null: it did not run, and does not. */
  domid: z.nullable(count),
});

/** `bofh vm rename NAME TO` */
export const vmRename = z.strictObject({
  name: text,
  was: text,
  config: text,
  volumes: z.array(z.strictObject({ was: text, volume: text })),
  /** Disks that keep their names. */
  kept: z.array(text),
  /** null: it is off. */
  domid: z.nullable(count),
});

export type VmRename = z.infer<typeof vmRename>;

const plain = z.union([text, count, z.boolean()]);

/** `bofh vm set NAME KEY=VALUE…` */
export const vmSet = z.strictObject({
  name: text,
  config: text,
  /** false: the host had all of it; a setting may still wait for the next start. */
  changed: z.boolean(),
  /** Settings that were changed, or have yet to take effect. */
  settings: z.array(
    z.strictObject({
      setting: text,
      /** In the configuration until now, memory in MiB; null: it was not set there. */
      from: z.nullable(plain),
      to: plain,
      effective: z.enum(['now', 'next start']),
      /** Why a running guest does not have it now. */
      why: z.exactOptional(text),
    }),
  ),
});

export type VmSet = z.infer<typeof vmSet>;
export type VmMove = z.infer<typeof vmMove>;
export type VmCreate = z.infer<typeof vmCreate>;
export type VmRemove = z.infer<typeof vmRemove>;
