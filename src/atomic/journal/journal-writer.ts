import type { Reserving } from '../../command/index.ts';
import { messageOf, JournalError } from '../../core/errors.ts';
import { newId, decode, type Decoded, encode, type BeginLine, type Line } from './lines.ts';
import { limitHistory, limitKept } from './prune.ts';
import { advance, fold, type State } from './state.ts';
import type { Store, StoreFile } from './store.ts';
import type { EventReporter } from '../events.ts';

/** A line did not reach the disk. After a failed `sync` nothing more may be done: what is on the disk is unknown. */
export class AppendError extends JournalError {
  readonly at: 'write' | 'sync';

  constructor(at: 'write' | 'sync', id: string, cause: unknown) {
    super(`journal ${id} cannot be written: ${messageOf(cause)}`, { cause });
    this.at = at;
  }
}

/** An open journal whose lock this process holds: the file, and the state from its lines. */
export interface Journal {
  readonly id: string;
  readonly store: Store;
  readonly file: StoreFile;
  /** Identifies this process to other hosts: they refuse commands of an earlier process for this journal. */
  readonly token: string;
  state: State;
  /** Offset of the next line: the end of the last complete line. */
  position: number;
  crc: number;
  /** Lines that may wait for the next durable write (`done`, `scope`). */
  pending: readonly Line[];
  /** A line of a rollback could not be written: the journal stays open. */
  incomplete: AppendError | undefined;
  /**
   * After a failed sync, a torn write that could not be cut off, or a missing line of a rollback: nothing
   * more is written.
   */
  dead: AppendError | undefined;
  /** Makes the events from its lines; missing if there is no listener. */
  readonly reporter?: EventReporter | undefined;
}

/** The sequence of a journal, as bofh reports it to other hosts. */
export function reservingOf({ id, token, state }: Journal): Reserving {
  return { id, name: state.begin.name, token };
}

const ballast = Buffer.alloc(64 * 1024, 1);

/**
 * Creates the journal of a new sequence; `file` is `ID.new`, locked. When this returns, the begin
 * line and `lines` are durable, and the file has its final name.
 */
export function openNew(
  { store, reporter }: { readonly store: Store; readonly reporter?: EventReporter },
  file: StoreFile,
  begin: BeginLine,
  lines: readonly Line[],
): Journal {
  const { id } = begin;
  const journal = { ...openAt(store, file, id, advance(undefined, begin)), reporter };
  writeBallast(store, id);
  store.makeDir(`${id}.d`);
  write(journal, [begin, ...lines]);
  store.rename(`${id}.new`, `${id}.journal`);
  store.syncDir('.');
  for (const line of lines) advanceBy(journal, line);
  return journal;
}

/**
 * Opens the journal of a sequence whose owner is gone; the caller holds its lock. First makes the lines
 * durable: the bytes are overwritten in place, because after a failed fdatasync Linux marks the pages clean,
 * and a sync alone would report a false success.
 */
export function adopt(store: Store, file: StoreFile, id: string, token: string): Journal {
  return adoptBytes(store, file, { id, token, bytes: file.read() });
}

/**
 * As `adopt`, for a journal that an earlier recovery may have left open. Removes the lines of an earlier recovery that
 * only found obstacles, and the output of its programs, so that a journal does not grow with each attempt.
 */
export function adoptAgain(store: Store, file: StoreFile, id: string, token: string): Journal {
  const bytes = file.read();
  const useful = withoutFruitless(bytes, decode(bytes, `${id}.journal`));
  const journal = adoptBytes(store, file, { id, token, bytes: useful });
  if (useful.length < bytes.length) {
    store.remove(`${id}.d`);
    store.makeDir(`${id}.d`);
  }
  return journal;
}

function withoutFruitless(bytes: Uint8Array, { lines, length }: Decoded): Uint8Array {
  let kept = lines.length;
  for (;;) {
    const begin = lines.slice(0, kept).findLastIndex(({ t }) => t !== 'blocked');
    // Without the recovery after it, an `awaiting` would be valid again: the sequence could be
    // confirmed, although a failed undo may have changed something.
    if (lines[begin]?.t !== 'recovery' || lines[begin - 1]?.t === 'awaiting') break;
    kept = begin;
  }
  let end = length;
  for (let n = lines.length; n > kept; n -= 1) end = bytes.lastIndexOf(0x0a, end - 2) + 1;
  return kept === lines.length ? bytes : bytes.subarray(0, end);
}

function adoptBytes(
  store: Store,
  file: StoreFile,
  { id, token, bytes }: { readonly id: string; readonly token: string; readonly bytes: Uint8Array },
): Journal {
  const { lines, length, crc } = decode(bytes, `${id}.journal`);
  const journal = { ...openAt(store, file, id, fold(lines)), token, position: length, crc };
  try {
    file.truncate(length);
    writeAll(file, bytes.subarray(0, length), 0);
    file.datasync();
  } catch (error) {
    throw new AppendError('sync', id, error);
  }
  return journal;
}

function openAt(store: Store, file: StoreFile, id: string, state: State): Journal {
  const nothing = { pending: [], incomplete: undefined, dead: undefined };
  return { id, store, file, state, token: newId(), position: 0, crc: 0, ...nothing };
}

/** Appends lines. Durable when this returns, unless they may `wait` for the next write. Throws AppendError. */
export function append(journal: Journal, lines: readonly Line[], mode: 'durable' | 'wait' = 'durable'): void {
  if (mode === 'wait') journal.pending = [...journal.pending, ...lines];
  else write(journal, [...journal.pending, ...lines]);
  if (mode === 'durable') journal.pending = [];
  for (const line of lines) advanceBy(journal, line);
}

function advanceBy(journal: Journal, line: Line): void {
  journal.state = advance(journal.state, line);
  journal.reporter?.line(line, journal.state);
}

/**
 * Appends lines of a rollback. A line that cannot be written does not stop the rollback, because undo is
 * idempotent: the state advances in memory only, and the journal stays open. But no later line is written
 * either: with `undone 2` and without the `undone 3` before it, recovery would undo only 3, and restore a
 * value that the undo of 2 has already replaced. A failed sync does stop the rollback.
 */
export function note(journal: Journal, lines: readonly Line[]): void {
  try {
    append(journal, lines);
  } catch (error) {
    if (!(error instanceof AppendError) || error.at === 'sync') throw error;
    journal.incomplete ??= error;
    journal.dead ??= error;
    for (const line of lines) advanceBy(journal, line);
  }
}

/** Writes the last line and moves the journal to the history. */
export function close(journal: Journal, line: Line & { readonly t: 'closed' }): void {
  append(journal, [line]);
  try {
    retire(journal.store, journal.id);
    limitHistory(journal.store, journal.id);
    const { begin, steps } = journal.state;
    if (begin.undoes !== undefined && line.outcome === 'rolled-back')
      journal.store.remove(`history/${begin.undoes}.kept`);
    if (steps.some(({ kept }) => kept === true)) limitKept(journal.store);
  } catch {
    // The journal is closed, which is enough for its sequence: the next recovery moves it.
  }
}

/**
 * Moves a closed journal to the history, without files that may contain key material. Skips parts
 * that are done already.
 */
export function retire(store: Store, id: string): void {
  store.remove(`${id}.ballast`);
  store.remove(`${id}.d`);
  store.rename(`${id}.journal`, `history/${id}.journal`);
  // If a power cut left both names, rename(2) finds one file under both and does nothing.
  store.remove(`${id}.journal`);
  store.syncDir('history');
  store.syncDir('.');
}

function write(journal: Journal, lines: readonly Line[]): void {
  if (journal.dead !== undefined) throw journal.dead;
  const { bytes, crc } = encode(lines, journal.crc);
  try {
    writeAll(journal.file, bytes, journal.position);
  } catch (error) {
    cutBack(journal, error, lines);
    if (!isNoSpace(error)) throw new AppendError('write', journal.id, error);
    writeWithoutBallast(journal, bytes, lines);
  }
  try {
    journal.file.datasync();
  } catch (error) {
    journal.dead = new AppendError('sync', journal.id, error);
    throw journal.dead;
  }
  journal.position += bytes.length;
  journal.crc = crc;
}

function writeWithoutBallast(journal: Journal, bytes: Uint8Array, lines: readonly Line[]): void {
  try {
    journal.store.remove(`${journal.id}.ballast`);
    writeAll(journal.file, bytes, journal.position);
  } catch (error) {
    cutBack(journal, error, lines);
    throw new AppendError('write', journal.id, error);
  }
}

/**
 * Cuts a torn line off, so that no later line follows it. A `committed` that cannot be cut off may be
 * complete or torn, as after a failed sync. Recovery may find it complete, so this process must not undo the
 * steps.
 */
function cutBack(journal: Journal, cause: unknown, lines: readonly Line[]): void {
  try {
    journal.file.truncate(journal.position);
  } catch {
    const at = lines.some(({ t }) => t === 'committed') ? 'sync' : 'write';
    journal.dead = new AppendError(at, journal.id, cause);
    throw journal.dead;
  }
}

function writeAll(file: StoreFile, bytes: Uint8Array, position: number): void {
  for (let done = 0; done < bytes.length; ) done += file.write(bytes.subarray(done), position + done);
}

function isNoSpace(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT');
}

/** Writes a file that is deleted when the disk is full, so that the undo still has space for its lines. */
function writeBallast(store: Store, id: string): void {
  store.remove(`${id}.ballast`);
  const file = store.create(`${id}.ballast`);
  try {
    writeAll(file, ballast, 0);
  } finally {
    file.close();
  }
}
