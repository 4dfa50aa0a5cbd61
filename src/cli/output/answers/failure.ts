import * as z from 'zod/mini';
import { text } from './parts.ts';

/** The JSON answer of every failed command; the exit code is that of the process. */
export const failure = z.strictObject({
  error: z.strictObject({
    /** Class of the error: `RefusedError`. */
    class: text,
    /** The failed action, and the reason. */
    failed: text,
    /** The state of the host. */
    host: text,
    /** The next thing to do, often a command. */
    next: z.exactOptional(text),
    /** Refusals, steps, and objects that were left untouched. */
    details: z.readonly(z.array(text)),
    exitCode: z.int(),
  }),
});
