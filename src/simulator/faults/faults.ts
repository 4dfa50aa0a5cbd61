import { type Command, tools } from '../../command/index.ts';
import { UsageError } from '../../core/errors.ts';
import { kindOf } from './steps.ts';
import type { Running } from '../run.ts';
import type { SimulatedProcess, World } from '../world/world.ts';

/** How an access fails. */
export type FaultMode =
  /** The access fails, and changes nothing. */
  | 'fails before'
  /** The access takes effect, and fails. */
  | 'acts then fails'
  /** A program completes its work and dies by a signal. */
  | 'acts then killed'
  /** A program changes nothing, and reports success. */
  | 'no effect, exit 0'
  /** A program completes its work, and prints output that cannot be parsed. */
  | 'garbage answer'
  /** A program hangs until `host.letGo()`. A read, or a `stop: 'safe'` change with a time limit, fails with a timeout at once. */
  | 'hangs'
  /** The process of bofh is killed before the access. */
  | 'crash here'
  /** The process of bofh is killed after the access. */
  | 'acts then crash'
  /** The disk is full. */
  | 'no space'
  /** Only the first bytes of a write to the journal are written, as on a disk that becomes full. */
  | 'short write';

const modes: readonly FaultMode[] = [
  ...(['fails before', 'acts then fails', 'acts then killed', 'no effect, exit 0'] as const),
  ...(['garbage answer', 'hangs', 'crash here', 'acts then crash', 'no space', 'short write'] as const),
];

const ofPrograms: ReadonlySet<FaultMode> = new Set([
  ...(['acts then killed', 'no effect, exit 0', 'garbage answer', 'hangs'] as const),
]);

const keys: ReadonlySet<string> = new Set([
  ...['tool', 'step', 'argvIncludes', 'access', 'nth', 'times', 'mode', 'exitCode', 'stderr'],
]);

/** UsageError for a fault that could never occur, or would occur elsewhere. */
function checkFault(fault: Fault): void {
  const unknown = Object.keys(fault).find((key) => !keys.has(key));
  if (unknown !== undefined) throw new UsageError(`fault: there is no option "${unknown}"`);
  const { mode, nth = 1, times = 1, step, tool } = fault;
  if (!modes.includes(mode)) throw new UsageError(`fault: mode: must be one of ${modes.join('; ')}`);
  if (!Number.isInteger(nth) || nth < 1) throw new UsageError(`fault: nth: must be a whole number from 1`);
  if (!(times >= 1)) throw new UsageError('fault: times: must be 1 or more');
  if (step !== undefined) kindOf(step);
  if (tool !== undefined && tool !== 'file' && tool !== 'store' && !Object.hasOwn(tools, tool))
    throw new UsageError(`fault: tool: bofh runs no program "${tool}"`);
  if ((tool === 'file' || tool === 'store') && ofPrograms.has(mode))
    throw new UsageError(`fault: mode: "${mode}" can happen to a program only, not to a ${tool}`);
}

/** The access that fails, and how it fails. */
export interface Fault {
  /** A program; `file` for the accesses to files, `store` for those to the journal. Default: any program or file. */
  readonly tool?: Command<unknown>['tool'] | 'file' | 'store';
  /**
   * The step that makes the access, by its method, `lvm.createLv`, or its kind, `lvm.lv.create`
   * (default: every step, and the undo).
   */
  readonly step?: string;
  /** Text that one of its arguments contains (default: any). */
  readonly argvIncludes?: string;
  /** Whether reads or changes count (default: `change`). */
  readonly access?: 'read' | 'change';
  /** Number of the first matching access that fails, counted from 1 (default: 1). */
  readonly nth?: number;
  /** Number of matching accesses that fail, one after the other (default: 1). */
  readonly times?: number;
  /**
   * What happens. Any access: `fails before`, `acts then fails`, `crash here`, `acts then crash` (the process
   * of bofh is killed), `no space`. Only a program: `acts then killed`, `no effect, exit 0`,
   * `garbage answer`, `hangs` (until `host.letGo()`). Only a write to the journal: `short write`.
   */
  readonly mode: FaultMode;
  /** Exit code of a program that fails (default: 1). */
  readonly exitCode?: number;
  /** What a program that fails prints to stderr. */
  readonly stderr?: string;
}

/** An access, as faults and `points` see it. */
export interface Access {
  readonly tool: string;
  readonly argv: readonly string[];
  readonly access: 'read' | 'change';
  /** Text that a program reads from stdin; never a key. */
  readonly stdin?: string;
}

interface Armed {
  readonly fault: Fault;
  seen: number;
}

/** The added faults, and every access that a fault could have hit. */
export interface Faults {
  readonly add: (fault: Fault) => void;
  readonly clear: () => void;
  /** The next accesses belong to a step of this kind; undefined: to no step. */
  readonly enter: (step: string | undefined) => void;
  /** Calls this function at each access; its fault applies if no added fault does. */
  readonly decide: (decider: (access: Access) => Fault | undefined) => void;
  /** Counts the access for each fault; returns the first fault that applies. */
  readonly at: (access: Access) => Fault | undefined;
  /** Every change so far, in order. */
  readonly points: readonly Access[];
  /** Calls the listener just before each access (reads too), with the fault that applies. Returns a function that removes the listener. */
  readonly watch: (listener: (access: Access, fault: Fault | undefined) => void) => () => void;
}

export function newFaults(): Faults {
  const armed: Armed[] = [];
  let step: string | undefined;
  const deciders: ((access: Access) => Fault | undefined)[] = [];
  const points: Access[] = [];
  const watching = new Set<(access: Access, fault: Fault | undefined) => void>();
  return {
    points,
    watch: (listener) => {
      watching.add(listener);
      return () => void watching.delete(listener);
    },
    add: (fault) => {
      checkFault(fault);
      armed.push({ fault, seen: 0 });
    },
    enter: (kind) => void (step = kind),
    clear: () => {
      armed.splice(0);
      deciders.splice(0);
    },
    decide: (decider) => void deciders.push(decider),
    at: (access) => {
      if (access.access === 'change') points.push(access);
      let hit: Fault | undefined;
      for (const each of armed) {
        if (!matches(each.fault, access, step)) continue;
        each.seen += 1;
        const first = each.fault.nth ?? 1;
        if (each.seen >= first && each.seen < first + (each.fault.times ?? 1)) hit ??= each.fault;
      }
      for (const decider of deciders) {
        const decided = decider(access);
        hit ??= decided;
      }
      for (const listener of watching) listener(access, hit);
      return hit;
    },
  };
}

function matches(fault: Fault, { tool, argv, access }: Access, step: string | undefined): boolean {
  if (fault.step !== undefined && kindOf(fault.step) !== step) return false;
  if (fault.tool === undefined ? tool === 'store' : fault.tool !== tool) return false;
  if ((fault.access ?? 'change') !== access) return false;
  const part = fault.argvIncludes;
  return part === undefined || argv.some((word) => word.includes(part));
}

/**
 * Thrown by every access of a killed process. `atomic()` of that process then throws StuckError, whose
 * `cause` has this error in its `errors`. The journal stays, for `recover()` after `host.restart()`.
 * Before the first step `atomic()` throws the ProcessKilled itself.
 */
export class ProcessKilled extends Error {
  constructor() {
    super('the simulated process was killed');
    this.name = 'ProcessKilled';
  }
}

/** Starts a new process of bofh on this host. */
export function newProcess(world: World): SimulatedProcess {
  const pid = world.nextPid;
  world.nextPid += 1;
  const process: SimulatedProcess = {
    pid,
    started: pid * 100,
    alive: true,
    open: new Map(),
    onDeath: new Set(),
  };
  world.processes.push(process);
  return process;
}

/** SIGKILL: releases the locks of the process, except those that a program it started still holds. */
export function killProcess(world: World, process: SimulatedProcess): void {
  if (!process.alive) return;
  process.alive = false;
  for (const react of process.onDeath) react();
  const kept = new Set(world.orphans.map(({ lock }) => lock));
  world.flocks = world.flocks.filter(({ fd }) => !process.open.has(fd) || kept.has(fd));
  for (const holders of world.objectLocks.values())
    for (const [owner, { pid }] of holders) if (pid === process.pid) holders.delete(owner);
}

export function checkAlive(process: SimulatedProcess): void {
  if (!process.alive) throw new ProcessKilled();
}

/** Kills the process. Returns the error that its access ends with. */
export function crash({ world, process }: Pick<Running, 'world' | 'process'>): ProcessKilled {
  killProcess(world, process);
  return new ProcessKilled();
}

/** Makes one change to a file or to the journal. A fault can kill the process or fail the change here. */
export function actWithFault<T>(
  at: Pick<Running, 'world' | 'process' | 'faults'>,
  of: {
    readonly tool: 'file' | 'store';
    readonly argv: readonly string[];
    readonly act: () => T;
    /** Writes only the first bytes. */
    readonly part?: () => T;
    readonly error: (code: 'EIO' | 'ENOSPC') => Error;
  },
): T {
  const { tool, argv, act, part, error } = of;
  const fault = at.faults.at({ tool, argv, access: 'change' });
  switch (fault?.mode) {
    case undefined:
      return act();
    case 'crash here':
      throw crash(at);
    case 'acts then crash':
      act();
      throw crash(at);
    case 'fails before':
      throw error('EIO');
    case 'acts then fails':
      act();
      throw error('EIO');
    case 'no space':
      throw error('ENOSPC');
    case 'short write':
    case 'acts then killed':
    case 'no effect, exit 0':
    case 'garbage answer':
    case 'hangs':
      if (fault.mode === 'short write' && part !== undefined) return part();
      throw new UsageError(
        `an access to ${tool === 'store' ? 'the journal' : 'a file'} cannot have the fault "${fault.mode}"`,
      );
  }
}
