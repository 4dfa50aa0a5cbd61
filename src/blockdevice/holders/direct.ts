import { posix } from 'node:path';
import type { Holder } from '../../core/errors.ts';
import { describeMount } from './mounts.ts';
import { type Device, nodeNamed } from './device.ts';
import type { Facts } from './facts.ts';

/**
 * Returns the direct users that are not devices: mounts of bofh's mount namespace, swap, guests
 * and targets.
 */
export async function directly(
  facts: Facts,
  device: Device,
): Promise<{
  readonly mounts: readonly Holder[];
  readonly swaps: readonly Holder[];
  readonly guests: readonly Holder[];
  readonly targets: readonly Holder[];
}> {
  const [mounted, swap, domains, targets] = await Promise.all([
    mounts(facts, device),
    swaps(facts, device),
    guests(facts, device),
    facts.served(),
  ]);
  const serving = targets.filter(({ number }) => number === device.number).map(({ holder }) => holder);
  return { mounts: mounted, swaps: swap, guests: domains, targets: serving };
}

// btrfs shows its own number in mountinfo; its devices are in sysfs as long as it is mounted.
async function mounts(facts: Facts, { number, name }: Device): Promise<readonly Holder[]> {
  const [all, btrfs] = await Promise.all([facts.mounts(), facts.btrfs()]);
  const here = all.filter(({ device }) => device === number);
  const found: Holder[] = here.map((entry) => describeMount(entry));
  for (const [filesystem, devices] of btrfs)
    if (devices.includes(name))
      found.push({ kind: 'btrfs', filesystem, words: `part of the mounted btrfs ${filesystem}` });
  return found;
}

async function swaps(facts: Facts, { number, name }: Device): Promise<readonly Holder[]> {
  return (await facts.swaps()).flatMap(({ type, path: shown, stat }): readonly Holder[] => {
    // If the node in use was removed, only its name is left, and any other node ends the use.
    const former = stat?.node === undefined ? shown.replace(/ \(deleted\)$/, '') : shown;
    const same = stat?.node === undefined ? posix.basename(former) === name : stat.node === number;
    if (type !== 'partition' || !same) return [];
    const path = former === shown ? shown : nodeNamed(name);
    return [{ kind: 'swap', path, words: `in use as swap (${path})`, free: ['swapoff', path] }];
  });
}

async function guests(facts: Facts, { number }: Device): Promise<readonly Holder[]> {
  return (await facts.guestDisks())
    .filter(({ device }) => device === number)
    .map(({ domid }) => ({
      kind: 'guest',
      domid,
      words: `a disk of the guest with domid ${domid}`,
      free: ['xl', 'shutdown', '-w', String(domid)],
    }));
}
