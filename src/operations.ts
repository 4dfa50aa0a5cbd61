import type { AnyOperation, Operation, Steps, Temporary } from './atomic/index.ts';

/**
 * Every driver's operations, loaded when the first sequence starts. Each kind starts with the name
 * of its driver.
 */
const drivers = {
  // Filling a device asks lvm for the free space beneath it, so it is in a module of its own.
  block: async () => ({
    ...(await import('./blockdevice/operations.ts')),
    ...(await import('./erase/operations.ts')),
  }),
  lvm: () => import('./lvm/operations.ts'),
  filesystem: () => import('./filesystem/operations.ts'),
  file: () => import('./file/operations.ts'),
  mount: () => import('./mount/operations.ts'),
  copy: () => import('./copy/operations.ts'),
  crypt: () => import('./crypt/operations.ts'),
  btrfs: () => import('./btrfs/operations.ts'),
  drbd: () => import('./drbd/operations.ts'),
  xen: () => import('./xen/operations.ts'),
} as const;

type Drivers = { readonly [D in keyof typeof drivers]: Awaited<ReturnType<(typeof drivers)[D]>> };

/** The operations of a module as methods: `{ createLv(args): Promise<Value> }`. */
export type Methods<M> = {
  readonly [K in keyof M as M[K] extends AnyOperation ? K : never]: M[K] extends Operation<infer A, infer V>
    ? (args: A) => Promise<V>
    : never;
};

/** Every operation as a method of its driver. */
export type OperationMethods = { readonly [D in keyof Drivers]: Methods<Drivers[D]> };

/** Every operation as a temporary step, whose value can be released. */
export type TemporaryMethods<T> = {
  readonly [D in keyof Drivers]: {
    readonly [K in keyof Methods<Drivers[D]>]: Methods<Drivers[D]>[K] extends (
      args: infer A,
    ) => Promise<infer V>
      ? (args: A) => Promise<V & T>
      : never;
  };
};

/**
 * The handle of an open sequence, passed to the body of `atomic()`: every operation of every
 * driver, and the functions of the engine.
 */
export interface Tx extends OperationMethods {
  readonly signal: AbortSignal;
  readonly planning: boolean;
  /** Temporary steps: undone at the end of the sequence at the latest. */
  readonly temporary: TemporaryMethods<Temporary>;
  readonly effect: Steps['effect'];
  /** Calls a function whose inverse is known in advance. */
  readonly call: Steps['call'];
  /**
   * Locks objects for the sequence before any step works on them: `tx.reserve({ changes:
   * ['drbd:web1'] })`.
   */
  readonly reserve: Steps['reserve'];
  /**
   * Runs a savepoint: if it fails, its own steps are undone and its error is thrown; if it
   * succeeds, its steps join the sequence.
   */
  scope<T>(name: string, body: (tx: Tx) => T | Promise<T>): Promise<T>;
  /**
   * Returns the handle for another host: one of `hosts` in the site file, or any that ssh knows; an
   * empty name is the host that bofh runs on. The steps on all hosts are one sequence and are
   * undone together.
   */
  on(host: string): Tx;
}

/** Loads every driver's operations. */
export async function loadOperations(): Promise<Drivers> {
  const names = Object.keys(drivers) as (keyof Drivers)[];
  const loaded = await Promise.all(names.map(async (name) => [name, await drivers[name]()] as const));
  return Object.fromEntries(loaded) as unknown as Drivers;
}

/**
 * Returns methods that pass each operation of each driver to `step` or `temporary`. The only place
 * with types bound by hand.
 */
export function bindOperations(
  loaded: Drivers,
  call: {
    readonly step: (code: AnyOperation, args: never) => Promise<unknown>;
    readonly temporary: (code: AnyOperation, args: never) => Promise<unknown>;
  },
): OperationMethods & Pick<Tx, 'temporary'> {
  const bind = (how: (code: AnyOperation, args: never) => Promise<unknown>) =>
    Object.fromEntries(
      Object.entries(loaded).map(([driver, module]) => [
        driver,
        Object.fromEntries(
          Object.entries(module)
            .filter((entry): entry is [string, AnyOperation] => isOperation(entry[1]))
            .map(([name, code]) => [name, (args: never) => how(code, args)]),
        ),
      ]),
    );
  return { ...bind(call.step), temporary: bind(call.temporary) } as OperationMethods & Pick<Tx, 'temporary'>;
}

/** Returns the operation of a journalled kind and version, for recovery; undefined if unknown. */
export async function findOperation(kind: string, version: number): Promise<AnyOperation | undefined> {
  const driver = kind.split('.')[0] ?? '';
  if (!isDriver(driver)) return undefined;
  const module = await drivers[driver]();
  return Object.values(module)
    .filter(isOperation)
    .find((code) => code.kind === kind && code.version === version);
}

/** Returns every operation of every driver. */
export async function allOperations(): Promise<readonly AnyOperation[]> {
  return Object.values(await loadOperations()).flatMap((module) => Object.values(module).filter(isOperation));
}

function isDriver(name: string): name is keyof typeof drivers {
  return Object.hasOwn(drivers, name);
}

function isOperation(value: unknown): value is AnyOperation {
  return (
    typeof value === 'object' && value !== null && 'kind' in value && 'prepare' in value && 'version' in value
  );
}
