import { type ReadHost, nameOf } from '../../command/index.ts';
import { CommandError, type Holder, ParseError, ToolError } from '../../core/errors.ts';
import { listedGuest } from './commands.ts';
import type { MountEntry } from '../mountinfo.ts';
import { deviceNode } from '../node.ts';
import { directly } from './direct.ts';
import { type Device, deviceByNumber } from './device.ts';
import { type Facts, factsOf } from './facts.ts';
import { onFilesystem, type Through } from './filesystem.ts';
import { describeMount } from './mounts.ts';
import { mountsElsewhere, otherNamespaces, type OtherMounts, peersOf } from './namespaces.ts';
import { unseenOf } from './processes.ts';
import { processUses, type Scan } from './scan.ts';
import { allNumbers, type Node, numbersOf, treeOver, within } from './tree.ts';
import { withUnit } from './units.ts';
import { isWithin } from '../path.ts';

/**
 * Returns every holder that prevents the removal of a device, in the order in which to end them:
 * the devices on it and their users, processes, mounts also of other mount namespaces, swap, guests
 * by name, targets and NFS exports; and what could not be examined. Looks at every process, so call
 * it only after a failure.
 */
export async function holdersEverywhere(host: ReadHost, device: string): Promise<readonly Holder[]> {
  const facts = factsOf(host);
  const tree = await treeOver(facts, await deviceByNumber(host, (await deviceNode(host, device)).number));
  const view = await viewOf(facts, allNumbers(tree));
  return distinct([...(await assemble(view, tree)), ...view.unseen]);
}

/**
 * Returns every holder that prevents the unmount of one mount: the mounts in it, and the users of
 * its files.
 */
export async function mountHoldersEverywhere(host: ReadHost, mount: MountEntry): Promise<readonly Holder[]> {
  const facts = factsOf(host);
  const numbers = await numbersOf(facts, [], [mount]);
  const isAlone = await isMountedOnce(facts, mount);
  const loops: { readonly holder: Holder; readonly node: Node }[] = [];
  for (const { holder, device, file } of await within(facts, numbers))
    if (isAlone || isWithin(file ?? mount.path, mount.path))
      loops.push({ holder, node: await treeOver(facts, await device()) });
  const others = loops.flatMap(({ node }) => allNumbers(node));
  const view = await (isAlone
    ? viewOf(facts, [...numbers, ...others])
    : viewOf(facts, others, { numbers: [...numbers], path: mount.path }));
  const found: Holder[] = [];
  for (const { holder, node } of loops) found.push(...(await assemble(view, node)), holder);
  found.push(
    ...(await onFilesystem(view, {
      numbers,
      mounts: [mount],
      only: isAlone ? undefined : through(view, mount),
    })),
  );
  return distinct([...found, ...view.unseen]);
}

/**
 * Removes duplicates: a holder can be found in two ways, such as a mount in a mount.
 */
function distinct(holders: readonly Holder[]): readonly Holder[] {
  const keyOf = (holder: Holder): string =>
    [holder.kind, ...('mountId' in holder ? [holder.mountId] : []), ...(holder.free ?? [holder.words])].join(
      ' ',
    );
  const byKey = new Map<string, Holder>();
  for (const holder of holders) if (!byKey.has(keyOf(holder))) byKey.set(keyOf(holder), holder);
  return [...byKey.values()];
}

/** Whether the filesystem has only one mount, so that all its users use this mount. */
async function isMountedOnce(facts: Facts, { device, id }: MountEntry): Promise<boolean> {
  return !(await facts.mounts()).some((entry) => entry.device === device && entry.id !== id);
}

function through({ others }: View, { id, device, root, path }: MountEntry): Through {
  const copies = others.namespaces.map(({ inode, mounts }) => ({
    inode,
    ids: mounts
      .filter((entry) => entry.device === device && entry.root === root && entry.path === path)
      .map((entry) => entry.id),
  }));
  return {
    path,
    ids: new Set([id, ...copies.flatMap(({ ids }) => ids)]),
    unrelated: new Set(copies.filter(({ ids }) => ids.length === 0).map(({ inode }) => inode)),
  };
}

/** All known facts about the processes. */
interface View {
  readonly facts: Facts;
  readonly scan: Scan;
  readonly others: OtherMounts;
  readonly ourPeers: ReturnType<typeof peersOf>;
  readonly unseen: readonly Holder[];
}

async function viewOf(
  facts: Facts,
  numbers: readonly string[],
  below?: Parameters<typeof processUses>[1],
): Promise<View> {
  const { host } = facts;
  const scan = await host.run(processUses(numbers, below));
  const others = await otherNamespaces(host, scan);
  const ourPeers = peersOf(nameOf(await host.readFile('/proc/self/mountinfo')));
  const { failure } = await facts.drbd();
  const drbd: readonly Holder[] = failure === undefined ? [] : [{ kind: 'unknown', words: failure }];
  return { facts, scan, others, ourPeers, unseen: [...unseenOf(scan), ...others.unseen, ...drbd] };
}

async function assemble(view: View, node: Node): Promise<readonly Holder[]> {
  const { device, above, mounts, numbers } = node;
  const found: Holder[] = [];
  for (const { holder, label, node: upper } of above) {
    for (const each of await assemble(view, upper)) found.push({ ...each, words: `${label}: ${each.words}` });
    if (holder !== undefined) found.push(holder);
  }
  found.push(...(await onFilesystem(view, { numbers, mounts, node: device.number })));
  return [...found, ...(await ownOf(view, device, mounts))];
}

/**
 * Returns holders of the device other than processes and devices: mounts, in all namespaces, swap,
 * guests and targets.
 */
async function ownOf(view: View, device: Device, mounts: readonly MountEntry[]): Promise<readonly Holder[]> {
  const { facts, others, ourPeers } = view;
  const direct = await directly(facts, device);
  const numbers = new Set([device.number, ...mounts.map((entry) => entry.device)]);
  const elsewhere = mountsElsewhere(others, { numbers, ours: await facts.mounts(), ourPeers });
  const here: Holder[] = [];
  for (const entry of mounts.toReversed())
    here.push(await withUnit(facts.host, describeMount(entry), await facts.mounts()));
  const incomplete = mounts.length > 0 ? [] : direct.mounts.filter(({ kind }) => kind === 'btrfs');
  const guests: Holder[] = [];
  for (const guest of direct.guests) guests.push(await named(facts.host, guest));
  return [...elsewhere, ...here, ...incomplete, ...direct.swaps, ...guests, ...direct.targets];
}

/** Adds the name of a guest to its disk, and the command that ends the guest, if xl lists it. */
async function named(host: ReadHost, holder: Holder): Promise<Holder> {
  if (holder.kind !== 'guest') return holder;
  const { domid } = holder;
  const unnamed = `a disk of the guest with domid ${domid}, whose name xl does not show`;
  try {
    const { name, state } = (await host.run(listedGuest(domid))) ?? {};
    // Without a name it may be half-built, because another xl is creating it.
    if (name === undefined || state === undefined) return { ...holder, words: unnamed };
    const free = ['xl', ...ending[state], String(domid)];
    return { ...holder, name, words: `a disk of the guest ${name} (domid ${domid})`, free };
  } catch (error) {
    if (![CommandError, ToolError, ParseError].some((kind) => error instanceof kind)) throw error;
    return { ...holder, words: unnamed };
  }
}

/**
 * A paused guest cannot shut down, and a guest that has ended keeps its disks until it is
 * destroyed.
 */
const ending = {
  running: ['shutdown', '-w'],
  other: ['shutdown', '-w'],
  paused: ['unpause'],
  ended: ['destroy'],
} as const;
