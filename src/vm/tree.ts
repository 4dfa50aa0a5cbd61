import { posix } from 'node:path';
import { contentInWords, probe, refuseUsers } from '../blockdevice/index.ts';
import type { KeyRef, ReadHost } from '../command/index.ts';
import { ParseError, RefusedError } from '../core/errors.ts';
import { present } from '../core/present.ts';
import { readRoot } from '../copy/index.ts';
import { directoryBeneath, type FstabLine, mountsInFstab, realPath } from '../mount/index.ts';
import { type CrypttabLine, parseCrypttab } from '../mount/tab/crypttab.ts';
import { parseFstab } from '../mount/tab/fstab.ts';
import type { Tx } from '../operations.ts';
import type { Site } from '../site.ts';
import { type GuestConfig, offRemedy, stateWords } from '../xen/index.ts';
import { configured } from './configured.ts';
import { diskNamed, wordsOf } from './guest-file.ts';
import {
  type ClosedDisk,
  luksAccess,
  type LuksAccess,
  openLuks,
  refuseUnusedKeys,
} from './guest-crypttab.ts';
import { disksNamed, type HostDisk, hostDisks } from './host-disks.ts';
import { secondaries } from './start.ts';
import { type DiskMount, mountsOf } from './unmount.ts';

/** One filesystem of a guest, and its place in the tree: `/` for the root filesystem, which comes first. */
export interface GuestMount {
  readonly device: string;
  readonly target: string;
  readonly mode: 'ro' | 'rw';
  /** Empty for a filesystem in LUKS, whose type is not known before the disk is open. */
  readonly type: string;
  readonly options: readonly string[];
  /** How the disk is opened, if the filesystem is in LUKS. */
  readonly luks?: LuksAccess;
}

/** How the filesystems of a guest will be mounted. */
export interface TreePlan {
  readonly mounts: readonly GuestMount[];
  /** UUID of the root, if it has one. */
  readonly uuid: string | undefined;
  /** The mount point if the whole tree is mounted already; undefined if nothing is mounted. */
  readonly at: string | undefined;
  /** Encrypted disks that are left out because there is no key for them. */
  readonly closed: readonly ClosedDisk[];
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
    /** Keys of encrypted disks, by their names; undefined: these disks are not opened. */
    readonly keys?: Readonly<Record<string, KeyRef>>;
    /** The remedy if its /etc/fstab is not a regular file (default: mount only the root). */
    readonly withoutFstab?: string;
  },
): Promise<TreePlan> {
  const { name, path, mode: wanted = 'rw' } = of;
  const { guest, domain } = await configured(host, of);
  if (domain !== undefined)
    throw new RefusedError(
      `${name} exists as domain ${domain.id} (${stateWords[domain.state]}): two kernels that use one filesystem at the same time destroy it`,
      { remedy: `${offRemedy(domain, name)}; then run the command again` },
    );
  const { disks, root, entries, at, text, crypttab } = await readFstab(host, guest);
  if (text === undefined)
    throw new RefusedError(`/etc/fstab of ${name} is not a regular file, so its filesystems are not known`, {
      remedy: of.withoutFstab ?? `mount only its root filesystem: bofh mount add ${root.path}`,
    });
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
  const used = new Map<
    string,
    { readonly disk: HostDisk; readonly luks?: LuksAccess; readonly readOnly?: boolean }
  >();
  const closed: ClosedDisk[] = [];
  const unusedKeys = new Set(Object.keys(of.keys ?? {}));
  const others = await mountsInFstab(text, {
    ...{ file: `/etc/fstab of ${name}`, mode: wanted },
    deviceOf: async (line) => {
      const inside = await luksAccess(host, line, {
        ...{ guest, disks, root, crypttab, keys: of.keys, isMounted: at !== undefined },
      });
      if (inside === 'closed') return undefined;
      if (inside !== undefined && 'name' in inside) {
        closed.push(inside);
        return undefined;
      }
      if (inside?.asked !== undefined) unusedKeys.delete(inside.asked);
      const found = inside ?? { disk: diskOf(line, { guest, disks }) };
      if (found.disk !== undefined) used.set(found.disk.path, { ...found, disk: found.disk });
      return found.disk?.path;
    },
  }).catch((error: unknown) => {
    if (!(error instanceof ParseError)) throw error;
    throw new RefusedError(error.message, {
      cause: error,
      remedy: `mount only its root filesystem: bofh mount add ${root.path}; then correct the line`,
    });
  });
  refuseUnusedKeys(guest, [...unusedKeys]);
  for (const { device, path: target, mode = wanted, options = [] } of others) {
    const words = (options as readonly string[]).filter((option) => harmless.test(option));
    const { disk, luks, readOnly = false } = used.get(device) ?? {};
    mounts.push({
      ...{ device, target, mode: readOnly || disk?.access === 'ro' ? 'ro' : mode },
      type: luks === undefined ? typeOf(name, { path: device, content: disk?.content }) : '',
      options: [...new Set([...words, ...ofHost])],
      ...present({ luks }),
    });
  }
  if (at === undefined)
    for (const device of new Set(mounts.map((each) => each.device)))
      await refuseMounted(host, { name, device, entries, opened: used.get(device)?.disk.mapping?.path });
  else await refusePartly(host, { name, at, path, mounts, entries });
  return { mounts, at, uuid: root.content?.uuid, closed };
}

/** Reads the /etc/fstab of a guest that is off. Throws RefusedError for a root that bofh cannot mount. */
async function readFstab(host: ReadHost, guest: GuestConfig) {
  await refuseSecondary(host, guest);
  const disks = await hostDisks(host, guest);
  const root = rootOf(guest, disks);
  const entries = await mountsOf(host, disks);
  const at = entries.find(({ disk, root: top }) => disk === root.path && top === '/')?.path;
  // Checked first: a filesystem that is mounted elsewhere looks like one that needs a repair.
  if (at === undefined) await refuseMounted(host, { name: guest.name, device: root.path, entries });
  const { fstab: text, crypttab } =
    at === undefined ? await unmountedTables(host, root) : await mountedTables(host, at);
  return { disks, root, entries, at, text, crypttab };
}

/** The lines of a guest's /etc/fstab and /etc/crypttab that name one of its disks. */
export interface DiskLines {
  /** The root of the guest. */
  readonly root: { readonly device: string; readonly type: string; readonly uuid: string | undefined };
  /** Its fstab, one character per byte. */
  readonly text: string;
  readonly lines: readonly FstabLine[];
  /** Its crypttab, one character per byte, and the lines that open the disk. */
  readonly crypttab: { readonly text: string; readonly lines: readonly CrypttabLine[] };
  /** Why the lines are not known; missing: they are. */
  readonly unknown?: string;
}

/**
 * Finds the lines for a disk in the /etc/fstab and /etc/crypttab of a guest that is off, by UUID, label or name. Throws
 * RefusedError for a guest that is mounted here, and for a root that bofh cannot mount.
 */
export async function fstabOfDisk(
  host: ReadHost,
  { guest, disk }: { readonly guest: GuestConfig; readonly disk: string },
): Promise<DiskLines> {
  const { disks, root, at, text, crypttab } = await readFstab(host, guest);
  if (at !== undefined)
    throw new RefusedError(`${guest.name} is mounted on ${at}`, {
      code: 'in-use',
      remedy: `bofh vm unmount ${guest.name}; then run the command again`,
    });
  const { type = 'ext4', uuid } = root.content ?? {};
  const none = { text: crypttab ?? '', lines: [] };
  const known = { root: { device: root.path, type, uuid }, text: text ?? '', lines: [], crypttab: none };
  const file = `/etc/fstab of ${guest.name}`;
  if (text === undefined) return { ...known, unknown: `${file} is not a regular file` };
  const { lines, unread } = parseFstab(text);
  const [problem] = unread;
  if (problem !== undefined)
    return { ...known, unknown: `${file}: line ${problem.number} could not be parsed: ${problem.why}` };
  const tab = parseCrypttab(crypttab ?? '');
  const [odd] = tab.unread;
  if (crypttab === undefined || odd !== undefined)
    return {
      ...known,
      unknown: `/etc/crypttab of ${guest.name}${odd === undefined ? ' is not a regular file' : `: line ${odd.number} could not be parsed: ${odd.why}`}`,
    };
  const vdevsOf = (source: string) => disksNamed(source, disks).map(({ vdev }) => vdev);
  const opening = tab.lines.map((line) => ({ line, source: line.device, vdevs: vdevsOf(line.device) }));
  const named = lines.map((line) => {
    const inside = opening.filter(({ line: { name } }) => line.source === `/dev/mapper/${name}`);
    return {
      line,
      source: line.source,
      vdevs: [line.source, ...inside.map(({ source }) => source)].flatMap(vdevsOf),
    };
  });
  const ours = named.filter(({ vdevs }) => vdevs.includes(disk));
  const opens = opening.filter(({ vdevs }) => vdevs.includes(disk));
  const twice = [...ours, ...opens].find(({ vdevs }) => vdevs.length > 1);
  if (twice !== undefined)
    return { ...known, unknown: `${file}: ${twice.source} matches both ${twice.vdevs.join(' and ')}` };
  return {
    ...known,
    lines: ours.map(({ line }) => line),
    crypttab: { text: crypttab, lines: opens.map(({ line }) => line) },
  };
}

/** Mounts the tree; returns its root. */
export async function mountTree(tx: Tx, host: ReadHost, plan: TreePlan, path?: string): Promise<string> {
  let root: string | undefined;
  for (const { target, luks, ...mount } of plan.mounts) {
    const at = root === undefined ? path : await directoryBeneath(host, root, target);
    const { device, mode } = mount;
    const inside =
      luks === undefined
        ? {}
        : await insideLuks(host, await openLuks(tx, host, { device, mode, luks, root }));
    const made = await tx.mount.mount({ ...mount, ...inside, ...present({ path: at }) });
    root ??= made.path;
  }
  if (root === undefined) throw new TypeError('a tree was planned without a root');
  return root;
}

/** The filesystem in an open LUKS device. */
async function insideLuks(host: ReadHost, device: string) {
  return { device, type: typeOf('the guest', { path: device, content: await probe(host, device) }) };
}

/** Refuses a replicated disk that is secondary here: DRBD does not allow reads from it. */
async function refuseSecondary(host: ReadHost, { name, file }: GuestConfig): Promise<void> {
  const [first] = await secondaries(host, file);
  if (first !== undefined)
    throw new RefusedError(`the disk ${first} of ${name} is secondary on this host`, {
      remedy: `bofh drbd primary ${first}`,
    });
}

function rootOf(guest: GuestConfig, disks: readonly HostDisk[]): HostDisk {
  const disk = diskNamed(guest, 'root');
  const { vdev } = disk;
  const path = wordsOf(disk);
  const root = disks.find((each) => each.vdev === vdev);
  if (root === undefined)
    throw new RefusedError(
      `the root disk of ${guest.name}, ${vdev}, is ${path}, which is not a block device of this host`,
      {
        code: 'not-found',
        remedy: 'if it is a logical volume: bofh lvm activate VG/LV; a file: bofh block loop attach FILE',
      },
    );
  const { content } = root;
  if (content === undefined || !/^ext[234]$/.test(content.type) || content.ptType !== undefined)
    throw new RefusedError(
      `the root disk of ${guest.name}, ${path}, holds ${contentInWords(content)}: bofh mounts a guest only if its root disk is ext2, ext3 or ext4, without partitions or encryption`,
      { remedy: `see what is in it: bofh block tree ${path}; then mount that: bofh mount add DEVICE` },
    );
  return root;
}

/** The type from the content of the device, not from the guest's fstab. */
function typeOf(
  name: string,
  { path, content }: { readonly path: string; readonly content: HostDisk['content'] },
): string {
  const type = content?.type ?? '';
  if (kernelTypes.test(type)) return type;
  throw new RefusedError(
    `${path}, a disk of ${name}, holds ${contentInWords(content)}: bofh mounts only ext2, ext3, ext4, xfs, btrfs and vfat`,
    { remedy: `remove its line from the fstab of ${name}, or add noauto to it; then run the command again` },
  );
}

/** The disk that a line of the guest's fstab mounts; undefined if the guest works without it. */
function diskOf(
  line: FstabLine,
  { guest, disks }: { readonly guest: GuestConfig; readonly disks: readonly HostDisk[] },
): HostDisk | undefined {
  const { source, target, options } = line;
  const [disk, other] = disksNamed(source, disks);
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

function inFstab({ vdev, content }: HostDisk): string {
  return `${vdev}: ${contentInWords(content)}`;
}

/** The texts of the tables in a root, one character per byte; empty if there is none, undefined if it is not a regular file. */
interface Tables {
  readonly fstab: string | undefined;
  readonly crypttab: string | undefined;
}

async function unmountedTables(host: ReadHost, { path: device }: HostDisk): Promise<Tables> {
  const files = ['etc/fstab', 'etc/crypttab'];
  const { paths, texts } = await readRoot(host, { device, directories: ['etc'], files });
  const [fstab, crypttab] = files.map((path) => texts.get(path) ?? (paths.has(path) ? undefined : ''));
  return { fstab, crypttab };
}

async function mountedTables(host: ReadHost, root: string): Promise<Tables> {
  return {
    fstab: await mountedTable(host, root, 'fstab'),
    crypttab: await mountedTable(host, root, 'crypttab'),
  };
}

/** The text of a table in a mounted root, one character per byte; empty if there is none, undefined if it is not a regular file. */
export async function mountedTable(
  host: ReadHost,
  root: string,
  name: 'fstab' | 'crypttab',
): Promise<string | undefined> {
  const file = posix.join(await directoryBeneath(host, root, '/etc'), name);
  const stat = await host.stat(file);
  if (stat?.kind !== 'file') return stat === undefined ? '' : undefined;
  return Buffer.from(await host.readFile(file)).toString('latin1');
}

async function refuseMounted(
  host: ReadHost,
  of: {
    readonly name: string;
    readonly device: string;
    readonly entries: readonly DiskMount[];
    /** The mapping of the device, which is open and stays so. */
    readonly opened?: string | undefined;
  },
): Promise<void> {
  const { name, device, entries, opened = device } = of;
  const there = entries.find(({ disk }) => disk === device);
  if (there !== undefined)
    throw new RefusedError(`${device}, a disk of ${name}, is mounted on ${there.path}`, {
      code: 'in-use',
      remedy: `bofh vm unmount ${name}`,
    });
  await refuseUsers(host, opened);
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
