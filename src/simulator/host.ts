import type { LocalHost } from '../command/index.ts';
import { type Admin, admin } from './administrator/index.ts';
import { archive, type TarEnd, type TarMember } from './world/archive.ts';
import { type Access, type Fault, type Faults, killProcess, newFaults, newProcess } from './faults/faults.ts';
import { type Keep, powerCut, reboot } from './faults/power-cut.ts';
import { type Running } from './run.ts';
import { type Rewrite, snapshot } from './world/snapshot.ts';
import { demoWorld } from './world/start.ts';
import type { Change, SimulatedProcess, World, WorldOptions } from './world/world.ts';

import { changeHost, flock, readsOf } from './world/accesses.ts';
/** A host that is all in memory, as one process of bofh sees it. Drivers run on it as on a real one. */
export interface SimulatedHost extends LocalHost {
  readonly world: World;
  readonly process: SimulatedProcess;
  readonly faults: Faults;
  /** Every change that was asked for, in order, also those that failed. */
  readonly changes: readonly Change[];
  /** Every change and write to the journal so far: where a process can be killed. */
  readonly points: readonly Access[];
  /** Acts of an administrator on this host. */
  readonly admin: Admin;
  fault(fault: Fault): void;
  clearFaults(): void;
  /** Lets every program that hangs come to its end. */
  letGo(): void;
  /** The whole state as text, to compare; without what stands under `/var/lib/bofh` and `/run/bofh/locks`. */
  snapshot(rewrite?: Rewrite): string;
  /** Writes a file that the simulated tar reads as an archive of these members. */
  addTar(path: string, members: readonly TarMember[], end?: TarEnd): void;
  /** SIGKILL. */
  kill(): void;
  /** A new process of bofh, after `kill` or beside this one. */
  restart(): SimulatedHost;
  /** Everything is written, then the host boots again. */
  reboot(): SimulatedHost;
  /** Unsynced writes are lost, or kept (default: `{ keep: 'none' }`); then the host boots again. */
  powerCut(options?: { readonly keep: Keep }): SimulatedHost;
}

/** Returns a simulated Xen host (default: a volume group `vg0` of 8 GiB on its own disk). */
export function simulatedHost(options: WorldOptions = {}): SimulatedHost {
  return hostOf({ world: demoWorld(options), faults: newFaults(), changes: [] });
}

interface Shared {
  readonly world: World;
  readonly faults: Faults;
  readonly changes: Change[];
}

/** A new process on a world. */
export function hostOf(shared: Shared): SimulatedHost {
  const { world, faults, changes } = shared;
  const process = newProcess(world);
  const running: Running = { world, process, faults };
  const reads = readsOf(running);
  const boots = (act: () => void): SimulatedHost => {
    for (const each of world.processes) killProcess(world, each);
    act();
    return hostOf(shared);
  };
  return {
    ...reads,
    world,
    process,
    faults,
    changes,
    points: faults.points,
    admin: admin(world),
    during: (step) => changeHost({ ...running, changes }, reads, step),
    flock: (wanted) => flock(running, wanted),
    fault: faults.add,
    clearFaults: faults.clear,
    letGo: () => {
      for (const { finish } of world.orphans) finish();
    },
    snapshot: (rewrite) => snapshot(world, rewrite),
    addTar: (path, members, end = 'whole') => admin(world).writeFile(path, archive(members, end)),
    kill: () => killProcess(world, process),
    restart: () => hostOf(shared),
    reboot: () => boots(() => reboot(world)),
    powerCut: ({ keep } = { keep: 'none' }) => boots(() => powerCut(world, keep)),
  };
}
