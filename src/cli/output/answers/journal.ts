import * as z from 'zod/mini';
import { count, text } from './parts.ts';

const step = z.strictObject({
  n: count,
  kind: text,
  /** The host of the step (default: this host). */
  host: z.exactOptional(text),
  /** Keys of the objects that the step makes or changes, as that host names them: `lv:vg0/web1-root`. */
  objects: z.readonly(z.array(text)),
  /** `started`: it is unknown whether the step was done. */
  state: z.enum(['started', 'done', 'undone', 'blocked', 'finished']),
  /** Why the step is blocked, which step undid it, or the object found in its place. */
  note: z.exactOptional(text),
  /** The users of the object, which prevent the undo, and the command that ends each use. */
  heldBy: z.exactOptional(z.readonly(z.array(z.strictObject({ who: text, free: z.exactOptional(text) })))),
  /** The command that removes the obstacle to the undo. */
  remedy: z.exactOptional(text),
  /**
   * For a leftover step without a running owner: its object, and the commands to see it and to clear it
   * manually.
   */
  manualRecovery: z.exactOptional(
    z.strictObject({ what: text, look: z.readonly(z.array(text)), clear: z.readonly(z.array(text)) }),
  ),
});

/** Another host with steps of a journal. `away`: why its state is unknown now. */
const reached = z.readonly(z.array(z.strictObject({ name: text, away: z.exactOptional(text) })));

/** The states of a journal that can be read. */
const states = [
  ...(['running', 'orphan', 'unknown', 'interrupted', 'unconfirmed'] as const),
  ...(['committed', 'rolled-back', 'abandoned'] as const),
] as const;

/** `bofh journal list` */
export const journalList = z.array(
  z.strictObject({
    id: text,
    name: text,
    user: text,
    /**
     * `interrupted`: its process is gone, and bofh recover rolls it back or forward. `unconfirmed`: bofh
     * confirm keeps it. `orphan`: one of its programs still runs. `reserved`: a sequence of bofh on
     * `coordinator`, where its journal is, with its user and its steps.
     */
    state: z.enum([...states, 'unreadable', 'reserved']),
    /** Time of the last write, ISO 8601. */
    at: text,
    /** Time of the start, ISO 8601; missing if the filesystem does not record it. */
    began: z.exactOptional(text),
    steps: count,
    /** The change of each step, made or planned: `lvm.lv.create vg0/web1`. */
    changes: z.readonly(z.array(text)),
    coordinator: z.exactOptional(text),
    hosts: z.exactOptional(reached),
  }),
);

/** `bofh journal show ID` */
export const journalShow = z.strictObject({
  id: text,
  name: text,
  user: text,
  command: z.readonly(z.array(text)),
  bofh: text,
  state: z.enum(states),
  because: z.exactOptional(text),
  /** Time of the last write, ISO 8601. */
  at: text,
  /** Time of the start, ISO 8601; missing if the filesystem does not record it. */
  began: z.exactOptional(text),
  hosts: z.exactOptional(reached),
  /**
   * Only for a committed sequence: the reason why bofh undo cannot undo it, according to the journals; null
   * if it can.
   */
  notUndoable: z.exactOptional(z.nullable(text)),
  steps: z.readonly(z.array(step)),
  /** The actions of bofh recover, in order. */
  recovery: z.readonly(
    z.array(
      z.strictObject({
        do: z.enum(['undo', 'look', 'finish', 'blocked']),
        n: count,
        kind: text,
        host: z.exactOptional(text),
        objects: z.readonly(z.array(text)),
        /** Steps that are handled together with this one. */
        with: z.readonly(z.array(count)),
      }),
    ),
  ),
  /** Why bofh recover would not begin, and the command to run first. */
  refused: z.exactOptional(z.strictObject({ why: text, remedy: z.exactOptional(text) })),
});

/** `bofh journal show ID` for a sequence of another host that reserves objects of this one. */
export const journalReserved = z.strictObject({
  id: text,
  name: text,
  state: z.literal('reserved'),
  /** The host that has its journal. */
  coordinator: text,
  /** Time of the last reservation, ISO 8601. */
  at: text,
  /** Keys of the objects that the sequence makes or changes on this host. */
  objects: z.readonly(z.array(text)),
  /** Keys of objects that must not change while the sequence runs. */
  needs: z.readonly(z.array(text)),
  /** Its programs that run on this host now. */
  programs: z.readonly(z.array(z.strictObject({ pid: count, command: text }))),
});

/** `bofh journal prune`: the closed journals that were removed, the oldest first. */
export const journalPrune = z.array(z.strictObject({ id: text, at: text }));

/** `bofh journal resolve ID STEP` */
export const journalResolve = z.strictObject({ id: text, step: count, how: z.enum(['undone', 'kept']) });

export type JournalResolve = z.infer<typeof journalResolve>;
export type JournalList = z.infer<typeof journalList>;
export type JournalShow = z.infer<typeof journalShow>;
export type JournalReserved = z.infer<typeof journalReserved>;
export type ShownStep = z.infer<typeof step>;
export type JournalPrune = z.infer<typeof journalPrune>;
