import * as z from 'zod/mini';
import { count, text } from './parts.ts';

const step = z.strictObject({
  n: count,
  kind: text,
  /** Keys of the objects that it makes or changes: `lv:vg0/web1-root`. */
  objects: z.readonly(z.array(text)),
  /** `started`: begun, and whether it was done is not known. */
  state: z.enum(['started', 'done', 'undone', 'blocked', 'finished']),
  /** Why it is blocked, with which step it was undone, or what was found in its place. */
  note: z.exactOptional(text),
  /** Who kept it from being undone, and the command that frees it. */
  heldBy: z.exactOptional(z.readonly(z.array(z.strictObject({ who: text, free: z.exactOptional(text) })))),
  /** What to do about what kept it from being undone. */
  remedy: z.exactOptional(text),
  /** Of a step that is left while nobody works on it: what it is, and the commands to see it and to clear it by hand. */
  byHand: z.exactOptional(
    z.strictObject({ what: text, look: z.readonly(z.array(text)), clear: z.readonly(z.array(text)) }),
  ),
});

/** `bofh journal list` */
export const journalList = z.array(
  z.strictObject({
    id: text,
    name: text,
    user: text,
    /** `interrupted`: its process is gone, bofh recover brings it to its end. `orphan`: a tool of it still runs. */
    state: z.enum([
      'running',
      'orphan',
      'interrupted',
      'committed',
      'rolled-back',
      'abandoned',
      'unreadable',
    ]),
    /** When it was last written to, ISO 8601. */
    at: text,
    steps: count,
  }),
);

/** `bofh journal show ID` */
export const journalShow = z.strictObject({
  id: text,
  name: text,
  user: text,
  command: z.readonly(z.array(text)),
  bofh: text,
  state: z.enum(['running', 'orphan', 'interrupted', 'committed', 'rolled-back', 'abandoned']),
  because: z.exactOptional(text),
  steps: z.readonly(z.array(step)),
  /** What bofh recover would do, in its order. */
  recovery: z.readonly(
    z.array(
      z.strictObject({
        do: z.enum(['undo', 'look', 'finish', 'blocked']),
        n: count,
        kind: text,
        objects: z.readonly(z.array(text)),
        /** Steps that go with it. */
        with: z.readonly(z.array(count)),
      }),
    ),
  ),
});

/** `bofh journal prune`: the closed journals that were removed, the oldest first. */
export const journalPrune = z.array(z.strictObject({ id: text, at: text }));

export type JournalList = z.infer<typeof journalList>;
export type JournalShow = z.infer<typeof journalShow>;
export type ShownStep = z.infer<typeof step>;
export type JournalPrune = z.infer<typeof journalPrune>;
