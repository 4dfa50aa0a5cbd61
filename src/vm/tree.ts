import { posix } from 'node:path';
import {
  contentInWords,
  deviceNode,
  inWords,
  linkOf,
  type MountEntry,
  mountEntries,
  mountHolders,
  probe,
  refuseUsers,
  remedyFor,
  tagIn,
} from '../blockdevice/index.ts';
import { follow, type ReadHost } from '../command/index.ts';
import { type Holder, ParseError, RefusedError } from '../core/errors.ts';
import { present } from '../core/present.ts';
import { readRoot } from '../copy/index.ts';
import { directoryBeneath, type FstabLine, isOf, mountsInFstab, realPath } from '../mount/index.ts';
import { parseFstab } from '../mount/tab/fstab.ts';
import type { Tx } from '../operations.ts';
import type { Site } from '../site.ts';
import type { GuestConfig } from '../xen/index.ts';
import { configured } from './configured.ts';
import { diskNamed } from './guest-file.ts';
import { secondaries } from './start.ts';

/** One filesystem of a guest, and its place in the tree: `/` for the root filesystem, which comes first. */
export interface GuestMount {
  readonly device: string;
  readonly target: string;
  readonly mode: 'ro' | 'rw';
  readonly type: string;
  readonly options: readonly string[];
}

/** How the filesystems of a guest will be mounted. */
export interface TreePlan {
  readonly mounts: readonly GuestMount[];
  /** UUID of the root, if it has one. */
  readonly uuid: string | undefined;
  /** The mount point if the whole tree is mounted already; undefined if nothing is mounted. */
  readonly at: string | undefined;
}

/** A disk that is a device of this host. */
interface HostDisk {
  readonly vdev: string;
  readonly path: string;
  readonly node: Awaited<ReturnType<typeof deviceNode>>;
  readonly access: 'ro' | 'rw';
  readonly content: Awaited<ReturnType<typeof probe>>;
}

// Devices and setuid programs of the guest must not work on this host.
const ofHost = ['nosuid', 'nodev'];

// Other mount options can name a device of this host (logdev), or a program (uhelper).
const harmless =
  /^(?:noexec|noatime|nodiratime|relatime|strictatime|lazytime|sync|dirsync|subvol(?:id)?=.*)$/;

/** Filesystems that the kernel mounts without help. For other types mount(8) starts a program. */
const kernelTypes = /^(?:ext[234]|xfs|btrfs|vfat)$/;

/**
 * Plans to mount the root of a guest that is off, and the filesystems of its /etc/fstab. Throws RefusedError
 * if the fstab names anything but the guest's disks: the same name or UUID may be another device on this
 * host.
 */
export async function planTree(
  host: ReadHost,
  of: {
    readonly site: Site;
    readonly name: string;
    readonly path?: string;
    readonly mode?: 'ro' | 'rw';
  },
): Promise<TreePlan> {
  const { name, path, mode: wanted = 'rw' } = of;
  const { guest, domain } = await configured(host, of);
  if (domain !== undefined)
    throw new RefusedError(
      `${name} exists as domain ${domain.id} (${domain.state}): two kernels that use one filesystem at the same time destroy it`,
      { remedy: `bofh vm stop ${name}; then run the command again` },
    );
  const { disks, root, entries, at, text } = await readFstab(host, guest);
  const modeOf = ({ access }: HostDisk) => (access === 'ro' ? 'ro' : wanted);
  const mounts: GuestMount[] = [
    {
      device: root.path,
      target: '/',
      mode: modeOf(root),
      type: root.content?.type ?? 'ext4',
      options: ofHost,
    },
  ];
  const used = new Map<string, HostDisk>();
  const others = await mountsInFstab(text ?? '', {
    ...{ file: `/etc/fstab of ${name}`, mode: wanted },
    deviceOf: (line) => {
      const disk = diskOf(line, { guest, disks });
      if (disk !== undefined) used.set(disk.path, disk);
      return disk?.path;
    },
  }).catch((error: unknown) => {
    if (!(error instanceof ParseError)) throw error;
    throw new RefusedError(error.message, {
      cause: error,
      remedy: `mount only its root filesystem: bofh mount add ${root.path}; then correct the line`,
    });
  });
  for (const { device, path: target, mode = wanted, options = [] } of others) {
    const words = (options as readonly string[]).filter((option) => harmless.test(option));
    const disk = used.get(device);
    mounts.push({
      ...{ device, target, mode: disk?.access === 'ro' ? 'ro' : mode, type: typeOf(guest, disk) },
      options: [...new Set([...words, ...ofHost])],
    });
  }
  if (at === undefined)
    for (const device of new Set(mounts.map((each) => each.device)))
      await refuseMounted(host, { name, device, entries });
  else await refusePartly(host, { name, at, path, mounts, entries });
  return { mounts, at, uuid: root.content?.uuid };
}

/** Reads the /etc/fstab of a guest that is off. Throws RefusedError for a root that bofh cannot mount. */
async function readFstab(host: ReadHost, guest: GuestConfig) {
  await refuseSecondary(host, guest);
  const disks = await disksOf(host, guest);
  const root = rootOf(guest, disks);
  const entries = await mountsOf(host, disks);
  const at = entries.find(({ disk, root: top }) => disk === root.path && top === '/')?.path;
  // Checked first: a filesystem that is mounted elsewhere looks like one that needs a repair.
  if (at === undefined) await refuseMounted(host, { name: guest.name, device: root.path, entries });
  const text = at === undefined ? await unmountedFstab(host, root) : await mountedFstab(host, at);
  return { disks, root, entries, at, text };
}

/** The lines of a guest's /etc/fstab that name one of its disks. */
export interface DiskLines {
  /** The root of the guest. */
  readonly root: { readonly device: string; readonly type: string; readonly uuid: string | undefined };
  /** Its fstab, one character per byte. */
  readonly text: string;
  readonly lines: readonly FstabLine[];
  /** Why the lines are not known; missing: they are. */
  readonly unknown?: string;
}

/**
 * Finds the lines for a disk in the /etc/fstab of a guest that is off, by UUID, label or name. Throws
 * RefusedError for a guest that is mounted here, and for a root that bofh cannot mount.
 */
export async function fstabOfDisk(
  host: ReadHost,
  { guest, disk }: { readonly guest: GuestConfig; readonly disk: string },
): Promise<DiskLines> {
  const { disks, root, at, text } = await readFstab(host, guest);
  if (at !== undefined)
    throw new RefusedError(`${guest.name} is mounted on ${at}`, {
      code: 'in-use',
      remedy: `bofh vm unmount ${guest.name}; then run the command again`,
    });
  const { type = 'ext4', uuid } = root.content ?? {};
  const known = { root: { device: root.path, type, uuid }, text: text ?? '', lines: [] };
  const file = `/etc/fstab of ${guest.name}`;
  if (text === undefined) return { ...known, unknown: `${file} is not a regular file` };
  const { lines, unread } = parseFstab(text);
  const [problem] = unread;
  if (problem !== undefined)
    return { ...known, unknown: `${file}: line ${problem.number} could not be parsed: ${problem.why}` };
  const named = lines.map((line) => ({ line, vdevs: disksNamed(line, disks).map(({ vdev }) => vdev) }));
  const ours = named.filter(({ vdevs }) => vdevs.includes(disk));
  const twice = ours.find(({ vdevs }) => vdevs.length > 1);
  if (twice !== undefined)
    return { ...known, unknown: `${file}: ${twice.line.source} matches both ${twice.vdevs.join(' and ')}` };
  return { ...known, lines: ours.map(({ line }) => line) };
}

/** Mounts the tree; returns its root. */
export async function mountTree(tx: Tx, host: ReadHost, plan: TreePlan, path?: string): Promise<string> {
  let root: string | undefined;
  for (const { target, ...mount } of plan.mounts) {
    const at = root === undefined ? path : await directoryBeneath(host, root, target);
    const made = await tx.mount.mount({ ...mount, ...present({ path: at }) });
    root ??= made.path;
  }
  if (root === undefined) throw new TypeError('a tree was planned without a root');
  return root;
}

/** Every mount of a disk of the guest, in the order in which they can be unmounted. */
export async function planUnmount(
  host: ReadHost,
  of: { readonly site: Site; readonly name: string },
): Promise<readonly DiskMount[]> {
  const { guest } = await configured(host, of);
  const all = await mountEntries(host);
  const found = await mountsOf(host, await disksOf(host, guest));
  const depth = ({ id, parent }: MountEntry): number => {
    const above = all.find((each) => each.id === parent && each.id !== id);
    return above === undefined ? 0 : depth(above) + 1;
  };
  const entries = found.toSorted((one, other) => depth(other) - depth(one));
  const ids = new Set(entries.map(({ id }) => id));
  const held: Holder[] = [];
  for (const entry of entries)
    for (const each of await mountHolders(host, entry))
      if (each.kind !== 'unknown' && !(each.kind === 'mount' && ids.has(each.mountId)))
        held.push({ ...each, words: `${entry.path}: ${each.words}` });
  if (held.length === 0) return entries;
  throw new RefusedError(`a disk of ${of.name} is in use: ${inWords(held)}`, {
    holders: held,
    ...present({ remedy: remedyFor(held) }),
  });
}

/** Refuses a replicated disk that is secondary here: DRBD does not allow reads from it. */
async function refuseSecondary(host: ReadHost, { name, file }: GuestConfig): Promise<void> {
  const [first] = await secondaries(host, file);
  if (first !== undefined)
    throw new RefusedError(`the disk ${first} of ${name} is secondary on this host`, {
      remedy: `bofh drbd primary ${first}`,
    });
}

/** The disks that are existing devices of this host. For another disk in the fstab, the error comes later. */
async function disksOf(host: ReadHost, guest: GuestConfig): Promise<readonly HostDisk[]> {
  const found: HostDisk[] = [];
  for (const { vdev, path, access } of guest.disks) {
    if (path === undefined || (await follow(host, path)).stat?.kind !== 'block') continue;
    found.push({ vdev, path, access, node: await deviceNode(host, path), content: await probe(host, path) });
  }
  return found;
}

/** A mount on this host, with the path of its disk in the configuration. */
type DiskMount = MountEntry & { readonly disk: string };

async function mountsOf(host: ReadHost, disks: readonly HostDisk[]): Promise<readonly DiskMount[]> {
  const found = new Map<number, DiskMount>();
  for (const entry of await mountEntries(host))
    for (const { node, path: disk } of disks)
      if (await isOf(host, entry, node.number)) found.set(entry.id, { ...entry, disk });
  return [...found.values()];
}

function rootOf(guest: GuestConfig, disks: readonly HostDisk[]): HostDisk {
  const { vdev, path = 'not a device of this host' } = diskNamed(guest, 'root');
  const root = disks.find((each) => each.vdev === vdev);
  if (root === undefined)
    throw new RefusedError(
      `the root disk of ${guest.name}, ${vdev}, is ${path}, and that is not a block device here`,
      {
        code: 'not-found',
        remedy: 'if it is a logical volume: bofh lvm activate VG/LV; a file: bofh block loop attach FILE',
      },
    );
  const { content } = root;
  if (content === undefined || !/^ext[234]$/.test(content.type) || content.ptType !== undefined)
    throw new RefusedError(
      `the root disk of ${guest.name}, ${path}, holds ${contentInWords(content)}: bofh mounts a guest whose root disk is ext2, ext3 or ext4 without partitions and encryption`,
      { remedy: `see what is in it: bofh block tree ${path}; then mount that: bofh mount add DEVICE` },
    );
  return root;
}

/** The type from the content of the disk, not from the guest's fstab. */
function typeOf({ name }: GuestConfig, disk: HostDisk | undefined): string {
  const type = disk?.content?.type ?? '';
  if (disk === undefined || kernelTypes.test(type)) return type;
  throw new RefusedError(
    `${disk.path}, a disk of ${name}, holds ${contentInWords(disk.content)}: bofh mounts ext2, ext3, ext4, xfs, btrfs and vfat`,
    { remedy: `remove its line from the fstab of ${name}, or add noauto to it; then run the command again` },
  );
}

/** The disk that a line of the guest's fstab mounts; undefined if the guest works without it. */
function diskOf(
  line: FstabLine,
  { guest, disks }: { readonly guest: GuestConfig; readonly disks: readonly HostDisk[] },
): HostDisk | undefined {
  const { source, target, options } = line;
  const [disk, other] = disksNamed(line, disks);
  if (disk === undefined && options.includes('nofail')) return undefined;
  if (disk === undefined)
    throw new RefusedError(
      `/etc/fstab of ${guest.name} mounts ${source} on ${target}, which is none of its disks (${disks.map(inFstab).join('; ')})`,
      {
        code: 'not-found',
        remedy: `mount only the filesystem that you need: bofh mount add ${guest.disks[0]?.path ?? 'DEVICE'}`,
      },
    );
  if (other !== undefined)
    throw new RefusedError(
      `/etc/fstab of ${guest.name} mounts ${source} on ${target}, which matches both ${disk.path} and ${other.path}`,
      {
        remedy: `give one of them another UUID or label: bofh filesystem uuid ${other.path}`,
      },
    );
  return disk;
}

/** The disks that the first field of a line names: by UUID, label, or the name in the guest. */
function disksNamed({ source }: FstabLine, disks: readonly HostDisk[]): readonly HostDisk[] {
  const tag = tagIn(source);
  return disks.filter(
    ({ vdev, content }) =>
      (
        [
          ['UUID', content?.uuid],
          ['LABEL', content?.label],
        ] as const
      ).some(
        ([name, value]) =>
          value !== undefined &&
          ((tag?.name === name && tag.value === value) || linkOf({ name, value }) === source),
      ) || source === `/dev/${vdev}`,
  );
}

function inFstab({ vdev, content }: HostDisk): string {
  return `${vdev}: ${contentInWords(content)}`;
}

/** The text of the fstab; empty if there is none, undefined if it is no regular file. */
async function unmountedFstab(host: ReadHost, { path: device }: HostDisk): Promise<string | undefined> {
  const { paths, texts } = await readRoot(host, { device, directories: ['etc'], files: ['etc/fstab'] });
  return texts.get('etc/fstab') ?? (paths.has('etc/fstab') ? undefined : '');
}

/** The text of the fstab, one character per byte; empty if there is none. */
export async function mountedFstab(host: ReadHost, root: string): Promise<string> {
  const file = posix.join(await directoryBeneath(host, root, '/etc'), 'fstab');
  if ((await host.stat(file))?.kind !== 'file') return '';
  return Buffer.from(await host.readFile(file)).toString('latin1');
}

async function refuseMounted(
  host: ReadHost,
  of: { readonly name: string; readonly device: string; readonly entries: readonly DiskMount[] },
): Promise<void> {
  const { name, device, entries } = of;
  const there = entries.find(({ disk }) => disk === device);
  if (there !== undefined)
    throw new RefusedError(`${device}, a disk of ${name}, is mounted on ${there.path}`, {
      code: 'in-use',
      remedy: `bofh vm unmount ${name}`,
    });
  await refuseUsers(host, device);
}

/** Throws RefusedError if only a part of the tree is mounted, or at another path than requested. */
async function refusePartly(
  host: ReadHost,
  of: {
    readonly name: string;
    readonly at: string;
    readonly path: string | undefined;
    readonly mounts: readonly GuestMount[];
    readonly entries: readonly DiskMount[];
  },
): Promise<void> {
  const { name, at, path, mounts, entries } = of;
  const remedy = `bofh vm unmount ${name}; then run the command again`;
  if (path !== undefined && (await realPath(host, path)) !== at)
    throw new RefusedError(`${name} is mounted on ${at} already`, { code: 'in-use', remedy });
  const missing = mounts.filter(
    ({ target }) => !entries.some((each) => each.path === posix.join(at, target).replace(/(?<=.)\/$/, '')),
  );
  if (missing.length > 0)
    throw new RefusedError(
      `${name} is mounted on ${at}, but without ${missing.map(({ target }) => target).join(', ')}`,
      {
        code: 'in-use',
        remedy,
      },
    );
}
