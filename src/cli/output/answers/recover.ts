import * as z from 'zod/mini';
import { text } from './parts.ts';

/** `bofh recover` */
export const recovered = z.array(
  z.strictObject({
    id: text,
    name: text,
    end: z.enum([
      'rolled-back',
      'committed',
      'nothing-to-do',
      'running',
      'unconfirmed',
      'abandoned',
      'cut',
      'open',
    ]),
    leftAlone: z.readonly(z.array(text)),
    /** Why it stays open. */
    because: z.exactOptional(text),
  }),
);

export type RecoveredList = z.infer<typeof recovered>;
