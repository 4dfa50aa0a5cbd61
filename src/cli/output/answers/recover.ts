import * as z from 'zod/mini';
import { journalEnds } from '../../../api/plan.ts';
import { text } from './parts.ts';

/** `bofh recover`, `bofh undo` and `bofh confirm` */
export const recovered = z.array(
  z.strictObject({
    id: text,
    name: text,
    end: z.enum(journalEnds),
    leftUntouched: z.readonly(z.array(text)),
    /** Why the journal stays open. */
    because: z.exactOptional(text),
  }),
);

export type RecoveredList = z.infer<typeof recovered>;
