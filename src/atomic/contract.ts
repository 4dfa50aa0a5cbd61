import type { ChangeHost, ReadHost } from '../command/index.ts';
import type { ManualRecovery, Holder } from '../core/errors.ts';
import type { Schema } from './schema.ts';

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
  /** What was found, for `not-ours`; with `ours`, what stands in its place beside it and is of others. */
  readonly found?: string;
  /**
   * The key that it has now, for `ours` that was renamed or moved: no step may reach for it by its old name. When a newer
   * step of the sequence made that key, it is the sequence itself that has moved it.
   */
  readonly movedTo?: Key;
}

/** What others have done to an object since the sequence left it: its undo would destroy that. */
export interface Changed {
  /** For people: `accounts/ledger.txt, written 2026-11-22 16:40:01 UTC`. */
  readonly found: string;
  readonly holders?: readonly Holder[];
  /** Only its bytes are others: a step that was cut off, or a power cut that lost what was not synced, leaves the same. */
  readonly fromBytes?: true;
}

/** Whose way it is that a person is to go by hand: `back` before the commit, `forward` after it. */
export type Way = 'back' | 'forward';

/** What every kind of step says of itself. */
export interface Common<A, U> {
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

/** How an operation notices that others have written to what it is to destroy. */
export interface ContentSpec<U, R> {
  /**
   * `undone`: the undo of the step destroys it. `finished`: what is done after the commit does. `either`: the undo destroys one
   * content and the act after the commit another: the witness, taken when the step is done, is of both, and `changed` is told which is meant.
   */
  readonly lost: 'undone' | 'finished' | 'either';
  /**
   * `files`: what a filesystem shows; every file counts, whichever step of the sequence wrote it. `device`: the bytes of a
   * device, which also change when it is mounted.
   */
  readonly of: 'files' | 'device';
  /**
   * A short text that changes with the content. Taken when the step is done, and again when the sequence itself may have
   * written there; of what is lost when the step is finished: right before the commit. Undefined while it cannot be taken;
   * missing when `changed` needs none.
   */
  readonly witness?: (input: {
    readonly undo: U;
    readonly result?: R;
    readonly host: ReadHost;
  }) => Promise<string | undefined>;
  /** It is taken when the step is done, and not again: `changed` knows what the sequence may do there. */
  readonly once?: true;
  /**
   * Whether others have written there. Asked before `revert` of this step, of a step that takes it along, and of a newer
   * one that lives until the reboot only and was the way to it (a mount, an open device, a guest); or, by a recovery,
   * before `afterCommit`. Throws when it cannot tell: then nothing is destroyed.
   */
  readonly changed: (input: {
    readonly undo: U;
    readonly result?: R;
    /** The newest one; undefined when none was taken. */
    readonly witness?: string;
    /** `back`: the undo is about to destroy it. `forward`: the act after the commit is. */
    readonly way: Way;
    /** A newer step of the sequence may have written to the object or to what it stands on, whether or not it is undone. */
    readonly touched: boolean;
    /** Whether something that the sequence made lies in it: that is asked itself. `before`: it is undone. */
    readonly filled: 'now' | 'before' | 'never';
    readonly host: ChangeHost;
  }) => Promise<Changed | undefined>;
}

/** An operation that acts in its turn and has an inverse. */
export interface OperationSpec<A, U, R, V> extends Common<A, U> {
  /** What only the act tells. */
  readonly result: Schema<R>;
  /** Does its effect outlast a reboot? */
  readonly lives: 'disk' | 'boot';
  /**
   * Beside `lives: 'boot'`: the boot brings the object back as the other steps left what is beneath it (an open device has the
   * size of its volume), and older steps need it as it was. So it is undone after a boot too, and not only looked at.
   */
  readonly recurs?: true;
  /**
   * The devices that it claims cannot be reached afterwards. So what older steps wrote there is synced before it, and
   * is not asked of the device at the commit.
   */
  readonly endsAccess?: true;
  /**
   * It changes a name, a tag or whether a volume is active, and writes no byte to what it claims: what is there afterwards and
   * was not there before, others wrote.
   */
  readonly keepsContent?: true;
  /** Does undo bring back the very state, or only the thing (a restarted guest, a blanked device)? */
  readonly restores: 'state' | 'existence';
  /** The key of that whose whole content `revert` destroys. */
  readonly contains?: (input: { readonly args: A; readonly undo: U }) => Key;
  /** The key of the container whose destruction takes this along. */
  readonly within?: (input: { readonly args: A; readonly undo: U }) => Key | undefined;
  /**
   * On this host the act has no inverse, so it is done after the commit, by `afterCommit`: `run` and `revert` are not
   * called, `result` is null, and `look` means what it means for a deferred act. Missing: never. Where it is there, a step
   * that does not defer has nothing to do after the commit, unless `after` says that it has.
   */
  readonly defers?: (input: { readonly undo: U }) => boolean;
  /** Beside `defers`: a step that does not defer has a part after the commit all the same. */
  readonly after?: (input: { readonly undo: U }) => boolean;
  /**
   * The act. When it throws before it has begun to change anything on `host` it has done nothing, and is not undone:
   * whatever is there then, somebody else has made.
   */
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
  /**
   * What the step starts writes by itself to what it uses (a guest to its disks). A recovery that may undo what is in use takes
   * what was written there for its work.
   */
  readonly starts?: 'a writer';
  /** The content that `revert` destroys, as far as others can write to it. */
  readonly content?: ContentSpec<U, R>;
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
  readonly describe?: (input: { readonly undo: U; readonly result?: R; readonly way: Way }) => ManualRecovery;
}

/** An act that has no inverse: it is checked in its turn and done after the commit. */
export interface DeferredSpec<A, U> extends Common<A, U> {
  readonly look: (input: { readonly undo: U; readonly host: ReadHost }) => Promise<Look>;
  readonly afterCommit: (input: { readonly undo: U; readonly host: ChangeHost }) => Promise<void>;
  /** What the act destroys, as far as others can write to it. */
  readonly content?: ContentSpec<U, null>;
  readonly sync?: (input: { readonly undo: U; readonly host: ChangeHost }) => Promise<void>;
  /** As that of an operation; its `way` is `back` while the act must not be done any more. */
  readonly describe?: (input: { readonly undo: U; readonly way: Way }) => ManualRecovery;
}
