import type { Holder } from '../../errors.ts';
import type { MountEntry } from '../mountinfo.ts';
import { built, loopsOver, loopsWithin, partitions, type Upper } from './above.ts';
import { drbdOver } from './drbd.ts';
import type { Device } from './device.ts';
import type { Facts } from './facts.ts';

/** A device with everything that lies on it. */
export interface Node {
  readonly device: Device;
  /** Its mounts in our mount namespace. */
  readonly mounts: readonly MountEntry[];
  /** Its number, and those that its mounted filesystem shows instead (btrfs has some of its own). */
  readonly numbers: ReadonlySet<string>;
  readonly above: readonly {
    /** Undefined for a partition, which is a part and no user. */
    readonly holder: Holder | undefined;
    readonly label: string;
    readonly node: Node;
  }[];
}

/** The devices over a device, through filesystems that carry loop files too. */
export async function treeOver(
  facts: Facts,
  device: Device,
  seen: ReadonlySet<string> = new Set(),
): Promise<Node> {
  const mounts = await mountsOf(facts, device);
  const numbers = await numbersOf(facts, [device.number], mounts);
  const below = new Set([...seen, device.number]);
  const above: Node['above'][number][] = [];
  for (const part of await partitions(facts, device))
    above.push({
      holder: undefined,
      label: `its partition ${part.name}`,
      node: await treeOver(facts, part, below),
    });
  const uppers = [
    ...(await builtWithResources(facts, device)),
    ...(await loopsOver(facts, device)),
    ...(await within(facts, numbers)),
  ];
  for (const { holder, device: find } of uppers) {
    const upper = await find();
    // A loop device over a file of what lies on it cannot be, but a wrong answer must not go round for ever.
    if (!below.has(upper.number))
      above.push({ holder, label: labelOf(holder, upper), node: await treeOver(facts, upper, below) });
  }
  return { device, mounts, numbers, above };
}

async function builtWithResources(facts: Facts, device: Device): Promise<readonly Upper[]> {
  const all = await built(facts, device);
  const resources = await drbdOver(facts, device);
  // Without its tool the kernel's word must do.
  return resources.length === 0 ? all : [...all.filter(({ holder }) => holder.kind !== 'drbd'), ...resources];
}

/** Every number in a tree. */
export function allNumbers({ numbers, above }: Node): readonly string[] {
  return [...new Set([...numbers, ...above.flatMap(({ node }) => allNumbers(node))])];
}

/** What the files of these mounts show as their device: a subvolume of btrfs has a number that mountinfo does not. */
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

/** Loop devices over files of the filesystems with these numbers. */
export async function within(facts: Facts, numbers: ReadonlySet<string>): Promise<readonly Upper[]> {
  const found: Upper[] = [];
  for (const number of numbers) found.push(...(await loopsWithin(facts, number)));
  return found;
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

/** Is a mounted btrfs the one with this device? Its source is one of its devices. */
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
