import type { AnyOperation, Operation, Steps, Temporary } from './atomic/index.ts';

/** Every driver's operations, loaded when the first sequence begins. The name of a driver begins its kinds. */
const drivers = {
  // What fills a device asks lvm whether there is room beneath it, and so has a room of its own.
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

/** The same, each for a while: the value can be released. */
export type TemporaryMethods<T> = {
  readonly [D in keyof Drivers]: {
    readonly [K in keyof Methods<Drivers[D]>]: Methods<Drivers[D]>[K] extends (
      args: infer A,
    ) => Promise<infer V>
      ? (args: A) => Promise<V & T>
      : never;
  };
};

/** What the body of `atomic()` works with: every operation of every driver, and what the engine offers. */
export interface Tx extends OperationMethods {
  readonly signal: AbortSignal;
  readonly planning: boolean;
  /** Things needed for a while only: released at the end at the latest. */
  readonly temporary: TemporaryMethods<Temporary>;
  readonly effect: Steps['effect'];
  /** Calls a function whose inverse is known before. */
  readonly call: Steps['call'];
  /** Has objects for the sequence from now on, before any step works on them: `tx.reserve({ changes: ['drbd:web1'] })`. */
  readonly reserve: Steps['reserve'];
  /** A savepoint: its failure undoes its own steps and is thrown; its success joins the sequence. */
  scope<T>(name: string, body: (tx: Tx) => T | Promise<T>): Promise<T>;
  /**
   * The same on another host: one of `hosts` in the site file, or any that ssh knows; empty: the one that bofh runs on. All of it
   * is one sequence: what is done on either host is undone with the rest.
   */
  on(host: string): Tx;
}

/** Loads every driver's operations. */
export async function loadOperations(): Promise<Drivers> {
  const names = Object.keys(drivers) as (keyof Drivers)[];
  const loaded = await Promise.all(names.map(async (name) => [name, await drivers[name]()] as const));
  return Object.fromEntries(loaded) as unknown as Drivers;
}

/** Methods that hand each operation of each driver to `step`, or to `temporary`. The one place where types are bound by hand. */
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

/** The code of a journalled kind and version: what recovery looks up. */
export async function findOperation(kind: string, version: number): Promise<AnyOperation | undefined> {
  const driver = kind.split('.')[0] ?? '';
  if (!isDriver(driver)) return undefined;
  const module = await drivers[driver]();
  return Object.values(module)
    .filter(isOperation)
    .find((code) => code.kind === kind && code.version === version);
}

/** Every kind that there is. */
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
