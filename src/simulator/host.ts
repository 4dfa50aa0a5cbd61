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
/** A host in memory, as one process of bofh sees it. Drivers run on it as on a real host. */
export interface SimulatedHost extends LocalHost {
  readonly world: World;
  readonly process: SimulatedProcess;
  readonly faults: Faults;
  /**
   * Every change of the host so far, in order, including failed ones, except writes to the journal.
   */
  readonly changes: readonly Change[];
  /**
   * Every change so far, in order: programs, file operations (`tool: 'file'`) and writes to the journal
   * (`tool: 'store'`), each with its arguments.
   */
  readonly points: readonly Access[];
  /** Acts of an administrator on this host, without bofh. */
  readonly admin: Admin;
  /** Makes an access fail: the next one that matches, or the `nth` of them. */
  fault(fault: Fault): void;
  /** Removes all faults. */
  clearFaults(): void;
  /** Lets every program that hangs (`fault` with `hangs`) complete its work. */
  letGo(): void;
  /**
   * Returns the whole state as text, to be compared, without the content of `/var/lib/bofh` and
   * `/run/bofh/locks`.
   */
  snapshot(rewrite?: Rewrite): string;
  /** Writes a file that the simulated tar reads as an archive of these members. */
  addTar(path: string, members: readonly TarMember[], end?: TarEnd): void;
  /** Kills the process of bofh, as SIGKILL does. */
  kill(): void;
  /**
   * Returns the host for another process of bofh: after `kill`, after a crash, or at the same time
   * as this one.
   */
  restart(): SimulatedHost;
  /** Writes everything to the disks and reboots the host; returns it for a new process of bofh. */
  reboot(): SimulatedHost;
  /** Cuts the power and reboots the host; returns it for a new process of bofh. */
  powerCut(options?: {
    /**
     * Which unsynced writes are on the disks afterwards: `none`, `all`, or `{ seed }`, a random part of
     * them (default: `none`).
     */
    readonly keep: Keep;
  }): SimulatedHost;
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

/** Returns a host for a new process of bofh on a world. */
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
