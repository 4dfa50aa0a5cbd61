import { randomId } from '../../core/random.ts';
import { crc32 } from 'node:zlib';
import { type Holder, JournalError } from '../../core/errors.ts';
import type { Claims, Key, Mounted } from '../operation.ts';

/**
 * The process that works on a journal: it still lives if the pid and its start time (clock ticks since boot,
 * /proc/PID/stat) agree.
 */
export interface Owner {
  readonly pid: number;
  readonly started: number;
  readonly boot: string;
  /**
   * The PID namespace of the pid, as readlink(2) of /proc/PID/ns/pid shows it; missing: unknown.
   */
  readonly namespace?: string;
  /** Derived from the host's machine-id(5); missing: unknown. */
  readonly machine?: string;
  readonly user: string;
  readonly bofh: string;
}

export interface BeginLine extends Owner {
  readonly t: 'begin';
  readonly format: 1;
  readonly id: string;
  readonly name: string;
  readonly argv: readonly string[];
  readonly host: string;
  /** The committed sequence that this one undoes. */
  readonly undoes?: string;
  /** Seconds until an unconfirmed sequence is rolled back. */
  readonly confirm?: number;
}

export interface IntentLine {
  readonly t: 'intent';
  readonly n: number;
  /**
   * The kind of an operation; `bare`: a pair of functions (`tx.effect`, `tx.call`), which only the process of
   * the sequence can undo.
   */
  readonly kind: string;
  readonly version: number;
  readonly args: unknown;
  readonly undo: unknown;
  readonly host: string;
  /** null: a pair of functions without claims, so the step conflicts with every older one. */
  readonly claims: Claims | null;
  readonly contains?: Key;
  readonly within?: Key;
  readonly lives: 'disk' | 'boot';
  /** The boot may set again what the step set, so the step is undone after a reboot too. */
  readonly recurs?: true;
  /** The keys of objects whose content the step does not write; true: all that it claims. */
  readonly keepsContent?: true | readonly Key[];
  /** The filesystems that the files of the step are in: without them the files seem to be gone. */
  readonly mounts?: readonly Mounted[];
  readonly after: boolean;
  readonly scope?: number;
  readonly boot: string;
}

/** `away`: its host cannot be reached. */
export type BlockedWhy = 'failed' | 'bare' | 'away' | { readonly by: number };

/** The deadline for the confirmation of a sequence. */
export interface Awaiting {
  readonly t: 'awaiting';
  /** A reboot ends the wait. */
  readonly boot: string;
  /** Seconds since the boot, including sleep (CLOCK_BOOTTIME), so a change of the clock has no effect. */
  readonly until: number;
  /** The SSH connection that made the change, which cannot confirm it. */
  readonly connection?: string;
}

/** Why a step could not be undone or finished in one attempt. */
export interface Blocked {
  readonly why: BlockedWhy;
  /** This and the next two are for the administrator: what failed, the holders of the object, and how to release it. */
  readonly message?: string;
  readonly holders?: readonly Holder[];
  readonly remedy?: string;
}

/** The lines of a journal. `docs/journal.md` has the table. */
export type Line =
  | BeginLine
  /** From now on objects may be reserved on that host, and the sequence must release them. */
  | { readonly t: 'host'; readonly host: string; readonly reach: unknown }
  | { readonly t: 'scope'; readonly s: number; readonly name: string; readonly parent?: number }
  | IntentLine
  | { readonly t: 'done'; readonly n: number; readonly result: unknown; readonly witness?: string }
  /** A step that gave access to content opens it again, in this boot, with this undo data. */
  | { readonly t: 'again'; readonly n: number; readonly boot: string; readonly undo: unknown }
  /** In the undo of a committed sequence: the object that the commit removed is restored, with this undo data. */
  | { readonly t: 'back'; readonly n: number; readonly undo: unknown }
  /** The content of the object of the step was compared. After this line the undo may destroy it. */
  | { readonly t: 'compared'; readonly n: number }
  /** A newer witness of the step's object, because the sequence itself wrote there. */
  | { readonly t: 'witness'; readonly n: number; readonly witness: string }
  | { readonly t: 'undone'; readonly n: number; readonly by?: number; readonly notOurs?: string }
  | ({ readonly t: 'blocked'; readonly n: number } & Blocked)
  | { readonly t: 'scope-end'; readonly s: number }
  | { readonly t: 'rollback'; readonly scope?: number; readonly because: string }
  | ({ readonly t: 'recovery' } & Owner)
  /** All steps are done. From now on no process owns the journal. A confirmation commits the sequence. */
  | Awaiting
  | { readonly t: 'committed' }
  | {
      readonly t: 'finished';
      readonly n: number;
      readonly notOurs?: string;
      /** `true`: a copy of the removed object is kept for `bofh undo`; otherwise the reason why not. */
      readonly kept?: true | string;
    }
  | {
      readonly t: 'closed';
      readonly outcome: 'committed' | 'rolled-back' | 'abandoned';
      readonly because?: string;
      readonly user?: string;
    };

const known: ReadonlySet<string> = new Set<Line['t']>([
  'begin',
  'host',
  'scope',
  'intent',
  'done',
  'again',
  'back',
  'compared',
  'witness',
  'undone',
  'blocked',
  'scope-end',
  'rollback',
  'recovery',
  'awaiting',
  'committed',
  'finished',
  'closed',
]);

/**
 * Encodes the lines of one append. Their checksums continue from `crc`, the checksum of the last line on disk
 * (0 at the start). A `+` marks each line after the first of an append. An append is synced before the next
 * is written, so only the last append can have holes.
 */
export function encode(
  lines: readonly Line[],
  crc: number,
): { readonly bytes: Uint8Array; readonly crc: number } {
  const parts: string[] = [];
  let last = crc;
  for (const line of lines) {
    const text = JSON.stringify(line);
    const mark = parts.length === 0 ? ' ' : '+';
    last = checksum(mark, text, last);
    parts.push(`${hex(last)}${mark}${text}\n`);
  }
  return { bytes: Buffer.from(parts.join('')), crc: last };
}

function checksum(mark: string, text: string, crc: number): number {
  return crc32(mark === '+' ? mark + text : text, crc);
}

function hex(crc: number): string {
  return crc.toString(16).padStart(8, '0');
}

export interface Decoded {
  readonly lines: readonly Line[];
  /** Length of the part with complete lines; the rest is a torn write. */
  readonly length: number;
  readonly crc: number;
}

/**
 * Reads a journal's bytes. Throws JournalError, naming the line, for any complete line that is
 * damaged.
 */
export function decode(bytes: Uint8Array, name: string): Decoded {
  const length = bytes.lastIndexOf(0x0a) + 1;
  const lines: Line[] = [];
  let crc = 0;
  const texts = Buffer.from(bytes.subarray(0, length)).toString('utf8').split('\n').slice(0, -1);
  for (const [index, text] of texts.entries()) {
    const at: Place = { name, number: index + 1, inLastAppend: () => isLastAppend(texts, index) };
    const mark = text[8] === '+' ? '+' : ' ';
    const body = text.slice(9);
    crc = checksum(mark, body, crc);
    if (text.slice(0, 9) !== hex(crc) + mark) throw damaged(at, 'its checksum is wrong');
    lines.push(parseLine(body, at));
  }
  const first: Place = { name, number: 1, inLastAppend: () => false };
  if (lines[0]?.t !== 'begin') throw damaged(first, 'it does not begin a sequence');
  return { lines, length, crc };
}

function parseLine(body: string, at: Place): Line {
  const line = jsonOf(body);
  if (line === undefined) throw damaged(at, 'its checksum is right, but it is not a line of a journal');
  if (!known.has(line.t))
    throw refused(at, `"${line.t}" is not a line that this bofh knows`, { remedy: newer });
  // The number may belong to a newer format than this code knows.
  if (line.t === 'begin' && (line.format as number) !== 1)
    throw refused(at, `format ${line.format as number} is newer than this bofh`, { remedy: newer });
  return line;
}

function jsonOf(body: string): Line | undefined {
  try {
    const line: unknown = JSON.parse(body);
    return typeof line === 'object' && line !== null && 't' in line ? (line as Line) : undefined;
  } catch {
    return undefined;
  }
}

/** Position of a line in a journal, for errors. */
interface Place {
  readonly name: string;
  readonly number: number;
  readonly inLastAppend: () => boolean;
}

/** True if no line after this one begins another append. A hole over the ` ` or `+` of a line reads as NUL. */
function isLastAppend(texts: readonly string[], index: number): boolean {
  return index > 0 && texts.slice(index + 1).every((text) => text[8] === '+' || text[8] === '\0');
}

const newer = 'recover it with the version of bofh that wrote it';

/**
 * The error for a damaged line. Recovery needs every synced line. Nothing acts on the last append before it
 * is synced, so that append may be cut off.
 */
function damaged(at: Place, what: string): JournalError {
  const id = at.name.replace(/^.*\//, '').replace(/\.journal$/, '');
  const lastLine = at.inLastAppend();
  const remedy = lastLine
    ? `to see what is damaged and cut it off: bofh recover --cut-last-line ${id}; bofh then checks again what the line reported`
    : `see what can be read: bofh journal show ${id}; undo that by hand; then move ${id}.journal out of the state directory, which bofh doctor --settings shows`;
  return refused(at, what, { remedy, lastLine });
}

function refused(
  { name, number }: Place,
  what: string,
  options: { readonly remedy: string; readonly lastLine?: boolean },
): JournalError {
  return new JournalError(`${name}, line ${number}: ${what}; nothing was touched`, options);
}

/** A new id: random, because no order may depend on a clock. */
export function newId(): string {
  return randomId(6).toString('hex');
}
