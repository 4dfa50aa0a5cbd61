import type { Holder } from '../../core/errors.ts';
import type { MountEntry } from '../mountinfo.ts';
import { deviceNode } from '../node.ts';
import { built, loopsOver, loopsWithin, partitions, type Upper } from './above.ts';
import { type Device, deviceByNumber } from './device.ts';
import { type Facts, factsOf } from './facts.ts';
import { follow, type ReadHost } from '../../command/index.ts';

/** A device with everything on it. */
export interface Node {
  readonly device: Device;
  /** Its mounts in bofh's mount namespace. */
  readonly mounts: readonly MountEntry[];
  /**
   * Its number, and those that its mounted filesystem shows instead (btrfs has its own numbers).
   */
  readonly numbers: ReadonlySet<string>;
  readonly above: readonly {
    /** Undefined for a partition, which is a part of the device and not a user. */
    readonly holder: Holder | undefined;
    readonly label: string;
    readonly node: Node;
  }[];
}

/** A device on top of another one, as `uppersOf` finds it. */
export interface Over {
  /** Undefined for a partition, which is a part of the device and not a user. */
  readonly holder: Holder | undefined;
  readonly device: Device;
}

/**
 * Returns the direct users of a device: its mounts, and the devices over it, also through
 * filesystems with backing files of loop devices.
 */
export async function uppersOf(
  facts: Facts,
  device: Device,
): Promise<Pick<Node, 'mounts' | 'numbers'> & { readonly over: readonly Over[] }> {
  const mounts = await mountsOf(facts, device);
  const numbers = await numbersOf(facts, [device.number], mounts);
  const over: Over[] = (await partitions(facts, device)).map((part) => ({ holder: undefined, device: part }));
  const uppers = [
    ...(await builtWithResources(facts, device)),
    ...(await loopsOver(facts, device)),
    ...(await within(facts, numbers)),
  ];
  for (const { holder, device: find } of uppers) over.push({ holder, device: await find() });
  return { mounts, numbers, over };
}

/** Returns the devices over a device, and those over them, up to the top. */
export async function treeOver(
  facts: Facts,
  device: Device,
  seen: ReadonlySet<string> = new Set(),
): Promise<Node> {
  const { mounts, numbers, over } = await uppersOf(facts, device);
  const below = new Set([...seen, device.number]);
  const above: Node['above'][number][] = [];
  for (const { holder, device: upper } of over) {
    // A loop device over a file on itself is impossible, but a wrong answer must not cause an
    // endless loop.
    if (below.has(upper.number)) continue;
    const label = holder === undefined ? `its partition ${upper.name}` : labelOf(holder, upper);
    above.push({ holder, label, node: await treeOver(facts, upper, below) });
  }
  return { device, mounts, numbers, above };
}

async function builtWithResources(facts: Facts, device: Device): Promise<readonly Upper[]> {
  const all = await built(facts, device);
  const resources = await drbdOver(facts, device);
  // Without the tool of DRBD only the kernel's name is known.
  return resources.length === 0 ? all : [...all.filter(({ holder }) => holder.kind !== 'drbd'), ...resources];
}

/** Returns every number in a tree. */
export function allNumbers({ numbers, above }: Node): readonly string[] {
  return [...new Set([...numbers, ...above.flatMap(({ node }) => allNumbers(node))])];
}

/**
 * Returns the device numbers of the files in these mounts: a subvolume of btrfs has a number that
 * is not in mountinfo.
 */
export async function numbersOf(
  { host }: Facts,
  numbers: readonly string[],
  mounts: readonly MountEntry[],
): Promise<ReadonlySet<string>> {
  const all = new Set([...numbers, ...mounts.map(({ device }) => device)]);
  for (const { type, path } of mounts) {
    const shown = type === 'btrfs' ? (await host.stat(path))?.device : undefined;
    if (shown !== undefined) all.add(shown);
  }
  return all;
}

/** Returns loop devices over files of the filesystems with these numbers. */
export async function within(facts: Facts, numbers: ReadonlySet<string>): Promise<readonly Upper[]> {
  const found: Upper[] = [];
  for (const number of numbers) found.push(...(await loopsWithin(facts, number)));
  return found;
}

/** Returns the mounts of the filesystem on a device, in the mount namespace of bofh. */
export async function mountsOn(host: ReadHost, device: string): Promise<readonly MountEntry[]> {
  const { number } = await deviceNode(host, device);
  return mountsOf(factsOf(host), await deviceByNumber(host, number));
}

async function mountsOf(facts: Facts, { number, name }: Device): Promise<readonly MountEntry[]> {
  const all = await facts.mounts();
  const isBtrfs = [...(await facts.btrfs()).values()].some((devices) => devices.includes(name));
  const found: MountEntry[] = [];
  for (const entry of all) {
    const same =
      entry.device === number || (isBtrfs && entry.type === 'btrfs' && (await shows(facts, entry, name)));
    if (same) found.push(entry);
  }
  return found;
}

/**
 * Whether a mounted btrfs is the one with this device. The source of the mount is one of its
 * devices.
 */
async function shows(facts: Facts, { source }: MountEntry, name: string): Promise<boolean> {
  const node = (await facts.host.stat(source))?.node;
  if (node === undefined) return false;
  const own = (await facts.host.readLink(`/sys/dev/block/${node}`)).split('/').at(-1) ?? '';
  return [...(await facts.btrfs()).values()].some(
    (devices) => devices.includes(own) && devices.includes(name),
  );
}

function labelOf(holder: Holder, { name }: Device): string {
  return holder.kind === 'mapping' ? `/dev/mapper/${holder.name}` : `/dev/${name}`;
}

/**
 * Returns the DRBD devices over a device, with their resources. The kernel lists such a device
 * among the holders (seen on Linux 6.1), but only a resource can be brought down, and only the tool
 * of DRBD knows its name.
 */
async function drbdOver(facts: Facts, { number }: Device): Promise<readonly Upper[]> {
  const { host } = facts;
  const found: Upper[] = [];
  for (const { resource, minor, path } of (await facts.drbd()).backings) {
    if ((await follow(host, path)).stat?.node !== number) continue;
    const device = `/dev/drbd${minor}`;
    const words = `the DRBD resource ${resource} stores ${device} on it`;
    found.push({
      holder: { kind: 'drbd', device, resource, words, free: ['drbdsetup', 'down', resource] },
      device: () => deviceByNumber(host, `147:${minor}`),
    });
  }
  return found;
}
