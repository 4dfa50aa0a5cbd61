import * as z from 'zod/mini';

export { type Plan, plan } from '../api/plan.ts';
export { stackTree as blockTree } from '../stack/schema.ts';
export * from './crypt-answers.ts';

/** The JSON answers of the command line: one schema for each, and the types of the code that gives them. */

const text = z.string();
const count = z.int().check(z.minimum(0));

const step = z.strictObject({
  n: count,
  kind: text,
  /** Keys of the objects that it makes or changes: `lv:vg0/web1-root`. */
  objects: z.readonly(z.array(text)),
  /** `started`: begun, and whether it was done is not known. */
  state: z.enum(['started', 'done', 'undone', 'blocked', 'finished']),
  /** Why it is blocked, with which step it was undone, or what was found in its place. */
  note: z.exactOptional(text),
  /** Who kept it from being undone, and the command that frees it. */
  heldBy: z.exactOptional(z.readonly(z.array(z.strictObject({ who: text, free: z.exactOptional(text) })))),
  /** What to do about what kept it from being undone. */
  remedy: z.exactOptional(text),
  /** Of a step that is left while nobody works on it: what it is, and the commands to see it and to clear it by hand. */
  byHand: z.exactOptional(
    z.strictObject({ what: text, look: z.readonly(z.array(text)), clear: z.readonly(z.array(text)) }),
  ),
});

/** `bofh journal list` */
export const journalList = z.array(
  z.strictObject({
    id: text,
    name: text,
    user: text,
    /** `interrupted`: its process is gone, bofh recover brings it to its end. `orphan`: a tool of it still runs. */
    state: z.enum([
      'running',
      'orphan',
      'interrupted',
      'committed',
      'rolled-back',
      'abandoned',
      'unreadable',
    ]),
    /** When it was last written to, ISO 8601. */
    at: text,
    steps: count,
  }),
);

/** `bofh journal show ID` */
export const journalShow = z.strictObject({
  id: text,
  name: text,
  user: text,
  command: z.readonly(z.array(text)),
  bofh: text,
  state: z.enum(['running', 'orphan', 'interrupted', 'committed', 'rolled-back', 'abandoned']),
  because: z.exactOptional(text),
  steps: z.readonly(z.array(step)),
  /** What bofh recover would do, in its order. */
  recovery: z.readonly(
    z.array(
      z.strictObject({
        do: z.enum(['undo', 'look', 'finish', 'blocked']),
        n: count,
        kind: text,
        objects: z.readonly(z.array(text)),
        /** Steps that go with it. */
        with: z.readonly(z.array(count)),
      }),
    ),
  ),
});

/** `bofh journal prune`: the closed journals that were removed, the oldest first. */
export const journalPrune = z.array(z.strictObject({ id: text, at: text }));

/** `bofh doctor` */
export const doctor = z.array(
  z.strictObject({
    /** What was looked at: `journal`, `leftover`, `programs` … */
    check: text,
    level: z.enum(['ok', 'warning', 'problem']),
    /** One sentence. */
    says: text,
    /** The commands that show or mend it, in their order. */
    run: z.readonly(z.array(text)),
  }),
);

/** `bofh doctor --settings` */
export const doctorSettings = z.array(
  z.strictObject({
    name: text,
    /** null: nobody has set it, and it has no default. */
    value: z.unknown(),
    /** `override` is withSite() in a script, `program` a value that a program has made itself. */
    from: z.enum(['default', 'site file', 'environment', 'option', 'override', 'program']),
    /** The file, the variable or the option. */
    where: z.nullable(text),
    description: text,
  }),
);

/** `bofh recover` */
export const recovered = z.array(
  z.strictObject({
    id: text,
    name: text,
    end: z.enum(['rolled-back', 'committed', 'nothing-to-do', 'running', 'abandoned', 'cut', 'open']),
    leftAlone: z.readonly(z.array(text)),
    /** Why it stays open. */
    because: z.exactOptional(text),
  }),
);

/** `bofh block resize DEVICE SIZE`; sizes in bytes. */
export const blockResize = z.strictObject({
  device: text,
  /** Sizes of the lowest layer are multiples of it. */
  granularity: count,
  /** What was asked for, where the layers could not have that very size. */
  roundedFrom: z.exactOptional(count),
  /** Place of the device that was named among the layers. */
  asked: count,
  /** From the lowest up. `after the commit`: it could not have been undone, so it was done last. */
  layers: z.array(
    z.strictObject({
      title: text,
      path: text,
      from: count,
      to: count,
      when: z.enum(['unchanged', 'now', 'after the commit']),
    }),
  ),
});

/** `bofh block image create FILE SIZE`; the size in bytes. */
export const blockImageCreate = z.strictObject({
  file: text,
  size: count,
  room: z.enum(['sparse', 'allocated']),
});

/** `bofh block loop list`; sizes in bytes. */
export const blockLoopList = z.array(
  z.strictObject({
    device: text,
    /** As the kernel has it: ends in ` (deleted)` when the file has no name any more. */
    file: text,
    inode: text,
    offset: count,
    /** How much of the file it shows at most; null: all up to the end. */
    size: z.nullable(count),
    mode: z.enum(['ro', 'rw']),
    partitions: z.enum(['scanned', 'ignored']),
    /** It goes by itself when nobody has it open any more. */
    autoclear: z.boolean(),
  }),
);

/** `bofh block loop attach FILE` */
export const blockLoopAttach = z.strictObject({
  device: text,
  file: text,
  /** `adopted`: it was there already, and nothing was done. */
  was: z.enum(['attached', 'adopted']),
});

/** `bofh block loop detach DEVICE` */
export const blockLoopDetach = z.strictObject({ device: text, file: text });

/** `bofh lvm list`; sizes in bytes. */
export const lvmList = z.array(
  z.strictObject({
    volume: text,
    uuid: text,
    path: z.nullable(text),
    size: count,
    active: z.union([z.boolean(), z.literal('unknown')]),
    open: z.union([z.boolean(), z.literal('unknown')]),
    layout: z.readonly(z.array(text)),
    /** What it is a snapshot of. */
    origin: z.nullable(text),
    /** The thin or cache pool that it lies in. */
    pool: z.nullable(text),
    tags: z.readonly(z.array(text)),
  }),
);

/** `bofh lvm rename VG/NAME TO` */
export const lvmRename = z.strictObject({
  /** As it is called now. */
  volume: text,
  was: text,
  uuid: text,
  path: text,
  /** Files that still name the old path, and may have to be edited; `guest`: whose configuration it is. */
  namedIn: z.readonly(z.array(z.strictObject({ file: text, path: text, guest: z.nullable(text) }))),
  /** Guest configurations that could not be read: whether they name it is not known. */
  unread: z.readonly(z.array(text)),
});

/** `bofh mount list`: mounts of the namespace that bofh is in, in the kernel's order. */
export const mountList = z.array(
  z.strictObject({
    id: count,
    path: text,
    /** A device, a share, or a word. */
    source: text,
    /** The directory of the filesystem that is shown. */
    root: text,
    type: text,
    options: z.readonly(z.array(text)),
    filesystemOptions: z.readonly(z.array(text)),
  }),
);

/** `bofh mount add DEVICE [PATH]` */
export const mountAdd = z.strictObject({ source: text, path: text });

/** `bofh mount remove PATH` */
export const mountRemove = z.strictObject({ source: text, path: text });

const filesystemType = z.enum(['ext2', 'ext3', 'ext4', 'xfs', 'btrfs', 'vfat', 'swap']);

/** `bofh filesystem info DEVICE`; sizes in bytes, null: it cannot be told. */
export const filesystemInfo = z.strictObject({
  device: text,
  type: filesystemType,
  uuid: text,
  label: z.nullable(text),
  /** Of the filesystem; its device may be larger. */
  size: count,
  used: z.nullable(count),
  free: z.nullable(count),
  /** What it can be made as small as; its size, where it cannot be shrunk. */
  minimumSize: z.nullable(count),
  blockSize: count,
  mountedOn: z.readonly(z.array(text)),
});

/** `bofh filesystem check DEVICE` */
export const filesystemCheck = z.strictObject({
  device: text,
  type: filesystemType,
  uuid: z.nullable(text),
  state: z.enum(['clean', 'errors']),
  /** What the checker wrote. */
  said: z.readonly(z.array(text)),
});

/** `bofh filesystem create DEVICE --type TYPE` */
export const filesystemCreate = z.strictObject({
  device: text,
  type: filesystemType,
  uuid: text,
  label: z.nullable(text),
});

/** `bofh filesystem label DEVICE [LABEL]` */
export const filesystemLabel = z.strictObject({ device: text, uuid: text, label: z.nullable(text) });

/** `bofh filesystem resize DEVICE SIZE|max`; sizes in bytes. */
export const filesystemResize = z.strictObject({
  device: text,
  type: filesystemType,
  uuid: text,
  was: count,
  /** What it has now: what was asked, rounded down to whole blocks. */
  size: count,
});
/** `bofh lvm pv list`; sizes in bytes. */
export const lvmPvList = z.array(
  z.strictObject({
    /** null: it is missing. */
    device: z.nullable(text),
    uuid: text,
    /** null: it is in no volume group. */
    group: z.nullable(text),
    size: count,
    free: count,
    allocatable: z.boolean(),
    tags: z.readonly(z.array(text)),
  }),
);

/** `bofh lvm pv create DEVICE` */
export const lvmPvCreate = z.strictObject({ device: text, uuid: text });

/** `bofh lvm pv resize DEVICE`; the size in bytes is that of its extents. */
export const lvmPvResize = z.strictObject({ device: text, uuid: text, size: count });

/** `bofh lvm vg rename NAME TO` */
export const lvmVgRename = z.strictObject({
  /** As it is called now. */
  group: text,
  was: text,
  uuid: text,
  /** Files that still name a volume of it by its old path, and may have to be edited. */
  namedIn: z.readonly(z.array(z.strictObject({ file: text, path: text, guest: z.nullable(text) }))),
  /** Guest configurations that could not be read. */
  unread: z.readonly(z.array(text)),
});

/** `bofh lvm pv remove DEVICE` */
export const lvmPvRemove = z.strictObject({ device: text });

/** `bofh lvm vg backup NAME FILE` */
export const lvmVgBackup = z.strictObject({
  group: text,
  uuid: text,
  /** How many changes of the metadata there were before. */
  seqno: count,
  file: text,
});

/** `bofh lvm vg remove NAME` */
export const lvmVgRemove = z.strictObject({
  group: text,
  /** Those that were in it. */
  devices: z.readonly(z.array(text)),
  labels: z.enum(['kept', 'removed']),
});

/** `bofh lvm vg list`; sizes in bytes. */
export const lvmVgList = z.array(
  z.strictObject({
    group: text,
    uuid: text,
    size: count,
    free: count,
    extentSize: count,
    writable: z.boolean(),
    exported: z.boolean(),
    /** A device of it is missing. */
    partial: z.boolean(),
    tags: z.readonly(z.array(text)),
  }),
);

/** `bofh lvm vg create NAME DEVICE…` */
export const lvmVgCreate = z.strictObject({
  group: text,
  uuid: text,
  extentSize: count,
  devices: z.readonly(z.array(text)),
});

/** `bofh lvm vg extend NAME DEVICE…` and `reduce` */
export const lvmVgDevices = z.strictObject({
  group: text,
  uuid: text,
  /** Those that were put in or taken out. */
  devices: z.readonly(z.array(text)),
});

/** `bofh mount fstab list`; of a line that holds a password no option shows its value. */
export const fstabList = z.array(
  z.strictObject({
    line: count,
    device: text,
    path: text,
    type: text,
    options: z.readonly(z.array(text)),
    dump: count,
    pass: count,
  }),
);

/** `bofh mount crypttab list` */
export const crypttabList = z.array(
  z.strictObject({ line: count, name: text, device: text, key: text, options: z.readonly(z.array(text)) }),
);

/** `bofh mount fstab` and `crypttab`, `add`, `change` and `remove` */
export const tableEdit = z.strictObject({
  file: text,
  /** As it stands there now; null: it is taken out. */
  line: z.nullable(text),
  /** What makes systemd read it before the next boot. */
  next: text,
});

const many = z.number().check(z.minimum(0));
const counters = z.strictObject({ bytes: many, packets: many, errors: many, dropped: many });

/** `bofh network show NAME` */
export const networkShow = z.strictObject({
  name: text,
  alternativeNames: z.readonly(z.array(text)),
  index: count,
  kind: text,
  /** Whether it is switched on; `state` is whether it works. */
  up: z.boolean(),
  state: text,
  mac: z.nullable(text),
  mtu: count,
  addresses: z.readonly(
    z.array(
      z.strictObject({
        family: text,
        address: text,
        prefix: count,
        scope: text,
        state: z.enum(['usable', 'tentative', 'duplicate']),
      }),
    ),
  ),
  /** The bridge or bond that it hangs on. */
  master: z.nullable(text),
  portState: z.nullable(text),
  /** What hangs on it. */
  ports: z.readonly(z.array(text)),
  received: counters,
  sent: counters,
  /** The guest whose back end it is; its name is null where Xen could not be asked. */
  domid: z.nullable(count),
  guest: z.nullable(text),
});

/** `bofh network list` */
export const networkList = z.array(networkShow);

/** `bofh lvm create VG/NAME`; size in bytes. */
export const lvmCreate = z.strictObject({ volume: text, uuid: text, path: text, size: count });

/** `bofh lvm resize VG/NAME SIZE`; sizes in bytes. */
export const lvmResize = z.strictObject({ volume: text, uuid: text, path: text, size: count, was: count });

/** `bofh lvm tag VG/NAME`; the tags that it has now. */
export const lvmTag = z.strictObject({ volume: text, uuid: text, tags: z.readonly(z.array(text)) });

/** `bofh lvm remove VG/NAME`; size in bytes. */
export const lvmRemove = z.strictObject({ volume: text, uuid: text, size: count });

const mib = count;

const subvolume = {
  id: count,
  /** From the top level of the filesystem; null when it is no UTF-8. */
  path: z.nullable(text),
  /** For people. */
  shown: text,
  uuid: z.nullable(text),
  /** What it is a snapshot of. */
  parentUuid: z.nullable(text),
  /** What it was received from. */
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
export const btrfsMade = z.strictObject({ path: text, id: count, uuid: text });

/** `bofh btrfs snapshot rotate` */
export const btrfsRotated = z.strictObject({
  made: btrfsMade,
  /** The oldest first. */
  deleted: z.array(btrfsMade),
  /** What is called like one of them and is none, or cannot go now. */
  stays: z.array(z.strictObject({ path: text, why: text })),
});

/** `bofh btrfs rotation install`, `remove`, `status`: every rotation that has units on this host. */
export const btrfsRotations = z.array(
  z.strictObject({
    timer: text,
    enabled: z.boolean(),
    /** null: its units were edited, or are not both there. */
    rotation: z.nullable(
      z.strictObject({ label: text, source: text, target: text, keep: count, calendar: text }),
    ),
  }),
);

/** `bofh btrfs delete` */
export const btrfsRemoved = z.strictObject({ path: text, id: count, uuid: z.nullable(text) });

/** `bofh btrfs set-default`, `bofh btrfs set-mode` */
export const btrfsSet = z.strictObject({ path: text, now: text, was: text });

/** `bofh xen list` */
export const xenList = z.array(
  z.strictObject({
    name: text,
    /** Of its domain; `off`: it is configured and has none. */
    state: text,
    domid: z.nullable(count),
    uuid: z.nullable(text),
    memoryMiB: mib,
    vcpus: count,
    /** null: no configuration of it is known. */
    config: z.nullable(text),
  }),
);

/** `bofh xen start NAME` */
export const xenStart = z.strictObject({ name: text, domid: count });

/** `bofh xen start-all` */
export const xenStartAll = z.array(
  z.strictObject({
    guest: text,
    was: text,
    now: text,
    seconds: z.number(),
    error: z.exactOptional(text),
    /** Its id, when it stays open: the undo, or the cleaning up, is not finished. */
    journal: z.exactOptional(text),
  }),
);

/** `bofh vm create NAME` */
export const vmCreate = z.strictObject({
  name: text,
  config: text,
  /** Device of its root filesystem. */
  root: text,
  swap: z.nullable(text),
  /** null: it was not started. */
  domid: z.nullable(count),
});

/** `bofh vm destroy NAME` */
export const vmDestroy = z.strictObject({
  name: text,
  config: text,
  /** Volumes that were removed: `VG/LV`. */
  volumes: z.readonly(z.array(text)),
  /** Disks that are no logical volumes: they are as they were. */
  kept: z.readonly(z.array(text)),
});

/** `bofh boot install`, `remove` and `status` */
export const bootUnits = z.array(
  z.strictObject({
    unit: text,
    file: text,
    /** `outdated`: made by `bofh boot install`, for another bofh. `foreign`: edited, or made by somebody else. */
    state: z.enum(['absent', 'installed', 'outdated', 'foreign']),
    /** `on-failure`: started when recovery fails, and never enabled. */
    atBoot: z.enum(['enabled', 'disabled', 'on-failure']),
  }),
);

/** What stands in place of every answer when a command fails; the exit code is that of the process. */
export const failure = z.strictObject({
  error: z.strictObject({
    class: text,
    failed: text,
    host: text,
    next: z.exactOptional(text),
    details: z.readonly(z.array(text)),
    exitCode: z.int(),
  }),
});

export type JournalList = z.infer<typeof journalList>;
export type JournalShow = z.infer<typeof journalShow>;
export type ShownStep = z.infer<typeof step>;
export type JournalPrune = z.infer<typeof journalPrune>;
export type Doctor = z.infer<typeof doctor>;
export type DoctorSettings = z.infer<typeof doctorSettings>;
export type RecoveredList = z.infer<typeof recovered>;
export type BlockResize = z.infer<typeof blockResize>;
export type BlockImageCreate = z.infer<typeof blockImageCreate>;
export type BlockLoopList = z.infer<typeof blockLoopList>;
export type BlockLoopAttach = z.infer<typeof blockLoopAttach>;
export type BlockLoopDetach = z.infer<typeof blockLoopDetach>;
export type BtrfsList = z.infer<typeof btrfsList>;
export type BtrfsShow = z.infer<typeof btrfsShow>;
export type BtrfsUsage = z.infer<typeof btrfsUsage>;
export type BtrfsMade = z.infer<typeof btrfsMade>;
export type BtrfsRotated = z.infer<typeof btrfsRotated>;
export type BtrfsRotations = z.infer<typeof btrfsRotations>;
export type BtrfsRemoved = z.infer<typeof btrfsRemoved>;
export type BtrfsSet = z.infer<typeof btrfsSet>;
export type LvmList = z.infer<typeof lvmList>;
export type LvmRename = z.infer<typeof lvmRename>;
export type MountList = z.infer<typeof mountList>;
export type MountAdd = z.infer<typeof mountAdd>;
export type MountRemove = z.infer<typeof mountRemove>;
export type FilesystemInfo = z.infer<typeof filesystemInfo>;
export type FilesystemCheck = z.infer<typeof filesystemCheck>;
export type FilesystemCreate = z.infer<typeof filesystemCreate>;
export type FilesystemLabel = z.infer<typeof filesystemLabel>;
export type FilesystemResize = z.infer<typeof filesystemResize>;
export type LvmPvList = z.infer<typeof lvmPvList>;
export type LvmPvCreate = z.infer<typeof lvmPvCreate>;
export type LvmPvResize = z.infer<typeof lvmPvResize>;
export type LvmVgRename = z.infer<typeof lvmVgRename>;
export type LvmPvRemove = z.infer<typeof lvmPvRemove>;
export type LvmVgRemove = z.infer<typeof lvmVgRemove>;
export type LvmVgBackup = z.infer<typeof lvmVgBackup>;
export type LvmVgList = z.infer<typeof lvmVgList>;
export type LvmVgCreate = z.infer<typeof lvmVgCreate>;
export type LvmVgDevices = z.infer<typeof lvmVgDevices>;
export type FstabList = z.infer<typeof fstabList>;
export type CrypttabList = z.infer<typeof crypttabList>;
export type TableEdit = z.infer<typeof tableEdit>;
export type NetworkShow = z.infer<typeof networkShow>;
export type NetworkList = z.infer<typeof networkList>;
export type LvmCreate = z.infer<typeof lvmCreate>;
export type LvmResize = z.infer<typeof lvmResize>;
export type LvmTag = z.infer<typeof lvmTag>;
export type LvmRemove = z.infer<typeof lvmRemove>;
export type XenList = z.infer<typeof xenList>;
export type XenStart = z.infer<typeof xenStart>;
export type XenStartAll = z.infer<typeof xenStartAll>;
export type VmCreate = z.infer<typeof vmCreate>;
export type VmDestroy = z.infer<typeof vmDestroy>;
export type BootUnits = z.infer<typeof bootUnits>;
