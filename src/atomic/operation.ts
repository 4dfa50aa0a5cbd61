import type { ChangeHost, ReadHost } from '../command/index.ts';
import { type ByHand, type Holder, JournalError, UsageError } from '../errors.ts';
import { check, type Schema } from './schema.ts';

/** Names one object of a host: `lv:vg0/web1`, `fs:UUID`, `file:/etc/xen/web1.cfg`. */
export type Key = string;

/** What a step does to which objects. `makes` and `changes` are exclusive, `needs` is shared. */
export interface Claims {
  readonly makes?: readonly Key[];
  readonly changes?: readonly Key[];
  readonly needs?: readonly Key[];
}

/** A device's own key, and those of every device beneath it. */
export interface DeviceKeys {
  readonly key: Key;
  readonly beneath: readonly Key[];
}

/**
 * What there is of a step's effect now. `ours`: it is there and bears our mark (for a deferred act: still to do).
 * `gone`: no trace of it. `not-ours`: something else is in its place, which will not be touched.
 */
export interface Look {
  readonly state: 'ours' | 'gone' | 'not-ours';
  /** Who uses the object now, as far as the kernel tells at a glance. */
  readonly holders?: readonly Holder[];
  /** What was found, for `not-ours`. */
  readonly found?: string;
  /**
   * The key that it has now, for `ours` that was renamed or moved: no step may reach for it by its old name. When a newer
   * step of the sequence made that key, it is the sequence itself that has moved it.
   */
  readonly movedTo?: Key;
}

/** Whose way it is that a person is to go by hand: `back` before the commit, `forward` after it. */
export type Way = 'back' | 'forward';

interface Common<A, U> {
  /** Dotted: `lvm.lv.create`. Its first part is the driver. */
  readonly kind: string;
  readonly version: number;
  /** What is asked. */
  readonly args: Schema<A>;
  /** What undo needs: all of it known before the act, and plain JSON. */
  readonly undo: Schema<U>;
  /** What the journal keeps of the args, for people alone. Missing: all. Contents and secrets do not belong there. */
  readonly journalled?: (args: A) => unknown;
  /**
   * Reads only: checks, captures the old state, chooses identities. `mark` (`bofh.<id>.<n>`) is unique to the step.
   * Called again under the locks with `chosen`, the first answer, whose identities it keeps.
   */
  readonly prepare: (input: {
    readonly args: A;
    readonly mark: string;
    readonly host: ReadHost;
    readonly chosen?: U;
  }) => Promise<U>;
  /** `on(path)` gives a device's key and those beneath it: never write a device's key by hand. */
  readonly claims: (input: {
    readonly args: A;
    readonly undo: U;
    readonly on: (path: string) => Promise<DeviceKeys>;
  }) => Claims | Promise<Claims>;
}

/** An operation that acts in its turn and has an inverse. */
export interface OperationSpec<A, U, R, V> extends Common<A, U> {
  /** What only the act tells. */
  readonly result: Schema<R>;
  /** Does its effect outlast a reboot? */
  readonly lives: 'disk' | 'boot';
  /** Does undo bring back the very state, or only the thing (a restarted guest, a blanked device)? */
  readonly restores: 'state' | 'existence';
  /** The key of that whose whole content `revert` destroys. */
  readonly contains?: (input: { readonly args: A; readonly undo: U }) => Key;
  /** The key of the container whose destruction takes this along. */
  readonly within?: (input: { readonly args: A; readonly undo: U }) => Key | undefined;
  readonly run: (input: { readonly args: A; readonly undo: U; readonly host: ChangeHost }) => Promise<R>;
  /** What the caller gets. */
  readonly value: (input: { readonly args: A; readonly undo: U; readonly result: R }) => V;
  readonly look: (input: { readonly undo: U; readonly result?: R; readonly host: ReadHost }) => Promise<Look>;
  /** Idempotent; called only where `look` said `ours`, and checks the mark itself in the very act where the tool can. */
  readonly revert: (input: {
    readonly undo: U;
    readonly result?: R;
    readonly host: ChangeHost;
  }) => Promise<void>;
  /** Makes durable what run, revert or afterCommit did. */
  readonly sync?: (input: {
    readonly undo: U;
    readonly result?: R;
    readonly host: ChangeHost;
  }) => Promise<void>;
  /** The irreversible part, idempotent. Afterwards `look` says `gone`. */
  readonly afterCommit?: (input: {
    readonly undo: U;
    readonly result?: R;
    readonly host: ChangeHost;
  }) => Promise<void>;
  /** For a person before a stuck journal: what it is and how to see and clear it by hand. Pure: it asks nobody. */
  readonly describe?: (input: { readonly undo: U; readonly result?: R; readonly way: Way }) => ByHand;
}

/** An act that has no inverse: it is checked in its turn and done after the commit. */
export interface DeferredSpec<A, U> extends Common<A, U> {
  readonly look: (input: { readonly undo: U; readonly host: ReadHost }) => Promise<Look>;
  readonly afterCommit: (input: { readonly undo: U; readonly host: ChangeHost }) => Promise<void>;
  readonly sync?: (input: { readonly undo: U; readonly host: ChangeHost }) => Promise<void>;
  /** As that of an operation; its `way` is `back` while the act must not be done any more. */
  readonly describe?: (input: { readonly undo: U; readonly way: Way }) => ByHand;
}

declare const types: unique symbol;

/** An operation as the engine sees it: every value has been through the spec's schemas. */
export interface Operation<A = never, V = unknown> {
  readonly [types]?: (args: A) => V;
  readonly kind: string;
  readonly version: number;
  readonly lives: 'disk' | 'boot';
  readonly restores: 'state' | 'existence';
  readonly deferred: boolean;
  /** It has work to do after the commit. */
  readonly after: boolean;
  readonly parseArgs: (args: unknown) => unknown;
  readonly journalled: (args: unknown) => unknown;
  readonly prepare: (input: {
    readonly args: unknown;
    readonly mark: string;
    readonly host: ReadHost;
    readonly chosen?: unknown;
  }) => Promise<unknown>;
  readonly claims: (input: {
    readonly args: unknown;
    readonly undo: unknown;
    readonly on: (path: string) => Promise<DeviceKeys>;
  }) => Promise<Claims>;
  readonly contains: (input: { readonly args: unknown; readonly undo: unknown }) => Key | undefined;
  readonly within: (input: { readonly args: unknown; readonly undo: unknown }) => Key | undefined;
  readonly run: (input: {
    readonly args: unknown;
    readonly undo: unknown;
    readonly host: ChangeHost;
  }) => Promise<unknown>;
  readonly value: (input: {
    readonly args: unknown;
    readonly undo: unknown;
    readonly result: unknown;
  }) => unknown;
  readonly look: (input: Journalled<ReadHost>) => Promise<Look>;
  readonly revert: (input: Journalled<ChangeHost>) => Promise<void>;
  readonly sync: (input: Journalled<ChangeHost>) => Promise<void>;
  readonly afterCommit: (input: Journalled<ChangeHost>) => Promise<void>;
  /** Undefined for a kind that cannot tell; every kind of bofh's own can. */
  readonly describe?: (input: {
    readonly undo: unknown;
    readonly result?: unknown;
    readonly way: Way;
  }) => ByHand;
}

interface Journalled<H> {
  readonly undo: unknown;
  /** Undefined when the journal has no `done` line. */
  readonly result?: unknown;
  readonly host: H;
}

/** Any operation, whatever it takes and gives. */
export type AnyOperation = Operation;

/** Makes an operation of its spec. All that it is given is checked by the spec's schemas, also what a journal holds. */
export function operation<A, U, R, V>(spec: OperationSpec<A, U, R, V>): Operation<A, V> {
  const parse = parsers(spec);
  const result = (value: unknown): R =>
    check(spec.result, value, (issues) => unreadable(spec.kind, 'result', issues));
  const known = (input: { readonly undo: unknown; readonly result?: unknown }): { undo: U; result?: R } => ({
    undo: parse.undo(input.undo),
    ...(input.result === undefined ? {} : { result: result(input.result) }),
  });
  const journalled = <H>(input: Journalled<H>) => ({ ...known(input), host: input.host });
  const { describe } = spec;
  return {
    ...head(spec, spec.lives, spec.restores, false, spec.afterCommit !== undefined),
    contains: (input) => spec.contains?.(parse.both(input)),
    within: (input) => spec.within?.(parse.both(input)),
    run: async (input) => json((await spec.run({ ...parse.both(input), host: input.host })) ?? null),
    value: (input) => spec.value({ ...parse.both(input), result: result(input.result) }),
    look: (input) => spec.look(journalled(input)),
    revert: (input) => spec.revert(journalled(input)),
    sync: async (input) => spec.sync?.(journalled(input)),
    afterCommit: async (input) => spec.afterCommit?.(journalled(input)),
    ...(describe === undefined ? {} : { describe: (input) => describe({ ...known(input), way: input.way }) }),
  };
}

/** Makes a deferred act of its spec. Going back from it is a line in the journal and no act. */
export function deferred<A, U>(spec: DeferredSpec<A, U>): Operation<A, void> {
  const parse = parsers(spec);
  const undoOf = <H>(input: Journalled<H>): { undo: U; host: H } => ({
    undo: parse.undo(input.undo),
    host: input.host,
  });
  const { describe } = spec;
  return {
    ...head(spec, 'disk', 'state', true, true),
    contains: () => undefined,
    within: () => undefined,
    run: () => Promise.resolve(null),
    value: () => undefined,
    look: (input) => spec.look(undoOf(input)),
    revert: () => Promise.resolve(),
    sync: async (input) => spec.sync?.(undoOf(input)),
    afterCommit: (input) => spec.afterCommit(undoOf(input)),
    ...(describe === undefined
      ? {}
      : { describe: (input) => describe({ undo: parse.undo(input.undo), way: input.way }) }),
  };
}

/** What a value is after the journal: a value that would not survive it fails here, at once. */
export function json(value: unknown): unknown {
  const text = JSON.stringify(value) as string | undefined;
  if (text === undefined) throw new TypeError('undo data and results must be JSON values');
  return JSON.parse(text);
}

type Head = Pick<
  Operation,
  | 'kind'
  | 'version'
  | 'lives'
  | 'restores'
  | 'deferred'
  | 'after'
  | 'parseArgs'
  | 'journalled'
  | 'prepare'
  | 'claims'
>;

function head<A, U>(
  spec: Common<A, U>,
  lives: 'disk' | 'boot',
  restores: 'state' | 'existence',
  isDeferred: boolean,
  after: boolean,
): Head {
  const parse = parsers(spec);
  return {
    kind: spec.kind,
    version: spec.version,
    lives,
    restores,
    deferred: isDeferred,
    after,
    parseArgs: (args) => json(check(spec.args, args, (issues) => new UsageError(`${spec.kind}: ${issues}`))),
    journalled: (args) => json(spec.journalled?.(parse.args(args)) ?? args),
    prepare: async ({ args, mark, host, chosen }) =>
      json(
        await spec.prepare({
          args: parse.args(args),
          mark,
          host,
          ...(chosen === undefined ? {} : { chosen: parse.undo(chosen) }),
        }),
      ),
    claims: async (input) => spec.claims({ ...parse.both(input), on: input.on }),
  };
}

function parsers<A, U>(spec: Common<A, U>) {
  const args = (value: unknown): A =>
    check(spec.args, value, (issues) => unreadable(spec.kind, 'args', issues));
  const undo = (value: unknown): U =>
    check(spec.undo, value, (issues) => unreadable(spec.kind, 'undo', issues));
  return {
    args,
    undo,
    both: (input: { readonly args: unknown; readonly undo: unknown }): { args: A; undo: U } => ({
      args: args(input.args),
      undo: undo(input.undo),
    }),
  };
}

function unreadable(kind: string, what: string, issues: string): JournalError {
  return new JournalError(`${kind}: its ${what} cannot be read: ${issues}`);
}
