import { type FileStat, namesIn, orMissing, type ReadHost } from '../../command/index.ts';
import { ParseError } from '../../core/errors.ts';
import { onceIn } from '../one-look.ts';
import { type MountEntry, mountEntries, unescapeOctal } from '../mountinfo.ts';
import { kernelText, statIfVisible } from '../node.ts';
import { type DrbdStores, drbdStores } from './drbd-stores.ts';
import { type Export, exports, type Served, served } from './served.ts';
import { loopBacking } from '../commands.ts';

/** A loop device and its backing file. */
export interface LoopDevice {
  readonly name: string;
  /** The path of the backing file, when it was attached. */
  readonly file: string;
  /** The file, as far as it is known. */
  readonly stat: Pick<FileStat, 'kind' | 'device' | 'node'> | undefined;
}

/** A swap area that is in use. */
export interface SwapArea {
  readonly path: string;
  readonly type: 'partition' | 'file';
  readonly stat: FileStat | undefined;
}

/** A disk of a guest, from xen-blkback. */
export interface GuestDisk {
  readonly domid: number;
  /** `major:minor` */
  readonly device: string;
  /** Whether the guest may write to it. */
  readonly mode: 'ro' | 'rw';
}

/** The kernel's data about all devices; each list is read at most once, and only when needed. */
export interface Facts {
  readonly host: ReadHost;
  readonly mounts: () => Promise<readonly MountEntry[]>;
  /** Kernel names of the devices of each mounted btrfs, by its UUID. */
  readonly btrfs: () => Promise<ReadonlyMap<string, readonly string[]>>;
  readonly swaps: () => Promise<readonly SwapArea[]>;
  readonly loops: () => Promise<readonly LoopDevice[]>;
  readonly guestDisks: () => Promise<readonly GuestDisk[]>;
  readonly drbd: () => Promise<DrbdStores>;
  /** What the SCSI and NVMe targets of this host serve to others. */
  readonly served: () => Promise<readonly Served[]>;
  /** What its NFS server exports. */
  readonly exports: () => Promise<readonly Export[]>;
  /** Sockets with a path, in bofh's network namespace. */
  readonly sockets: () => Promise<readonly { readonly inode: number; readonly path: string }[]>;
}

/** Returns the facts of a host, which are read from now on. */
export function factsOf(host: ReadHost): Facts {
  return onceIn(host, 'facts', () => newFacts(host));
}

function newFacts(host: ReadHost): Facts {
  return {
    host,
    mounts: memo(() => mountEntries(host)),
    btrfs: memo(() => btrfs(host)),
    swaps: memo(() => swaps(host)),
    loops: memo(() => loops(host)),
    guestDisks: memo(() => guestDisks(host)),
    drbd: memo(() => drbdStores(host)),
    served: memo(() => served(host)),
    exports: memo(() => exports(host)),
    sockets: memo(() => sockets(host)),
  };
}

export function memo<T>(ask: () => Promise<T>): () => Promise<T> {
  let answer: Promise<T> | undefined;
  return () => (answer ??= ask());
}

async function btrfs(host: ReadHost): Promise<ReadonlyMap<string, readonly string[]>> {
  const ids = await namesIn(host, '/sys/fs/btrfs');
  const devices = ids.map(async (id) => [id, await namesIn(host, `/sys/fs/btrfs/${id}/devices`)] as const);
  return new Map(await Promise.all(devices));
}

const swapLine = /^(?<path>[^ \t]+)[ \t]+(?<type>partition|file)[ \t]+\d+[ \t]+\d+[ \t]+-?\d+$/;

async function swaps(host: ReadHost): Promise<readonly SwapArea[]> {
  const text = await kernelText(host, '/proc/swaps');
  // A kernel without swap has no such file.
  if (text === undefined) return [];
  const [head, ...lines] = text.split('\n');
  if (head?.startsWith('Filename') !== true) throw new ParseError('/proc/swaps has an unknown first line');
  const found: SwapArea[] = [];
  for (const line of lines) {
    const groups = swapLine.exec(line)?.groups;
    if (groups?.path === undefined) throw new ParseError(`/proc/swaps: cannot read the line "${line}"`);
    const path = unescapeOctal(groups.path);
    const type = groups.type === 'file' ? 'file' : 'partition';
    found.push({ path, type, stat: await statIfVisible(host, path) });
  }
  return found;
}

async function loops(host: ReadHost): Promise<readonly LoopDevice[]> {
  const names = (await namesIn(host, '/sys/block')).filter((name) => name.startsWith('loop'));
  const found = names.map(async (name): Promise<readonly LoopDevice[]> => {
    const file = await kernelText(host, `/sys/block/${name}/loop/backing_file`);
    if (file === undefined) return [];
    const isDeleted = file.endsWith(' (deleted)');
    return [{ name, file, stat: await (isDeleted ? deletedFile(host, name) : statIfVisible(host, file)) }];
  });
  return (await Promise.all(found)).flat();
}

/** A file without a name keeps its filesystem in use; undefined: only root may ask for it. */
async function deletedFile(host: ReadHost, loop: string): Promise<LoopDevice['stat']> {
  const backing = await orMissing(host.run(loopBacking(`/dev/${loop}`)));
  const [major, minor] = backing?.split(':') ?? [];
  return major === undefined || minor === undefined
    ? undefined
    : { kind: 'file', device: `${major}:${minor}` };
}

const backend = /^vbd-(?<domid>\d+)-\d+$/;
const hexNumber = /^(?<major>[0-9a-f]+):(?<minor>[0-9a-f]+)$/;

// xen-blkback opens a device without claiming it, so it is not in `holders`; physical_device is
// hex, fd:3.
async function guestDisks(host: ReadHost): Promise<readonly GuestDisk[]> {
  const devices = '/sys/bus/xen-backend/devices';
  const found = (await namesIn(host, devices)).map(async (name): Promise<readonly GuestDisk[]> => {
    const domid = backend.exec(name)?.groups?.domid;
    if (domid === undefined) return [];
    const [hex = '', how] = await Promise.all(
      ['physical_device', 'mode'].map((file) => kernelText(host, `${devices}/${name}/${file}`)),
    );
    const { major, minor } = hexNumber.exec(hex)?.groups ?? {};
    // Empty until the hotplug script has set it.
    if (major === undefined || minor === undefined) return [];
    const device = `${Number.parseInt(major, 16)}:${Number.parseInt(minor, 16)}`;
    // The mode with which it was attached: r, w or w!.
    return [{ domid: Number(domid), device, mode: how === 'r' ? 'ro' : 'rw' }];
  });
  return (await Promise.all(found)).flat();
}

const socketLine =
  /^[0-9a-f]+: [0-9A-F]{8} [0-9A-F]{8} [0-9A-F]{8} [0-9A-F]{4} [0-9A-F]{2} +(?<inode>\d+)(?: (?<path>.*))?$/;

async function sockets(
  host: ReadHost,
): Promise<readonly { readonly inode: number; readonly path: string }[]> {
  const text = await kernelText(host, '/proc/net/unix');
  if (text === undefined) return [];
  const [head, ...lines] = text.split('\n');
  if (head?.startsWith('Num ') !== true) throw new ParseError('/proc/net/unix has an unknown first line');
  const found: { readonly inode: number; readonly path: string }[] = [];
  for (const line of lines) {
    // A path with a newline continues in the next line, which is not a separate entry.
    const { inode, path } = socketLine.exec(line)?.groups ?? {};
    if (inode !== undefined && path?.startsWith('/') === true) found.push({ inode: Number(inode), path });
  }
  return found;
}
