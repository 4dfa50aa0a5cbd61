import type { ChangeHost, ReadHost } from '../command/index.ts';
import type { ManualRecovery, Holder } from '../core/errors.ts';
import type { Schema } from './schema.ts';

/** Names one object of a host: `lv:vg0/web1`, `fs:UUID`, `file:/etc/xen/web1.cfg`. */
export type Key = string;

/** The objects that a step works on. `makes` and `changes` are exclusive, `needs` is shared. */
export interface Claims {
  /** Objects that the step creates. No other sequence uses them meanwhile. */
  readonly makes?: readonly Key[];
  /** Existing objects that the step changes. No other sequence uses them meanwhile. */
  readonly changes?: readonly Key[];
  /** Objects that must stay as they are. Other sequences may use them too, but not change them. */
  readonly needs?: readonly Key[];
}

/** The key of a device, and the keys of all devices below it. */
export interface DeviceKeys {
  readonly key: Key;
  readonly beneath: readonly Key[];
}

/** The mount that the directory of a path is in, and the one whose mount point is the path itself. */
export interface MountsUnder {
  readonly inside?: Mounted;
  readonly at?: Mounted;
}

/** A mounted filesystem, as a journal records it. */
export interface Mounted {
  readonly path: string;
  readonly type: string;
  /** Inode number and creation time of its root; missing if they differ from mount to mount. */
  readonly inode?: string;
  readonly birth?: string;
  /** That of `/`, or one in memory: only a mount over it can hide its files. */
  readonly onlyHidden?: true;
}

/**
 * The effect of a step on the host now. `ours`: the object exists and has the tag of the step (for a deferred
 * act: the act is still to do). `gone`: no trace of the effect. `not-ours`: another object is in its place,
 * and stays untouched.
 */
export interface Look {
  readonly state: 'ours' | 'gone' | 'not-ours';
  /**
   * Who uses the object now, as far as the kernel shows without a search. The undo would harm them, so
   * recovery leaves the object untouched.
   */
  readonly holders?: readonly Holder[];
  /**
   * With `not-ours`: a text for the object in its place. With `ours`: a text for an object of others at its
   * path, while the object of the step is elsewhere. That object is reported, and left untouched.
   */
  readonly found?: string;
  /**
   * With `gone`: a text for what the step made and the undo keeps, because others depend on it. It is reported,
   * and left untouched.
   */
  readonly kept?: string;
  /**
   * With `ours`: the present key of an object that was renamed or moved: no step may use its old name. If a
   * newer step of the sequence makes that key, the sequence itself moved it.
   */
  readonly movedTo?: Key;
  /**
   * With `ours`: why the undo must not go on to older steps yet, also if the host was booted meanwhile and the step is
   * therefore not undone.
   */
  readonly blocks?: { readonly why: string; readonly remedy: string };
}

/** A change that others made to an object after the sequence wrote it. The undo would destroy that change. */
export interface Changed {
  /** A text for the administrator: `accounts/ledger.txt, written 2026-11-22 16:40:01 UTC`. */
  readonly found: string;
  readonly holders?: readonly Holder[];
  /**
   * Only bytes differ. An interrupted step, or a power cut that lost unsynced data, looks the same.
   */
  readonly fromBytes?: true;
}

/** Direction of a manual recovery: `back` (undo) before the commit, `forward` (finish) after it. */
export type Way = 'back' | 'forward';

/** The parts that every kind of step defines. */
export interface Common<A, U> {
  /** Dotted: `lvm.lv.create`. Its first part is the driver. */
  readonly kind: string;
  /**
   * A released version keeps its `revert` for a major release, because open journals name it. To
   * change it, add an operation with a new version and leave the old one exported.
   */
  readonly version: number;
  /** The arguments, as the caller gives them. */
  readonly args: Schema<A>;
  /** The data that the undo needs, as plain JSON; all of it is known before the act. */
  readonly undo: Schema<U>;
  /**
   * The part of the args that the journal keeps, for people only (default: all). No contents of files and no
   * secrets.
   */
  readonly journalled?: (args: A) => unknown;
  /**
   * Reads only. It checks the request and the host, records the old state, and chooses identities
   * such as a UUID. `mark`, the tag (`bofh.<id>.<n>`), is unique to the step. Throws UsageError for wrong input,
   * and RefusedError, with holders and a remedy, for a state of the host that does not allow the
   * step. It is called twice: before the locks are taken, and again under them. The second call gets
   * what the first one returned as `chosen`: check everything again, and keep those identities. There is no
   * second call if the sequence had locked all objects before (`tx.reserve`), no other step ran meanwhile, and
   * the first call did not read `chosen`.
   */
  readonly prepare: (input: {
    readonly args: A;
    readonly mark: string;
    readonly host: ReadHost;
    readonly chosen?: U | undefined;
  }) => Promise<U>;
  /**
   * Names the objects of the step by key, such as `lv:vg0/web1` or `file:/etc/hosts`. They are locked,
   * and the order of the undo follows from them. `makes`: what the step creates, with every new
   * name. `changes`: what it changes. `needs`: what must stay as it is. For a device call `on(path)`,
   * which returns its key and the keys of the devices below it; it fails with `not-found` if there is
   * no device, for example for an inactive volume. Never write the key of a device by hand.
   */
  readonly claims: (input: {
    readonly args: A;
    readonly undo: U;
    readonly on: (path: string) => Promise<DeviceKeys>;
  }) => Claims | Promise<Claims>;
}

/** How an operation detects that others wrote to the content that the step will destroy. */
export interface ContentSpec<U, R> {
  /**
   * When the content is destroyed. `undone`: by the undo. `finished`: by the act after the commit.
   * `either`: the undo destroys one content and the act after the commit another. Then the witness,
   * taken when the step is done, covers both, and `changed` gets the `way`.
   */
  readonly lost: 'undone' | 'finished' | 'either';
  /**
   * `files`: the files of a filesystem; all of them, whichever step of the sequence wrote them. `device`: the
   * bytes of a device, which a mount changes too.
   */
  readonly of: 'files' | 'device';
  /**
   * A short text that changes with the content. Taken when the step is done, and again when the sequence
   * itself may have written there; for content that is lost after the commit, right before the commit.
   * Returns undefined while it cannot be taken. Leave the function out if `changed` needs no witness.
   */
  readonly witness?: (input: {
    readonly undo: U;
    readonly result?: R;
    readonly host: ReadHost;
  }) => Promise<string | undefined>;
  /**
   * The witness is taken only when the step is done, because `changed` knows what the sequence may do there
   * later.
   */
  readonly once?: true;
  /**
   * Finds what others wrote there. Called before `revert` of this step, of a step whose undo destroys it too,
   * and of a newer step with `lives: 'boot'` that gives access to it (a mount, an open device, a guest).
   * Recovery also calls it before `afterCommit`. Throws if that cannot be known: then nothing is destroyed.
   */
  readonly changed: (input: {
    readonly undo: U;
    readonly result?: R;
    /** The newest witness; undefined if none was taken. */
    readonly witness?: string;
    /** `back`: the undo will destroy it. `forward`: the act after the commit will. */
    readonly way: Way;
    /**
     * A newer step of the sequence, undone or not, may have written to the object or to what is
     * below it.
     */
    readonly touched: boolean;
    /**
     * Whether it contains an object of the sequence, which is checked separately. `before`: it contained one,
     * whose step is undone.
     */
    readonly filled: 'now' | 'before' | 'never';
    readonly host: ChangeHost;
  }) => Promise<Changed | undefined>;
}

/** How the undo of a committed sequence gets back what `afterCommit` removed. */
export interface LaterSpec<U, R> {
  /**
   * Copies the object that `afterCommit` removes to `to`: durably, and completely or not at all. Called right
   * before `afterCommit`, and again after a crash. Returns a reason, as text, if there is no copy. Missing,
   * or if `keeps` returns false: the undo data is enough.
   */
  readonly keep?: (input: {
    readonly undo: U;
    readonly host: ChangeHost;
    readonly to: string;
  }) => Promise<string | undefined>;
  /** Whether this step needs `keep` (default: true). */
  readonly keeps?: (input: { readonly undo: U }) => boolean;
  /**
   * Throws RefusedError if the object is not as the step left it. Called before anything is undone,
   * unless a newer step of the sequence changed the object.
   */
  readonly refuse: (input: Left<U, R, ReadHost>) => Promise<void>;
  /**
   * Recreates the object that `afterCommit` removed, under the names in `undo`, which have the tag of the new
   * sequence; `from` is the copy made by `keep`. Called right before `look`. Idempotent, because a crash may
   * have left a part of the object. Returns the undo data that changed, such as an identity. Missing: there
   * is nothing to recreate.
   */
  readonly bringBack?: (input: Left<U, R, ChangeHost> & { readonly from: string }) => Promise<Partial<U>>;
}

/** The journalled data of a step, and its host. */
export interface Left<U, R, H> {
  readonly undo: U;
  /** Missing if the journal has no `done` line. */
  readonly result?: R;
  /**
   * The undo of a newer step may have created the object again, so that an identity in `result` is
   * stale.
   */
  readonly restored?: true;
  readonly host: H;
}

/**
 * An operation that runs as a step and has an inverse; only for changes of a host. Write one `operation({ …
 * })` each, exported from the driver's `operations.ts`; the name of the export is the method on `tx`. Code
 * that two operations share is in a separate file in the same directory.
 *
 * Choose the tag first: what will prove later that this step created the object? For example an LVM tag, a
 * UUID chosen before, a second name of the same inode; for a change of an existing object, its identity with
 * the old and the new value. If you find none, do not write the operation: a name proves nothing. Then write
 * `args` and `undo`, `prepare`, `claims`, `run`, `look`, `revert`, `sync` and `describe`, in this order.
 * `look`, `revert` and `sync` must work without `result`, when called again, and when older steps on other
 * objects are undone already: a stuck step is undone later. `sync` is also called if nothing is there.
 * docs/journal.md has the reasons.
 */
export interface OperationSpec<A, U, R, V> extends Common<A, U> {
  /** The data that is known only after the act; `z.null()` if there is none. */
  readonly result: Schema<R>;
  /** `disk`: the effect outlasts a reboot. `boot`: it does not. */
  readonly lives: 'disk' | 'boot';
  /**
   * Only with `lives: 'boot'`: the boot recreates the object from what is below it (an open device gets the
   * size of its volume), and older steps need its former state. So the step is undone after a boot too, and
   * not only looked at.
   */
  readonly recurs?: true;
  /**
   * Only with `lives: 'boot'`, for a step that gives access to content (a loop device, an open LUKS
   * device, a mount). If a boot or another program ended that access, the undo calls `run` again with the data
   * that this returns, because only the content of newer steps shows whether others wrote there.
   * Undefined if the content can be reached as it is. Throws if that is not possible now.
   */
  readonly again?: (input: { readonly undo: U; readonly host: ReadHost }) => Promise<U | undefined>;
  /**
   * The devices in its claims cannot be reached after the act. So data of older steps is synced before the
   * act, and not at the commit.
   */
  readonly endsAccess?: true;
  /**
   * The claimed objects whose content the act does not write (`true`: all), because it changes a name, a tag,
   * an activation or a place. So others wrote any new content there. For a rename, `makes` has the new name
   * at the position where `changes` has the old one.
   */
  readonly keepsContent?: true | ((of: { readonly undo: U }) => readonly Key[]);
  /**
   * `state`: the undo restores the exact state. `existence`: only the object (a restarted guest, a blank
   * device).
   */
  readonly restores: 'state' | 'existence';
  /** The key of the object whose whole content `revert` destroys (a rename destroys none). */
  readonly contains?: (input: { readonly args: A; readonly undo: U }) => Key;
  /** The key of the container whose destruction destroys this object too. */
  readonly within?: (input: { readonly args: A; readonly undo: U }) => Key | undefined;
  /**
   * The step may change anything in the objects of `claims.changes`, so it has no inverse: the undo of the
   * older steps that made these objects undoes it too. Refused unless the same sequence made all of them, and
   * the undo of one of its steps destroys `within`. `content` covers the files of all of them.
   */
  readonly onlyInOwn?: true;
  /**
   * True if the act has no inverse on this host (docs/adr/0009-a-step-may-defer-its-act.md). Then
   * `afterCommit` does it: `run` and `revert` are not called, `result` is null, and `look` works as
   * for a deferred act. Missing: never. With `defers`, a step that does not defer has no part after
   * the commit, unless `after` returns true.
   */
  readonly defers?: (input: { readonly undo: U }) => boolean;
  /** Only with `defers`: whether a step that does not defer its act has a part after the commit. */
  readonly after?: (input: { readonly undo: U }) => boolean;
  /**
   * The act: one changing command if possible. Look first, as `revert` does, because the object may have been
   * renamed since `prepare`. If `run` throws, `look` is called to find what `run` left, and `revert` removes
   * that. Only for the operations that come with bofh: if `run` throws before its first change on `host`,
   * `look` is not called, because another process created any object there.
   */
  readonly run: (input: { readonly args: A; readonly undo: U; readonly host: ChangeHost }) => Promise<R>;
  /** The value that the method on `tx` returns. */
  readonly value: (input: { readonly args: A; readonly undo: U; readonly result: R }) => V;
  /**
   * Finds every trace that a complete or partial run can leave, with and without `result`. Also
   * called before each later step on the object, so it must stay true while the sequence continues.
   */
  readonly look: (input: Left<U, R, ReadHost>) => Promise<Look>;
  /**
   * Idempotent; called only if `look` returned `ours`. The tool checks the tag in the same command if the
   * tool can. Removes the tag last. Refuses what `prepare` refuses to protect others (in use, name taken):
   * the step is then stuck.
   */
  readonly revert: (input: Left<U, R, ChangeHost>) => Promise<void>;
  /**
   * The step starts a program that keeps writing to the objects of the step, as a guest writes to its disks.
   * A recovery that may undo changes of objects in use treats such writes as work of the sequence.
   */
  readonly starts?: 'a writer';
  /** The content that `revert` destroys, if others can write to it. */
  readonly content?: ContentSpec<U, R>;
  /**
   * Syncs to disk what run, revert or afterCommit wrote to the page cache. A name that appeared, changed or
   * disappeared needs a sync of its directory.
   */
  readonly sync?: (input: {
    readonly undo: U;
    readonly result?: R;
    readonly host: ChangeHost;
  }) => Promise<void>;
  /**
   * The irreversible part. It runs after the commit, for example to remove what `run` has only
   * renamed. After a crash it runs again, so it must be idempotent. When it is done, `look` returns
   * `gone`.
   */
  readonly afterCommit?: (input: {
    readonly undo: U;
    readonly result?: R;
    readonly host: ChangeHost;
  }) => Promise<void>;
  /**
   * Missing: a sequence with this step cannot be undone after the commit, if the step has a part after the
   * commit.
   */
  readonly later?: LaterSpec<U, R>;
  /**
   * For an administrator with a stuck journal: the object with its identity, and the commands, as
   * argv, to see it and to clear it by hand. Pure: from `undo`, and `result` if there is one. The
   * commands are typed days later, so they select by the tag or identity if the tool can (`lvremove
   * --select`, `find -samefile`, `mount UUID=…`). `way` is `forward` only with `afterCommit`.
   */
  readonly describe?: (input: { readonly undo: U; readonly result?: R; readonly way: Way }) => ManualRecovery;
}

/** An act without an inverse: checked as a step, and done after the commit. */
export interface DeferredSpec<A, U> extends Common<A, U> {
  /** Finds out whether the act is still to be done: `ours` before it, `gone` after it. */
  readonly look: (input: { readonly undo: U; readonly host: ReadHost }) => Promise<Look>;
  /** The irreversible act, idempotent. Runs when everything is committed. */
  readonly afterCommit: (input: { readonly undo: U; readonly host: ChangeHost }) => Promise<void>;
  /** The content that the act destroys, if others can write to it. */
  readonly content?: ContentSpec<U, null>;
  /** Syncs to disk what the act wrote to the page cache. */
  readonly sync?: (input: { readonly undo: U; readonly host: ChangeHost }) => Promise<void>;
  /** As in `OperationSpec`; `way` is `back` if the act must no longer be done. */
  readonly describe?: (input: { readonly undo: U; readonly way: Way }) => ManualRecovery;
}
