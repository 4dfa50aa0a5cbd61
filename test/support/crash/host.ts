import type { ChangeHost, LocalHost } from '../../../src/command/index.ts';
import { type LockTable, modes } from '../../../src/atomic/locks/lock.ts';
import type { Processes } from '../../../src/atomic/locks/processes.ts';
import { alive, type Process } from './process.ts';
import { fileOf, openFiles } from './store.ts';

interface Lock {
  readonly pid: number;
  /** The open file or the sequence that holds it. */
  readonly by: unknown;
  readonly mode: 'shared' | 'exclusive';
}

/** Object or inode → who has it locked. */
export type Locks = Map<string, readonly Lock[]>;

/** Takes every lock or none; returns the index of the first that another process has. */
function lockAll(
  locks: Locks,
  pid: number,
  wanted: readonly { readonly key: string; readonly by: unknown; readonly mode: 'shared' | 'exclusive' }[],
): number | undefined {
  const refused = wanted.findIndex(({ key, by, mode }) =>
    (locks.get(key) ?? []).some(
      (held) => held.by !== by && (mode === 'exclusive' || held.mode === 'exclusive'),
    ),
  );
  if (refused >= 0) return refused;
  for (const { key, by, mode } of wanted) {
    const others = (locks.get(key) ?? []).filter((held) => held.by !== by);
    locks.set(key, [...others, { pid, by, mode }]);
  }
  return undefined;
}

export function unlock(locks: Locks, by: unknown): void {
  for (const [key, held] of locks)
    locks.set(
      key,
      held.filter((each) => each.by !== by),
    );
}

export function memoryHost(process: Process): LocalHost {
  const refuse = (): never => {
    throw new Error('toy operations use the world, not the host');
  };
  const read = {
    name: '',
    run: refuse,
    readFile: refuse,
    readDir: refuse,
    readLink: refuse,
    stat: refuse,
    facts: () => {
      alive(process);
      return Promise.resolve({ boot: `boot-${process.world.bootId}`, hostname: 'toy' });
    },
  };
  const change: ChangeHost = {
    ...read,
    pipe: refuse,
    writeNew: refuse,
    link: refuse,
    rename: refuse,
    removeFile: refuse,
    makeDir: refuse,
    removeDir: refuse,
    sync: () => Promise.resolve(),
  };
  return {
    ...read,
    during: () => change,
    flock: async (wanted) => {
      // A program is started for it: others may come first.
      await Promise.resolve();
      alive(process);
      const files = wanted.map(({ fd, mode }) => {
        const file = fileOf(process, fd);
        return { key: file.inode, by: file, mode };
      });
      return lockAll(process.machine.fileLocks, process.pid, files);
    },
  };
}

export function memoryLocks(process: Process): LockTable {
  return {
    open: () => {
      const by = Symbol('sequence');
      const has = (key: string, mode: 'exclusive' | 'shared'): boolean =>
        (process.machine.objectLocks.get(key) ?? []).some(
          (held) => held.by === by && (held.mode === 'exclusive' || held.mode === mode),
        );
      return {
        holds: (claims) => modes(claims).every(([key, mode]) => has(key, mode)),
        take: (claims) => {
          alive(process);
          const wanted = modes(claims)
            .filter(([key, mode]) => mode === 'exclusive' || !has(key, 'exclusive'))
            .map(([key, mode]) => ({ key, by, mode }));
          const refused = lockAll(process.machine.objectLocks, process.pid, wanted);
          return Promise.resolve(refused === undefined ? undefined : wanted[refused]?.key);
        },
        lost: () => undefined,
        release: () => unlock(process.machine.objectLocks, by),
      };
    },
  };
}

export function memoryProcesses(process: Process): Processes {
  const { machine, world } = process;
  const boot = (): string => `boot-${world.bootId}`;
  return {
    self: { pid: process.pid, started: process.pid, boot: boot() },
    alive: (owner, inode) => {
      const other = machine.processes.get(owner.pid);
      return (
        owner.boot === boot() && other !== undefined && openFiles(other).some((file) => file.inode === inode)
      );
    },
    holders: () => (inode) =>
      [...machine.processes.values()]
        .filter((other) => other !== process && openFiles(other).some((file) => file.inode === inode))
        .map(({ pid }) => ({ pid, command: 'toy', safe: false })),
    end: () => undefined,
  };
}
