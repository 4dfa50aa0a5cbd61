import * as z from 'zod/mini';
import { blockResize } from './block.ts';
import { count, ensured, text } from './parts.ts';

/** `bofh vm create NAME` */
export const vmCreate = z.strictObject({
  ...ensured,
  name: text,
  config: text,
  /** Device of the root filesystem. */
  root: text,
  swap: z.nullable(text),
  disks: z.array(
    z.strictObject({
      name: text,
      device: text,
      fs: z.enum(['ext4', 'xfs', 'btrfs']),
      /** Its directory in the guest; null: not mounted. */
      mount: z.nullable(text),
      /** UUID of its LUKS header; null: not encrypted. */
      luks: z.nullable(text),
    }),
  ),
  /** Whether its root can open encrypted disks at boot; null if it has none, or if its disk is blank. */
  opensLuks: z.nullable(z.boolean()),
  /** The other host of its replicated disks; null if they are local. */
  peer: z.nullable(text),
  /** null: it was not started. */
  domid: z.nullable(count),
  /** How root logs in by SSH: `root@192.0.2.10`; null without a key or a static address. */
  ssh: z.nullable(text),
  /** Fingerprint of its SSH host key; null if its root has no OpenSSH server. */
  hostKey: z.nullable(text),
  /** The archive or image from which its root was filled; null if the guest already existed. */
  source: z.nullable(text),
  /** Number of the partition of that image; null: the whole image. */
  partition: z.nullable(count),
  /** Mount points of the EFI system partition of the image, which the guest does not have. */
  dropped: z.array(text),
  /** Mount points of other partitions of the image, whose files are in the root of the guest. */
  merged: z.array(text),
});

/** `bofh vm clone NAME NEW` */
export const vmClone = z.strictObject({
  name: text,
  /** The guest from which it was cloned. */
  of: text,
  config: text,
  /** Copied volumes and their copies: `VG/LV`. */
  volumes: z.array(z.strictObject({ was: text, volume: text })),
  /** null: it was not started. */
  domid: z.nullable(count),
  /** How root logs in by SSH: `root@192.0.2.10`; null without a new key or a static address. */
  ssh: z.nullable(text),
  /** Fingerprint of its SSH host key; null if its root has no OpenSSH server. */
  hostKey: z.nullable(text),
  /** Settings that give both guests the same device or port of this host, for example `pci`. */
  shared: z.array(text),
});

export type VmClone = z.infer<typeof vmClone>;

/** `bofh vm resize NAME DISK SIZE` */
export const vmResize = z.strictObject({
  name: text,
  /** The name of the disk in the guest. */
  disk: text,
  /** Domain ID of the running guest, whose disk grew without its content; null: the guest is off. */
  domid: z.nullable(count),
  ...blockResize.shape,
});

export type VmResize = z.infer<typeof vmResize>;

const attachment = z.enum(['off', 'attached', 'next start', 'until stop']);

/** `bofh vm disk list NAME` */
export const vmDiskList = z.readonly(
  z.array(
    z.strictObject({
      /** The name of the disk in the guest: `xvda`. */
      disk: text,
      /** Path on this host, or the name from which a script makes one: `drbd:web1`; empty for an empty drive. */
      device: z.string(),
      access: z.enum(['ro', 'rw']),
      /** Bytes; null: not a device or raw image of this host. */
      size: z.nullable(count),
      /** The type of its content, as blkid names it: `ext4`, `crypto_LUKS`; null: none. */
      content: z.nullable(text),
      /**
       * `off`: the guest is off. `attached`: the configuration and the guest have it. `next start`: only the
       * configuration. `until stop`: only the guest.
       */
      state: attachment,
    }),
  ),
);

export type VmDiskList = z.infer<typeof vmDiskList>;

/** `bofh vm interface list NAME` */
export const vmInterfaceList = z.readonly(
  z.array(
    z.strictObject({
      /** Null: a new one at each start. */
      mac: z.nullable(text),
      /** Null: the bridge of xl.conf. */
      bridge: z.nullable(text),
      /** As for a disk. */
      state: attachment,
    }),
  ),
);

export type VmInterfaceList = z.infer<typeof vmInterfaceList>;

/** `bofh vm disk attach NAME DEVICE` and `vm disk detach NAME DISK` */
export const vmDisk = z.strictObject({
  name: text,
  config: text,
  /** The name of the disk in the guest: `xvdc`. */
  disk: text,
  device: text,
  /** Null: the guest is off. */
  domid: z.nullable(count),
  /** When the guest sees the change: now, or at its next start, also if it is off. */
  effective: z.enum(['now', 'next start']),
});

export type VmDisk = z.infer<typeof vmDisk>;

/** `bofh vm disk remove NAME DISK` */
export const vmDiskRemove = z.strictObject({
  ...vmDisk.shape,
  /** Its lines in the /etc/fstab of the guest, which are removed too; null: that file could not be read. */
  fstab: z.nullable(z.array(z.string())),
  /** Its lines in the /etc/crypttab of the guest, which are removed too; null: that file could not be read. */
  crypttab: z.nullable(z.array(z.string())),
  /** Why that file could not be read; null: it could. */
  unread: z.nullable(text),
});

export type VmDiskRemove = z.infer<typeof vmDiskRemove>;

/** `bofh vm disk create NAME DISK` */
export const vmDiskCreate = z.strictObject({
  ...vmDisk.shape,
  fs: z.enum(['ext4', 'xfs', 'btrfs']),
  /** UUID of the filesystem. */
  uuid: text,
  /** The directory on which the guest mounts it, by its /etc/fstab; null: none. */
  mount: z.nullable(z.string()),
  /** UUID of its LUKS header; null: not encrypted. */
  luks: z.nullable(text),
});

export type VmDiskCreate = z.infer<typeof vmDiskCreate>;

/** `bofh vm interface attach NAME` and `vm interface detach NAME MAC` */
export const vmInterface = z.strictObject({
  name: text,
  config: text,
  /** Lower case, with colons. */
  mac: text,
  /** Null: the configuration names none. */
  bridge: z.nullable(text),
  /** Null: the guest is off. */
  domid: z.nullable(count),
  /** When the guest sees the change: now, or at its next start, also if it is off. */
  effective: z.enum(['now', 'next start']),
});

export type VmInterface = z.infer<typeof vmInterface>;

/** `bofh vm mount NAME [DIR]` */
export const vmMount = z.strictObject({
  name: text,
  /** Directory on which its root filesystem is mounted. */
  path: text,
  /** false if everything was already mounted. */
  changed: z.boolean(),
  /** The mounts, the root first. */
  mounts: z.array(z.strictObject({ device: text, path: text, mode: z.enum(['ro', 'rw']) })),
  /** Encrypted disks that are left out, because there is no key for them: names in the /etc/crypttab of the guest. */
  closed: z.array(z.strictObject({ device: text, name: text, target: text })),
});

export type VmMount = z.infer<typeof vmMount>;

/** `bofh vm unmount NAME` */
export const vmUnmount = z.strictObject({
  name: text,
  /** The mounts that were unmounted, in this order; empty: nothing was mounted. */
  mounts: z.array(z.strictObject({ device: text, path: text })),
  /** The LUKS devices that were closed, with the names of their mappings. */
  closed: z.array(z.strictObject({ device: text, name: text })),
});

export type VmUnmount = z.infer<typeof vmUnmount>;

/** `bofh vm provision NAME FILE` */
export const vmProvision = z.strictObject({
  name: text,
  /** The changed volumes, as `VG/LV`; the root first. */
  volumes: z.array(text),
});

export type VmProvision = z.infer<typeof vmProvision>;

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
  /** Disks that are not logical volumes: they are unchanged. */
  kept: z.readonly(z.array(text)),
  /** Disks that `--keep-disk` named: they are unchanged. */
  keptDisks: z.readonly(z.array(text)),
});

/** `bofh vm move NAME HOST` */
export const vmMove = z.strictObject({
  name: text,
  /** The hosts, by their `uname -n`. */
  from: text,
  to: text,
  config: text,
  /** DRBD resources of its disks. */
  resources: z.readonly(z.array(text)),
  /** Domain ID on the other host; null if the guest did not run, and was not started. */
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
  /** null if the guest is off. */
  domid: z.nullable(count),
});

export type VmRename = z.infer<typeof vmRename>;

const savedDisk = z.strictObject({
  vdev: text,
  size: count,
  /** Size of the compressed file, in bytes. */
  fileSize: count,
});

/** `bofh vm backup NAME DIR` */
export const vmBackup = z.strictObject({
  name: text,
  /** The host that has the backup, as it was named; null: the host of the guest. */
  host: z.nullable(text),
  /** Path of the manifest. */
  path: text,
  /** ISO 8601, in UTC. */
  time: text,
  disks: z.array(savedDisk),
  /** Whether the filesystems of the guest were frozen for the snapshots. */
  frozen: z.boolean(),
  /** Whether age encrypted the disks. The manifest, with the configuration, is never encrypted. */
  encrypted: z.boolean(),
  /** Manifests of older backups that were removed with their files. */
  removed: z.array(text),
});

/** `bofh vm list-backups DIR` */
export const vmListBackups = z.strictObject({
  backups: z.array(
    z.strictObject({
      path: text,
      guest: text,
      time: text,
      /** State of the guest at that time. */
      state: z.enum(['running', 'paused', 'off']),
      /** The version of bofh that wrote it. */
      bofh: text,
      disks: z.array(savedDisk),
      /** Whether age encrypted the disks. */
      encrypted: z.boolean(),
    }),
  ),
  /** Files that have the name of a backup, but are not usable backups. */
  problems: z.array(z.strictObject({ path: text, why: text })),
});

/** `bofh vm verify FILE` */
export const vmVerify = z.strictObject({
  path: text,
  guest: text,
  time: text,
  intact: z.boolean(),
  disks: z.array(
    z.strictObject({
      vdev: text,
      file: text,
      /** null: its checksum is correct. */
      why: z.nullable(text),
    }),
  ),
});

/** `bofh vm restore FILE` */
export const vmRestore = z.strictObject({
  name: text,
  /** Its name in the backup. */
  was: text,
  backup: text,
  time: text,
  config: text,
  disks: z.array(
    z.strictObject({
      vdev: text,
      volume: text,
      size: count,
      /** The DRBD resource that replicated the saved disk; null: it was not replicated. The new volume is not. */
      replica: z.nullable(text),
    }),
  ),
  /** Kernel and ramdisk of its configuration that this host does not have. */
  missing: z.array(text),
  /**
   * Under another name: settings that give both guests the same device or port of this host, for
   * example `pci`.
   */
  shared: z.array(text),
  /** null: it was not started. */
  domid: z.nullable(count),
});

const snapshotDisk = z.strictObject({
  vdev: text,
  volume: text,
  /** The volume with the content at that time. */
  snapshot: text,
});

const guestSnapshot = {
  name: text,
  label: text,
  /** ISO 8601, in UTC. */
  time: text,
  /** State of the guest at that time. */
  state: z.enum(['running', 'paused', 'off']),
  /** Whether its filesystems were frozen for the snapshots. */
  frozen: z.boolean(),
  disks: z.array(snapshotDisk),
};

/** `bofh vm snapshot create NAME LABEL` */
export const vmSnapshotCreate = z.strictObject(guestSnapshot);

/** `bofh vm snapshot list [NAME]` */
export const vmSnapshotList = z.strictObject({
  snapshots: z.array(
    z.strictObject({
      ...guestSnapshot,
      /** Why it cannot be restored; null if it can. */
      why: z.nullable(text),
    }),
  ),
  /** Files that cannot be read. */
  problems: z.array(z.strictObject({ path: text, why: text })),
});

/** `bofh vm snapshot restore NAME LABEL` */
export const vmSnapshotRestore = z.strictObject({
  name: text,
  label: text,
  time: text,
  config: text,
  configChanged: z.boolean(),
  volumes: z.array(text),
  /** Disks that the guest got after the snapshot; their volumes stay. */
  later: z.array(text),
  /** Other thin snapshots of these volumes: they stay, but cannot be restored any more. */
  detached: z.array(text),
});

/** `bofh vm snapshot remove NAME LABEL` */
export const vmSnapshotRemove = z.strictObject({ name: text, label: text, volumes: z.array(text) });

/** `bofh vm base create SUITE`, `bofh vm base remove NAME` */
export const vmBase = z.strictObject({
  name: text,
  /** null for a downloaded image. */
  suite: z.nullable(text),
  /** When it was installed, in UTC: `2026-11-26`; null for an image. */
  date: z.nullable(text),
  path: text,
  size: count,
});

/** `bofh vm base list` */
export const vmBaseList = z.array(vmBase);

export type VmBase = z.infer<typeof vmBase>;
export type VmBaseList = z.infer<typeof vmBaseList>;
export type VmSnapshotCreate = z.infer<typeof vmSnapshotCreate>;
export type VmSnapshotList = z.infer<typeof vmSnapshotList>;
export type VmSnapshotRestore = z.infer<typeof vmSnapshotRestore>;
export type VmSnapshotRemove = z.infer<typeof vmSnapshotRemove>;
export type VmBackup = z.infer<typeof vmBackup>;
export type VmListBackups = z.infer<typeof vmListBackups>;
export type VmVerify = z.infer<typeof vmVerify>;
export type VmRestore = z.infer<typeof vmRestore>;

const plain = z.union([text, count, z.boolean()]);

/** `bofh vm set NAME KEY=VALUE…` */
export const vmSet = z.strictObject({
  name: text,
  config: text,
  /** false if all settings were already as requested; one may still wait for the next start. */
  changed: z.boolean(),
  /** Settings that were changed, or have not taken effect yet. */
  settings: z.array(
    z.strictObject({
      setting: text,
      /** The former value in the configuration, memory in MiB; null if it was not set. */
      from: z.nullable(plain),
      to: plain,
      effective: z.enum(['now', 'next start']),
      /** Why the setting does not take effect now in a running guest. */
      why: z.exactOptional(text),
    }),
  ),
});

export type VmSet = z.infer<typeof vmSet>;
export type VmMove = z.infer<typeof vmMove>;
export type VmCreate = z.infer<typeof vmCreate>;
export type VmRemove = z.infer<typeof vmRemove>;
