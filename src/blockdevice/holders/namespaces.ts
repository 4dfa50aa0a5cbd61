import { type ReadHost, nameOf } from '../../command/index.ts';
import { CommandError, type Holder } from '../../core/errors.ts';
import { type MountEntry, parseMountinfo } from '../mountinfo.ts';
import type { MountHolder } from './mounts.ts';
import { commandOf } from './processes.ts';
import type { Scan } from './scan.ts';
import { present } from '../../core/present.ts';

/** The mounts in another mount namespace, as one of its processes sees them. */
export interface OtherNamespace {
  /** The inode of /proc/PID/ns/mnt. */
  readonly inode: number;
  readonly pid: number;
  readonly command: string;
  readonly mounts: readonly MountEntry[];
  readonly peers: Peers;
}

/**
 * The peer groups of each mount: those that it shares, or from which it receives changes (proc(5):
 * shared:X, master:X).
 */
type Peers = ReadonlyMap<number, { readonly shared?: string; readonly master?: string }>;

export interface OtherMounts {
  readonly namespaces: readonly OtherNamespace[];
  /** Namespaces that could not be examined. */
  readonly unseen: readonly Holder[];
}

/** Returns every mount namespace that has a process of the scan, except bofh's own. */
export async function otherNamespaces(host: ReadHost, { uses }: Scan): Promise<OtherMounts> {
  const own = /^mnt:\[(?<inode>\d+)\]$/.exec(await host.readLink('/proc/self/ns/mnt'))?.groups?.inode;
  const byNamespace = new Map<number, number[]>();
  for (const { how, inode, pid } of uses)
    if (how === 'ns/mnt' && String(inode) !== own)
      byNamespace.set(inode, [...(byNamespace.get(inode) ?? []), pid]);
  const namespaces: OtherNamespace[] = [];
  const unseen: Holder[] = [];
  for (const [inode, pids] of byNamespace) {
    const seen = await lookInto(host, pids);
    if (typeof seen === 'object') namespaces.push({ inode, ...seen });
    else if (seen === 'denied')
      unseen.push({
        kind: 'unknown',
        words: `could not examine the mount namespace of process ${String(pids[0])}`,
      });
  }
  return { namespaces, unseen };
}

/**
 * Reads the mounts of a namespace. `gone`: all of its processes have ended, and so has the
 * namespace.
 */
async function lookInto(
  host: ReadHost,
  pids: readonly number[],
): Promise<Omit<OtherNamespace, 'inode'> | 'gone' | 'denied'> {
  let why: 'gone' | 'denied' = 'gone';
  for (const pid of pids.toSorted((a, b) => a - b)) {
    const command = await commandOf(host, pid);
    if (command === undefined) continue;
    try {
      const text = nameOf(await host.readFile(`/proc/${pid}/mountinfo`));
      // A zombie is not in a namespace: its file is empty.
      if (text !== '') return { pid, command, mounts: parseMountinfo(text), peers: peersOf(text) };
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      if (error.reason === 'denied') why = 'denied';
    }
  }
  return why;
}

const optional = /^(?<id>\d+) (?:[^ ]+ ){5}(?<fields>(?:(?!- )[^ ]+ )*)- /;

/** Returns the peer groups in the text of a mountinfo file that `parseMountinfo` has parsed. */
export function peersOf(text: string): Peers {
  const peers = new Map<number, { readonly shared?: string; readonly master?: string }>();
  for (const line of text.split('\n')) {
    const { id, fields = '' } = optional.exec(line)?.groups ?? {};
    const { shared } = /(?:^| )shared:(?<shared>\d+)/.exec(fields)?.groups ?? {};
    const { master } = /(?:^| )master:(?<master>\d+)/.exec(fields)?.groups ?? {};
    const group = { ...present({ shared, master }) };
    if (id !== undefined) peers.set(Number(id), group);
  }
  return peers;
}

/**
 * Returns the mounts of a filesystem in the other namespaces, newest first. Leaves out those that
 * follow one of bofh's own, because an unmount here unmounts them too (mount_namespaces(7)).
 */
export function mountsElsewhere(
  { namespaces }: OtherMounts,
  here: {
    readonly numbers: ReadonlySet<string>;
    readonly ours: readonly MountEntry[];
    readonly ourPeers: Peers;
  },
): readonly MountHolder[] {
  const { numbers, ours, ourPeers } = here;
  return namespaces.flatMap(({ pid, command, mounts, peers }) => {
    const follows = ({ path, parent }: MountEntry): boolean => {
      const { shared, master } = peers.get(parent) ?? {};
      return ours.some((mine) => {
        const group = ourPeers.get(mine.parent)?.shared;
        return (
          numbers.has(mine.device) &&
          mine.path === path &&
          group !== undefined &&
          [shared, master].includes(group)
        );
      });
    };
    return mounts
      .filter((entry) => numbers.has(entry.device) && !follows(entry))
      .toReversed()
      .map(
        ({ path, id }): MountHolder => ({
          kind: 'mount',
          path,
          mountId: id,
          namespaceOf: { pid, command },
          words: `mounted on ${path} in the mount namespace of process ${pid} (${command})`,
          free: ['nsenter', '-t', String(pid), '-m', '-r', 'umount', path],
        }),
      );
  });
}
