import type { ReadHost } from '../../command/index.ts';
import { newFaults } from '../faults/faults.ts';
import { hostOf, type SimulatedHost } from '../host.ts';
import { pageIn } from './overlay.ts';
import { release } from '../tools/lvm/vg-change.ts';
import { emptyTree } from '../world/tree.ts';
import { bareWorld, type Overlay } from '../world/world.ts';

import { backendsOf, lvmOf, mappingsOf, minors, mountsOf, swapsOf, xenOf } from './facts.ts';

/**
 * Returns a simulated host over a real one: it reads from the real host what it needs to know, and
 * makes changes only in memory. So a plan sees the same as the real run, and shows its commands.
 */
export async function simulate(real: ReadHost): Promise<SimulatedHost> {
  const { boot, hostname } = await real.facts();
  const [lvm, xen] = [await lvmOf(real), await xenOf(real)];
  const open = await mappingsOf(real);
  const mounts = await mountsOf(real);
  const missing = new Set<'lvm' | 'xen'>();
  if (lvm === undefined) missing.add('lvm');
  if (xen === undefined) missing.add('xen');
  const overlay: Overlay = {
    ...{
      real,
      imported: new Map(),
      absent: new Set(),
      replicas: new Set(),
      listed: new Set(),
      listings: new Map(),
      streams: new Map(),
      tagged: new Map(),
      headers: new Map(),
      missing,
    },
    btrfs: new Map(),
    uncovered: new Set(),
    mounted: new Set(mounts.map(({ device }) => device)),
    volumes: lvm?.volumes ?? new Map<string, never>(),
    backends: await backendsOf(real),
    mappings: new Map(open.map(({ number, name, size, lower }) => [number, { name, size, lower }])),
    ...{ devices: new Map(), homes: new Map(), loopsAreKnown: false, loops: [] },
  };
  const udev = (await real.stat('/run/udev/control')) === undefined ? 'absent' : 'running';
  const guests = xen?.domains ?? [];
  // The model assumes 1 GiB for dom0, whatever it has, because only the free memory matters.
  const memoryMiB = (xen?.freeMiB ?? 0) + 1024 + guests.reduce((sum, guest) => sum + guest.memoryMiB, 0);
  const world = bareWorld({
    seed: boot,
    hostname,
    boot,
    udev,
    memoryMiB,
    overlay,
    ...(await minors(real)),
  });
  world.lvm = [...(lvm?.groups ?? [])];
  for (const [uuid, { number }] of overlay.volumes) world.active.set(uuid, Number(number.split(':')[1]));
  world.mappings = [...open];
  for (const pv of lvm?.free ?? []) release(world, pv);
  // A volume that is not active cannot be read.
  for (const { uuid } of world.lvm.flatMap(({ lvs }) => lvs))
    if (!overlay.volumes.has(uuid)) world.live.set(`lv:${uuid}`, { unread: true });
  // A new file gets an inode number that no file of the real host has.
  world.live.set('overlay', { tree: { ...emptyTree(), next: 2 ** 48 } });
  world.mounts = mounts;
  world.swaps = [...(await swapsOf(real))];
  world.domains = [...guests];
  world.nextDomid = Math.max(0, ...guests.map(({ domid }) => domid)) + 1;
  // The journal of a plan is in memory, in the real directories as far as they exist.
  await pageIn(world, '/var/lib/bofh/journal/history', 'stat');
  return hostOf({ world, faults: newFaults(), changes: [] });
}
