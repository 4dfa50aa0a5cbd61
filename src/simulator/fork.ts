import { newFaults } from './faults/faults.ts';
import { hostOf, type SimulatedHost } from './host.ts';
import type { Content } from './world/parts.ts';
import { shareTrees } from './world/virtual.ts';
import { copyContent, type World } from './world/world.ts';

/**
 * Copies a host in its current state, for a new process of bofh. Later changes of one do not affect
 * the other. The copy has no faults, and no processes of this host. Throws TypeError if a program
 * still runs, if a process has a file open, and for a host over a real one.
 */
export function fork({ world }: SimulatedHost): SimulatedHost {
  if (world.overlay !== undefined) throw new TypeError('a host over a real one cannot be copied');
  if (world.orphans.length > 0) throw new TypeError('a program still runs on this host');
  if (world.processes.some(({ alive, open }) => alive && open.size > 0))
    throw new TypeError('a process of this host has a file open');
  const copy = copyWorld(world);
  shareTrees(world, copy);
  return hostOf({ world: copy, faults: newFaults(), changes: [] });
}

function copyWorld(world: World): World {
  const { drbd } = world;
  return {
    ...world,
    ids: world.ids.copy(),
    live: copyContents(world.live),
    durable: copyContents(world.durable),
    lvm: world.lvm.map((vg) => ({ ...vg, lvs: vg.lvs.map((lv) => ({ ...lv })) })),
    active: new Map(world.active),
    mappings: world.mappings.map((mapping) => ({ ...mapping })),
    drbd: {
      ...drbd,
      resources: drbd.resources.map((resource) => ({
        ...resource,
        volumes: resource.volumes.map((volume) => ({ ...volume })),
      })),
    },
    packages: { ...world.packages },
    partitions: new Map(world.partitions),
    loops: new Map(world.loops),
    loopNodes: new Set(world.loopNodes),
    held: new Map(world.held),
    swaps: [...world.swaps],
    domains: world.domains.map((domain) => ({ ...domain })),
    units: new Map(world.units),
    parameters: new Map(world.parameters),
    modules: new Map(world.modules),
    scripts: new Map(world.scripts),
    processes: [],
    flocks: [],
    objectLocks: new Map(),
    orphans: [],
  };
}

function copyContents(all: ReadonlyMap<string, Content>): Map<string, Content> {
  return new Map([...all].map(([storage, content]) => [storage, copyContent(content)]));
}
