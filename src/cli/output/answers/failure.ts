import * as z from 'zod/mini';
import { text } from './parts.ts';

/** The JSON answer of every failed command; the exit code is that of the process. */
export const failure = z.strictObject({
  error: z.strictObject({
    class: text,
    failed: text,
    host: text,
    next: z.exactOptional(text),
    details: z.readonly(z.array(text)),
    exitCode: z.int(),
  }),
});
