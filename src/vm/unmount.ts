import {
  holders,
  inWords,
  type MountEntry,
  mountEntries,
  mountHolders,
  remedyFor,
} from '../blockdevice/index.ts';
import type { ReadHost } from '../command/index.ts';
import { type Holder, RefusedError } from '../core/errors.ts';
import { present } from '../core/present.ts';
import { isOf } from '../mount/index.ts';
import type { Site } from '../site.ts';
import { configured } from './configured.ts';
import { type HostDisk, hostDisks } from './host-disks.ts';

/** What must be unmounted and closed before a guest can start. */
export interface UnmountPlan {
  /** Every mount of a disk of the guest, in the order in which they can be unmounted. */
  readonly mounts: readonly DiskMount[];
  /** The LUKS devices on its disks that are open. */
  readonly open: readonly { readonly device: string; readonly name: string }[];
}

/** Finds the mounts and open LUKS devices on the disks of a guest. Throws RefusedError if one is in use. */
export async function planUnmount(
  host: ReadHost,
  of: { readonly site: Site; readonly name: string },
): Promise<UnmountPlan> {
  const { guest } = await configured(host, of);
  const all = await mountEntries(host);
  const disks = await hostDisks(host, guest);
  const found = await mountsOf(host, disks);
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
  const open = disks.flatMap(({ path: device, mapping }) =>
    mapping === undefined ? [] : [{ device, ...mapping }],
  );
  for (const { path } of open)
    held.push(
      ...(await holders(host, path)).filter((each) => !(each.kind === 'mount' && ids.has(each.mountId))),
    );
  if (held.length === 0) return { mounts: entries, open: open.map(({ device, name }) => ({ device, name })) };
  throw new RefusedError(`a disk of ${of.name} is in use: ${inWords(held)}`, {
    holders: held,
    ...present({ remedy: remedyFor(held) }),
  });
}

/** A mount on this host, with the path of its disk in the configuration. */
export type DiskMount = MountEntry & { readonly disk: string };

export async function mountsOf(host: ReadHost, disks: readonly HostDisk[]): Promise<readonly DiskMount[]> {
  const found = new Map<number, DiskMount>();
  for (const entry of await mountEntries(host))
    for (const { node, mapping, path: disk } of disks)
      for (const number of [node.number, mapping?.number ?? []].flat())
        if (await isOf(host, entry, number)) found.set(entry.id, { ...entry, disk });
  return [...found.values()];
}
