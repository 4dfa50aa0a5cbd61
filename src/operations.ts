import { ensure, type Ensurable, type EnsureArgs, type Ensured } from './atomic/ensure.ts';
import type { AnyOperation, Engine, Operation, Steps, Temporary } from './atomic/index.ts';
import type { ReadHost } from './command/index.ts';
import { RefusedError, UsageError } from './core/errors.ts';
import { nameMethod, stepName } from './core/option.ts';

/**
 * Every driver's operations, loaded when a sequence starts that may use them. Each kind starts with the name
 * of its driver. An editor shows the docstring of the operation for the method of `tx`.
 */
const drivers = {
  /** Disks, partitions, loop devices and image files, and the content of any block device. */
  // Filling a device reads the free space below it from lvm, so it is in a module of its own.
  block: async () => ({
    ...(await import('./blockdevice/operations.ts')),
    ...(await import('./erase/operations.ts')),
  }),
  /** Logical volumes, volume groups, physical volumes, thin pools and snapshots. */
  lvm: () => import('./lvm/operations.ts'),
  /** Filesystems and swap on a device. */
  filesystem: () => import('./filesystem/operations.ts'),
  /** Files, directories and symbolic links, such as configuration. */
  file: () => import('./file/operations.ts'),
  /** Packages of Debian. */
  packages: () => import('./packages/operations.ts'),
  /** Users and groups of /etc/passwd and /etc/group. */
  account: () => import('./account/operations.ts'),
  /** Mounts, and the lines of /etc/fstab and /etc/crypttab. */
  mount: () => import('./mount/operations.ts'),
  /** Units of systemd: enabled, running, restarted. */
  service: () => import('./service/operations.ts'),
  /** Scripts that bring their own undo. */
  shell: () => import('./shell/operations.ts'),
  /** Parameters of the running kernel. */
  kernel: () => import('./kernel/operations.ts'),
  /** Fills a new root filesystem. */
  copy: () => import('./copy/operations.ts'),
  /** LUKS: encrypted devices, their keys and mappings. */
  crypt: () => import('./crypt/operations.ts'),
  /** Subvolumes, snapshots, devices, quotas and maintenance of a mounted btrfs. */
  btrfs: () => import('./btrfs/operations.ts'),
  /** DRBD on one host: configuration, metadata, connection and role of a resource. */
  drbd: () => import('./drbd/operations.ts'),
  /** Running guests of Xen: start, shut down, change. */
  xen: () => import('./xen/operations.ts'),
} as const;

/** The create methods of `tx.ensure`, with what each compares with an existing object. */
const existing = {
  /** Image files and loop devices. */
  block: () => import('./blockdevice/existing.ts'),
  /** Logical volumes and thin pools. */
  lvm: () => import('./lvm/existing.ts'),
  /** Filesystems and swap. */
  filesystem: () => import('./filesystem/existing.ts'),
  /** Files and directories. */
  file: () => import('./file/existing.ts'),
  /** Mounts, and the lines of /etc/fstab and /etc/crypttab. */
  mount: () => import('./mount/existing.ts'),
  /** Encrypted devices. */
  crypt: () => import('./crypt/existing.ts'),
  /** Subvolumes of a btrfs. */
  btrfs: () => import('./btrfs/existing.ts'),
  /** Configurations of DRBD resources. */
  drbd: () => import('./drbd/existing.ts'),
  /** Running guests. */
  xen: () => import('./xen/existing.ts'),
} as const;

type Existing = { readonly [D in keyof typeof existing]: Awaited<ReturnType<(typeof existing)[D]>> };

/** `ensure`: a create method that does nothing if the object exists exactly as requested. */
export type EnsureMethods = {
  readonly [D in keyof Existing]: {
    readonly [K in keyof Existing[D]]: Existing[D][K] extends Ensurable<infer A, infer V>
      ? (args: EnsureArgs<A>) => Promise<Ensured<V>>
      : never;
  };
};

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
  /**
   * Aborted when the sequence must stop: after a signal, or by `signal` or `timeout` of `atomic()`. Pass it
   * to calls that take long.
   */
  readonly signal: AbortSignal;
  /** True in a dry run: steps are planned and not run. */
  readonly planning: boolean;
  /** Temporary steps: undone at the end of the sequence at the latest. */
  readonly temporary: TemporaryMethods<Temporary>;
  /**
   * Create methods that do nothing if the object exists exactly as asked. They throw DiffersError if it
   * exists and differs. They overwrite nothing; the undo removes only objects that this sequence created.
   */
  readonly ensure: EnsureMethods;
  /**
   * Runs an operation of your own. Register it in the site file (`defineSite({ operations })`), because
   * recovery after a crash must find it.
   */
  readonly step: Steps['step'];
  /**
   * Runs a pair of functions, if bofh has no operation for it. `inverse` undoes it, and is also called,
   * without a result, if `forward` failed: it must find out the current state itself. Code cannot be
   * journalled, so after a crash `bofh recover` only reports the pair. Without `claims` bofh does not know
   * the objects of the pair, so it undoes no older step before this one.
   */
  readonly effect: Steps['effect'];
  /**
   * Calls a function that has an inverse, with which it is undone. The inverse is that of `withReverse(f,
   * inverse)` of `bofh/atomic`, or else the one that the option `reverse` of `atomic()` returns for the
   * function. If there is neither, throws UsageError without calling the function.
   */
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
  scope<T>(name: string, body: (tx: this) => T | Promise<T>): Promise<T>;
  /**
   * Returns the handle for another host: one of `hosts` in the site file, or any host that ssh knows; an
   * empty name is the host that bofh runs on. The steps on all hosts are one sequence and are undone
   * together.
   */
  on(host: string): this;
}

/** The name of a driver: `lvm`. */
export type DriverName = keyof typeof drivers;

export const driverNames = Object.keys(drivers) as readonly DriverName[];

/** Loads the operations of these drivers (default: of all). */
export function loadOperations<N extends DriverName = DriverName>(
  names: readonly N[] = driverNames as readonly N[],
): Promise<Pick<Drivers, N>> {
  return oneByOne(async () => {
    const loaded = await loadSome(drivers, names);
    for (const driver of names)
      for (const [name, code] of Object.entries(loaded[driver]))
        if (isOperation(code)) nameMethod(code.kind, `${driver}.${name}`);
    return loaded;
  });
}

/** Loads what `ensure` compares, for these drivers (default: for all). */
export function loadExisting(names: readonly DriverName[] = driverNames): Promise<Partial<Existing>> {
  return oneByOne(() => loadSome(existing, names.filter((name) => name in existing) as (keyof Existing)[]));
}

let loading: Promise<unknown> = Promise.resolve();

/** One after the other: jiti returns a module that is still loading without its exports. */
function oneByOne<T>(load: () => Promise<T>): Promise<T> {
  const result = loading.then(load);
  loading = result.catch(() => undefined);
  return result;
}

async function loadSome<T extends object, N extends keyof T>(
  modules: { readonly [K in keyof T]: () => Promise<T[K]> },
  names: readonly N[],
): Promise<Pick<T, N>> {
  const loaded = await Promise.all(names.map(async (name) => [name, await modules[name]()] as const));
  return Object.fromEntries(loaded) as Pick<T, N>;
}

/** Returns `ensure` of each create method, for a sequence and a host. */
export function bindEnsure(loaded: Partial<Existing>, steps: Steps, host: ReadHost): EnsureMethods {
  const methods = Object.entries(loaded).map(([driver, module]) => [
    driver,
    Object.fromEntries(
      Object.entries(module as Record<string, Ensurable<unknown, unknown>>).map(([name, each]) => [
        name,
        (args: unknown) => {
          const refused = stepWithoutRoot(host, each.code.kind);
          return refused === undefined
            ? ensure(steps, host, each, args)
            : steps.scope(each.code.kind, () => Promise.reject(refused));
        },
      ]),
    ),
  ]);
  return Object.fromEntries(methods) as EnsureMethods;
}

/**
 * Returns methods that pass each operation of each driver to `step` or `temporary`. The only place
 * with types bound by hand.
 */
export function bindOperations(
  loaded: Partial<Drivers>,
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

/** Operations that a user can run on the user's own files. Every other operation needs root. */
const forUsers = new Set([
  ...['file.create', 'file.change', 'file.remove', 'file.link', 'file.directory.create'],
  ...['file.attributes', 'file.directory.remove'],
  ...['block.image.create', 'filesystem.image.create'],
]);

/** A host with the user ID of this process; `user` is missing for root, and for a remote host. */
type UserHost = ReadHost & { readonly user?: number };

/** Returns RefusedError (`denied`) for work that needs root, if this process is not root; otherwise undefined. */
export function withoutRoot({ user = 0 }: UserHost, what: string): RefusedError | undefined {
  if (user === 0) return undefined;
  return new RefusedError(`${what} needs root, and this process runs as uid ${String(user)}`, {
    code: 'denied',
    remedy: 'run it as root, for example with sudo',
  });
}

/** Like `withoutRoot`, for a step. An operation of your own checks itself whether it needs root. */
export function stepWithoutRoot(host: UserHost, kind: string): RefusedError | undefined {
  return isDriver(kind.split('.')[0] ?? '') && !forUsers.has(kind)
    ? withoutRoot(host, stepName(kind))
    : undefined;
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

/** Finds a full thin pool or snapshot below the objects of a failed step. Loads the lvm module only then. */
export const fullBeneath: NonNullable<Engine['fullBeneath']> = async (host, keys) => {
  const { fullAmong, fullUnder } = await import('./lvm/index.ts');
  const full = await fullAmong(host, keys);
  if (full !== undefined) return full;
  const files = keys.flatMap((key) => (key.startsWith('file:') ? [key.slice('file:'.length)] : []));
  for (const device of await mountedFor(host, files)) {
    const found = await fullUnder(host, device);
    if (found !== undefined) return found;
  }
  return undefined;
};

/** The devices of the filesystems of these paths. */
async function mountedFor(host: ReadHost, paths: readonly string[]): Promise<ReadonlySet<string>> {
  if (paths.length === 0) return new Set();
  const { mountEntries, mountOver } = await import('./blockdevice/index.ts');
  const all = await mountEntries(host);
  const ofPath = (path: string): string => mountOver(all, path)?.source ?? '';
  return new Set(paths.map(ofPath).filter((source) => source.startsWith('/dev/')));
}

/** Returns a lookup of operations of users, after the lookup of `around`. */
export function findAmong(
  own: readonly AnyOperation[],
  around: typeof findOperation = findOperation,
): typeof findOperation {
  return async (kind, version) =>
    (await around(kind, version)) ?? own.find((code) => code.kind === kind && code.version === version);
}

/** Throws UsageError for operations of users that recovery could confuse with others. */
export function checkOwn(own: readonly unknown[]): void {
  const known = new Set<string>();
  for (const code of own) {
    if (!isOperation(code))
      throw new UsageError('operations: each must be the result of operation() or deferred()');
    const name = `${code.kind} version ${String(code.version)}`;
    if (isDriver(code.kind.split('.')[0] ?? ''))
      throw new UsageError(`the operation ${name} has the name of a driver of bofh`, {
        remedy: `name its kind after your site: acme.${code.kind}`,
      });
    if (known.has(name)) throw new UsageError(`the operation ${name} is registered twice`);
    known.add(name);
  }
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
    typeof value === 'object' &&
    value !== null &&
    'kind' in value &&
    'prepare' in value &&
    'parseArgs' in value
  );
}
