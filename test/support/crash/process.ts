import type { Engine } from '../../../src/atomic/engine.ts';
import type { AnyOperation } from '../../../src/atomic/operation.ts';
import { memoryHost, memoryLocks, memoryProcesses, type Locks } from './host.ts';
import { memoryStore } from './store.ts';
import type { Thing, World } from './world.ts';

/** What can be told of a point in a process's life: `write` and `fdatasync` are the journal's. */
export type EventKind = 'effect' | 'sync' | 'write' | 'fdatasync' | 'names' | 'fsyncdir';

export interface Event {
  readonly n: number;
  readonly kind: EventKind;
  readonly label: string;
}

/** `before`: fails at once. `after`: acts, then fails. `nothing`: says that it worked, and did nothing. */
export type Fault = 'before' | 'after' | 'nothing';

export interface Plan {
  /** The process ends just before this event, or the first that fits. */
  readonly crashBefore?: number | ((event: Event) => boolean);
  readonly faults?: ReadonlyMap<number, Fault>;
  /** Faults by what is done. */
  readonly faulty?: (event: Event) => Fault | undefined;
  /** From this event on the disk has so many bytes left; without a ballast even its removal does not help. */
  readonly full?: { readonly at: number; readonly free: number; readonly ballast: 'helps' | 'does not help' };
  /** Called before each event: what another process does then. */
  readonly meanwhile?: (event: Event) => void;
}

/** A process of the toy host. */
export interface Process {
  readonly world: World;
  readonly machine: Machine;
  readonly pid: number;
  readonly events: readonly Event[];
  readonly engine: Engine;
  dead: boolean;
  /** Ends it here and now, as SIGKILL does. */
  kill(): void;
  /** One event: everything that a process does to the world goes through here. */
  readonly event: <T>(kind: EventKind, label: string, act: () => T) => T | undefined;
  /** What a program sees. Throws once the process is dead. */
  readonly see: (key: string) => Thing | undefined;
}

/** What lives beside the disks: who runs, and who holds which lock. A reboot makes a new one. */
export interface Machine {
  readonly processes: Map<number, Process>;
  readonly fileLocks: Locks;
  readonly objectLocks: Locks;
}

export function newMachine(): Machine {
  return { processes: new Map(), fileLocks: new Map(), objectLocks: new Map() };
}

/** Thrown into a process that has ended, so that its code unwinds without doing anything. */
class Dead extends Error {}

const ended = new Dead('the process has ended');

/** An injected failure. */
class Failure extends Error {}

/** A world changed by a process that loops for ever would never end the test. */
const mostEvents = 5_000;

export function spawn(
  world: World,
  machine: Machine,
  options: { readonly plan?: Plan; readonly find: (kind: string) => AnyOperation | undefined },
): Process {
  const plan = options.plan ?? {};
  const events: Event[] = [];
  const pid = (world.pids += 1);
  const process: Process = {
    world,
    machine,
    pid,
    events,
    dead: false,
    kill: () => {
      process.dead = true;
      for (const locks of [machine.fileLocks, machine.objectLocks]) dropLocks(locks, pid);
      machine.processes.delete(pid);
    },
    event: (kind, label, act) => {
      alive(process);
      const event = { n: events.length + 1, kind, label };
      events.push(event);
      plan.meanwhile?.(event);
      if (isNow(plan.crashBefore, event) || event.n > mostEvents) process.kill();
      alive(process);
      if (plan.full !== undefined) fill(world, plan.full, event.n);
      return faulty(plan.faults?.get(event.n) ?? plan.faulty?.(event), label, act);
    },
    see: (key) => {
      alive(process);
      return world.disk.get(key) ?? world.boot.get(key);
    },
    get engine() {
      return engine;
    },
  };
  machine.processes.set(pid, process);
  const host = memoryHost(process);
  const engine: Engine = {
    host,
    flock: host.flock,
    store: memoryStore(process),
    locks: memoryLocks(process),
    processes: memoryProcesses(process),
    who: { user: 'root', argv: ['toy'], bofh: '0' },
    currentNames: (_host, undo) => Promise.resolve(undo),
    find: (kind) => Promise.resolve(options.find(kind)),
    on: (path) => {
      const over = process.see(path)?.over;
      const beneath = [...world.disk].flatMap(([key, { uid }]) => (uid === over ? [key] : []));
      return Promise.resolve({ key: path, beneath });
    },
  };
  return process;
}

export function alive(process: Process): void {
  if (process.dead) throw ended;
}

function isNow(point: Plan['crashBefore'], event: Event): boolean {
  return typeof point === 'function' ? point(event) : point === event.n;
}

function faulty<T>(fault: Fault | undefined, label: string, act: () => T): T | undefined {
  if (fault === 'before') throw failure(label);
  const value = fault === 'nothing' ? undefined : act();
  if (fault === 'after') throw failure(label);
  return value;
}

function failure(label: string): Failure {
  return Object.assign(new Failure(`injected: ${label}`), { code: 'EIO' });
}

function fill(world: World, full: NonNullable<Plan['full']>, n: number): void {
  if (n === full.at) world.files.free = full.free;
  if (n > full.at && full.ballast === 'does not help') world.files.free = 0;
}

function dropLocks(locks: Locks, pid: number): void {
  for (const [key, holders] of locks)
    locks.set(
      key,
      holders.filter((holder) => holder.pid !== pid),
    );
}
