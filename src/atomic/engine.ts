import type { ChangeHost, LocalHost, Progress, ReadHost } from '../command/index.ts';
import { JournalError } from '../core/errors.ts';
import { present } from '../core/present.ts';
import type { SequenceEvent, EventReporter } from './events.ts';
import type { Journal } from './journal/journal-writer.ts';
import type { IntentLine, Owner } from './journal/lines.ts';
import type { LockTable } from './locks/lock.ts';
import type { AnyOperation, Key, MountsUnder } from './operation.ts';
import { placeOf, type Places } from './place.ts';
import type { Processes } from './locks/processes.ts';
import type { ReservedHere } from './locks/reservations.ts';
import { outputsOf, type Store } from './journal/store.ts';

/**
 * The parts that the engine works with. The engine knows no tool: it finds operations by kind and version.
 * `host` is the host of steps that name none.
 */
export interface Engine extends Places {
  readonly store: Store;
  /** Directory for the copies of objects that commits removed, for `bofh undo` (default: the history). */
  readonly keptIn?: string;
  /** `flock` of the host that the store is on. */
  readonly flock: LocalHost['flock'];
  readonly locks: LockTable;
  /** Reservations by other hosts on the host of the store. */
  readonly reserved?: ReservedHere;
  readonly processes: Processes;
  /** The user who makes the change, the command line without secrets, and the version of bofh. */
  readonly who: { readonly user: string; readonly argv: readonly string[]; readonly bofh: string };
  /** The code of a journalled step; undefined for an unknown kind or version. */
  readonly find: (kind: string, version: number) => Promise<AnyOperation | undefined>;
  /** The journalled data of a step, with the names that its devices have now, for people to read. */
  readonly currentNames: (host: ReadHost, undo: unknown) => Promise<unknown>;
  /**
   * Finds a full thin pool or snapshot below the objects of a step: returns the reason and the remedy.
   * A program that fails on such a device does not report it.
   */
  readonly fullBeneath?: (
    host: ReadHost,
    keys: readonly Key[],
  ) => Promise<{ readonly why: string; readonly remedy: string } | undefined>;
  /** Returns the mounts of a path, as a journal records them; without one that is not known, such as an autofs. */
  readonly mountsUnder?: (host: ReadHost, path: string) => Promise<MountsUnder>;
  readonly onProgress?: (step: { readonly n: number; readonly kind: string }, progress: Progress) => void;
  /**
   * Called after a success with objects that the work after the commit, or the undo of a scope,
   * left untouched because they changed.
   */
  readonly onLeftUntouched?: (found: string) => void;
  /** Called when a signal has to wait for the body of a sequence, or no longer waits for it. */
  readonly onWaiting?: (notice: string) => void;
  /** Called for each event of each sequence. */
  readonly onEvent?: (event: SequenceEvent) => void;
  /** Makes the events of one sequence; missing: it has no listener. */
  readonly reporter?: EventReporter;
  /** How long a step retries for objects that another sequence has locked; 0: refused at once. */
  readonly waitMs?: number;
}

/**
 * `stop` undoes the sequence when its body has ended; `abandon` leaves the journal open. With `again` (the
 * third and the fourth Ctrl-C), `abandon` is the second Ctrl-C. While the body runs its own code, the second
 * one only prints a message, the third one starts the undo although that code still runs, and the fourth one
 * leaves the journal open. `undoNow` ends the wait for the body, but not for a running step.
 */
export interface Signals {
  /** Undoes the sequence when its function has ended. */
  readonly stop?: AbortSignal;
  /** Leaves the journal open, for `bofh recover`. */
  readonly abandon?: AbortSignal;
  /** The third and the fourth Ctrl-C, if `abandon` is the second. */
  readonly again?: readonly AbortSignal[];
  /** Starts the undo although the function of the sequence still runs. A running step ends first. */
  readonly undoNow?: AbortSignal;
}

/** The journal's record of the process that works on it. */
export function ownerLine(engine: Engine): Owner {
  return { ...engine.processes.self, user: engine.who.user, bofh: engine.who.bofh };
}

/** Returns the host of a step for changes; on another host, changes fail after a reboot of that host. */
export function changing(
  engine: Engine,
  journal: Journal,
  { n, kind, host, boot }: Pick<IntentLine, 'n' | 'kind' | 'host' | 'boot'>,
  signal?: AbortSignal,
): ChangeHost {
  const { onProgress, reporter } = engine;
  const report = (progress: Progress): void => {
    const { command, fraction, line } = progress;
    const { tool, argv } = command;
    reporter?.report({ type: 'progress', n, kind, command: { tool, argv }, ...present({ fraction, line }) });
    onProgress?.({ n, kind }, progress);
  };
  return placeOf(engine, host).host.during({
    outputs: outputsOf(journal.store, journal.id),
    lock: journal.file.fd,
    sequence: { id: journal.id, token: journal.token, boot },
    ...present({ signal }),
    ...(onProgress === undefined && reporter === undefined ? {} : { onProgress: report }),
  });
}

/** The code of a step. Throws JournalError for an unknown kind: its journal must stay untouched. */
export async function codeOf(
  engine: Engine,
  step: { readonly kind: string; readonly version: number },
  id: string,
): Promise<AnyOperation> {
  const found = await engine.find(step.kind, step.version);
  if (found !== undefined) return found;
  throw new JournalError(
    `journal ${id} has a step "${step.kind}" version ${step.version} that this bofh does not know; nothing was touched`,
    {
      remedy:
        'if it is an operation of your own, register that version in the site file, defineSite({ operations: […] }); then: bofh recover; else recover with the version of bofh that wrote it',
    },
  );
}
