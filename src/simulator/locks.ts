import { type LockTable, modes } from '../atomic/locks/lock.ts';
import type { Processes } from '../atomic/locks/processes.ts';
import { checkAlive } from './faults/faults.ts';
import { simulatedHost, type SimulatedHost } from './host.ts';

/**
 * Object locks in memory. All processes of the simulated host share them, and a killed process
 * loses its locks.
 */
export function memoryLocks(host: SimulatedHost = simulatedHost()): LockTable {
  const { world, process } = host;
  return {
    open: () => {
      const owner = {};
      return {
        holds: (claims) =>
          modes(claims).every(([key, mode]) => {
            const held = world.objectLocks.get(key)?.get(owner)?.mode;
            return held === 'exclusive' || held === mode;
          }),
        take: async (claims) => {
          checkAlive(process);
          const sorted = modes(claims);
          const refused = sorted.find(([key, mode]) =>
            [...(world.objectLocks.get(key) ?? [])].some(
              ([other, held]) => other !== owner && (mode === 'exclusive' || held.mode === 'exclusive'),
            ),
          );
          if (refused !== undefined) return refused[0];
          for (const [key, mode] of sorted) {
            const holders =
              world.objectLocks.get(key) ?? new Map<object, { pid: number; mode: 'shared' | 'exclusive' }>();
            const stronger = holders.get(owner)?.mode === 'exclusive' ? 'exclusive' : mode;
            world.objectLocks.set(key, holders.set(owner, { pid: process.pid, mode: stronger }));
          }
          return undefined;
        },
        lost: () => undefined,
        release: () => {
          for (const holders of world.objectLocks.values()) holders.delete(owner);
        },
      };
    },
  };
}

/**
 * Returns the processes of the simulated host, and the programs that still run after their bofh
 * process has ended.
 */
export function memoryProcesses(host: SimulatedHost = simulatedHost()): Processes {
  const { world, process } = host;
  const inodeOfLock = (fd: number): string | undefined =>
    world.flocks.find((lock) => lock.fd === fd)?.inode ??
    world.processes.find(({ open }) => open.has(fd))?.open.get(fd);
  return {
    self: { pid: process.pid, started: process.started, boot: world.boot },
    alive: (owner, inode) =>
      owner.boot === world.boot &&
      world.processes.some(
        ({ pid, started, alive, open }) =>
          alive && pid === owner.pid && started === owner.started && [...open.values()].includes(inode),
      ),
    holders: () => (inode, outputs) => {
      const living = world.processes.filter(
        (other) => other !== process && other.alive && [...other.open.values()].includes(inode),
      );
      const orphans = world.orphans.filter(
        (orphan) => inodeOfLock(orphan.lock) === inode || orphan.outputs === outputs,
      );
      return [
        ...living.map(({ pid }) => ({ pid, command: 'bofh', safe: false })),
        ...orphans.map(({ pid, command, safe }) => ({ pid, command, safe })),
      ];
    },
    end: (pid) => {
      const orphan = world.orphans.find((each) => each.pid === pid);
      world.orphans = world.orphans.filter((each) => each.pid !== pid);
      if (orphan !== undefined) world.flocks = world.flocks.filter(({ fd }) => fd !== orphan.lock);
    },
  };
}
